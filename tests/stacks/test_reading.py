"""A stack file is understood or refused with everything that is needed to put it right."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import patterns
from stacks.reading import KEY, SpecError, read_file, read_spec
from stacks.spec import StackSpec

ROOT = Path(__file__).parent.parent.parent
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))


def read(spec: Any, stack: str = "monolithic", **environment: str) -> StackSpec:
    return read_spec(stack, {KEY: spec}, environment)


def refusal(spec: Any, stack: str = "monolithic", **environment: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(spec, stack, **environment)
    return str(caught.value)


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_every_stack_file_of_the_project_is_valid(path: Path) -> None:
    assert read_file(path, {}).application.name == "perception"


def test_the_stack_files_are_found() -> None:
    wanted = ("dev", "platform", *patterns.names())
    assert {f"Pulumi.{stack}.yaml" for stack in wanted} <= {path.name for path in STACK_FILES}


@pytest.mark.parametrize(
    ("stack", "kind", "pattern"),
    [("monolithic", "experiment", "monolithic"), ("platform", "platform", None), ("dev", "dev", "monolithic")],
)
def test_kind_and_pattern_follow_from_the_name_of_the_stack(stack: str, kind: str, pattern: str | None) -> None:
    spec = read_spec(stack, {}, {})
    assert (spec.kind, spec.pattern, spec.state) == (kind, pattern, "running")


def test_the_defaults_are_those_of_the_reference_load() -> None:
    load = read({}).application.load
    assert load is not None
    assert (load.rate_hz, load.width_px, load.height_px) == (10.0, 640, 480)
    assert read({}).network.socket_buffer_bytes == 4_194_304


def test_the_environment_gives_defaults_and_the_file_comes_first() -> None:
    variables = {"ROS2BENCH_IMAGES_LOCK": "/lock", "ROS2BENCH_RECORDS_BUCKET": "lab-bucket"}
    spec = read({"records": {"bucket": "mine"}}, **variables)
    assert (spec.images.lock, spec.records.bucket) == ("/lock", "mine")


def test_the_state_variable_overrides_the_file() -> None:
    assert read({"state": "running"}, ROS2BENCH_STATE="parked").state == "parked"


def test_a_wrong_state_variable_is_named_as_such() -> None:
    message = refusal({}, ROS2BENCH_STATE="parkd")
    assert "environment variable ROS2BENCH_STATE: is 'parkd'. Did you mean parked?" in message


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    message = refusal({"application": {"load": {"rateHzz": 5}}})
    assert message.startswith("Pulumi.monolithic.yaml: config.ros2bench:spec.application.load.rateHzz: unknown key")
    assert "Did you mean rateHz?" in message
    assert "widthPx" in message
    assert message.endswith("then: pulumi preview -s monolithic")


def test_a_snake_case_key_is_no_second_spelling() -> None:
    assert "Did you mean rateHz?" in refusal({"application": {"load": {"rate_hz": 5}}})


def test_keys_below_a_name_of_the_users_choice_are_checked() -> None:
    message = refusal({"resources": {"nodes": {"camera": {"cpuRequest": 5}}}})
    assert "resources.nodes.camera.cpuRequest: unknown key" in message
    assert "Did you mean cpuRequestMillicores?" in message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"application": {"load": {"rateHz": "fast"}}}, "load.rateHz: is 'fast', a number is expected"),
        ({"application": {"load": {"widthPx": 8.5}}}, "load.widthPx: is 8.5, a whole number is expected"),
        ({"application": {"load": {"widthPx": 8}}}, "load.widthPx: is 8. It should be greater than or equal to 16"),
        ({"application": {"load": {"rateHz": float("nan")}}}, "load.rateHz: is nan. It should be a finite number"),
        ({"application": {"load": {"source": "cats"}}}, "load.source: is 'cats', which does not match"),
        ({"application": []}, "application: is [], a mapping is expected"),
        (
            {"network": {"discovery": "serve"}},
            "network.discovery: is 'serve'. Did you mean server? Choices: host-network, ",
        ),
        ({"placement": {"nearRecorder": "yes"}}, "nearRecorder: is 'yes', true or false is expected"),
        ({"kind": "platform", "pattern": "monolithic"}, "a platform has none"),
        ({"application": {"name": "percepton"}}, "Did you mean perception?"),
        ({"resources": {"nodes": {"camra": {}}}}, "has no such node. Did you mean camera?"),
        ({"pattern": "monolitic"}, "no pattern 'monolitic'. Did you mean monolithic?"),
        ("monolithic", "config.ros2bench:spec: is 'monolithic', a mapping is expected"),
    ],
)
def test_what_is_wrong_is_said_with_key_value_and_rule(spec: Any, words: str) -> None:
    assert words in refusal(spec)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert len(refusal({"state": "off", "pattrn": "x", "images": 3}).splitlines()) == 4


def test_a_stack_whose_name_is_no_pattern_gets_the_list_of_patterns() -> None:
    message = refusal({}, stack="my-robot")
    assert "no pattern 'my-robot' (the stack's own name, because the file names none)" in message
    assert all(name in message for name in patterns.names())


def test_another_key_of_the_project_is_refused() -> None:
    with pytest.raises(SpecError, match=r"ros2bench:spce: unknown key\. Did you mean ros2bench:spec"):
        read_spec("monolithic", {"ros2bench:spce": {}}, {})


@pytest.mark.parametrize("stack", ["My_Stack", "a" * 41, "-x", "a.b"])
def test_a_stack_name_that_makes_no_namespace_is_refused(stack: str) -> None:
    with pytest.raises(SpecError, match="pulumi stack rename"):
        read_spec(stack, {}, {})


@pytest.mark.parametrize("text", ["config: [", "config: 3", "- 1"])
def test_a_file_that_is_no_stack_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Pulumi.monolithic.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"Pulumi\.monolithic\.yaml"):
        read_file(path, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"Pulumi\.dev\.yaml: cannot be read"):
        read_file(tmp_path / "Pulumi.dev.yaml", {})


def test_what_is_exported_reads_back_as_the_same_spec() -> None:
    spec = read(
        {"application": {"load": {"rateHz": 30}}, "resources": {"nodes": {"camera": {"cpuRequestMillicores": 5}}}}
    )
    exported = json.loads(json.dumps(spec.model_dump(mode="json", by_alias=True)))
    assert read(exported) == spec


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)


def read_or_message(spec: Any) -> StackSpec | str:
    try:
        return read(spec)
    except SpecError as error:
        return str(error)


@given(key=st.sampled_from([str(f.alias) for f in StackSpec.model_fields.values()]), value=JSON_VALUES)
def test_any_value_is_read_or_refused_with_file_and_key(key: str, value: Any) -> None:
    outcome = read_or_message({key: value})
    if isinstance(outcome, str):
        assert f"Pulumi.monolithic.yaml: config.{KEY}" in outcome
        assert "pulumi preview" in outcome


@given(name=st.text(min_size=1, max_size=12))
def test_any_unknown_key_is_refused_by_name(name: str) -> None:
    if name not in {field.alias for field in StackSpec.model_fields.values()}:
        assert "unknown key" in refusal({name: 1})
