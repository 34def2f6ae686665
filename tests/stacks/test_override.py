"""Keys that one command changes: merged over the stack file, checked like it, named where they are wrong or used."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.refusal import Refusal
from stacks import program
from stacks.outputs import StackOutputs
from stacks.override import VARIABLE, merged, read_override
from stacks.reading import KEY, SpecError, read_spec
from tests.support import values
from tests.support.deployment import deploy

KEYS = st.text(alphabet="abc", min_size=1, max_size=2)
TREES = st.recursive(
    st.integers() | st.none() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(KEYS, TREES, max_size=3)


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_keys_of_the_override_replace_those_of_the_file_and_leave_the_others(tmp_path: Path) -> None:
    path = write(tmp_path, "fast.yaml", {"application": {"load": {"rateHz": 30}}})
    written = {"application": {"load": {"rateHz": 5, "burst": 3}}, "network": {"domainId": 9}}
    load = read_spec("monolithic", {KEY: written}, {VARIABLE: str(path)}).application.load
    assert load is not None
    assert (load.rate_hz, load.burst) == (30, 3)


def test_of_two_files_the_later_one_holds(tmp_path: Path) -> None:
    first = write(tmp_path, "1.yaml", {"network": {"domainId": 1, "discovery": "multicast"}})
    second = write(tmp_path, "2.yaml", {"network": {"domainId": 2}})
    network = read_spec("monolithic", {}, {VARIABLE: f"{first}:{second}"}).network
    assert (network.domain_id, network.discovery) == (2, "multicast")


def test_the_state_of_the_environment_comes_before_that_of_an_override(tmp_path: Path) -> None:
    path = write(tmp_path, "state.yaml", {"state": "running"})
    assert read_spec("monolithic", {}, {VARIABLE: str(path), "ROS2BENCH_STATE": "parked"}).state == "parked"


def test_an_override_of_the_lock_comes_before_the_variable(tmp_path: Path) -> None:
    path = write(tmp_path, "lock.yaml", {"images": {"lock": "/variant"}})
    read = read_spec("monolithic", {}, {VARIABLE: str(path), "ROS2BENCH_IMAGES_LOCK": "/usual"})
    assert read.images.lock == "/variant"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"application": {"load": {"rateHz": "fast"}}}, "application.load.rateHz"),
        ({"application": {"load": {"rate": 5}}}, "application.load.rate"),
        ({"network": 5}, "network"),
    ],
)
def test_a_wrong_key_is_looked_for_in_the_override(tmp_path: Path, content: object, said: str) -> None:
    path = write(tmp_path, "wrong.yaml", content)
    with pytest.raises(SpecError) as caught:
        read_spec("monolithic", {}, {VARIABLE: str(path)})
    assert str(caught.value).startswith(f"{path}: {said}: ")


def test_a_wrong_key_of_the_stack_file_is_still_looked_for_there(tmp_path: Path) -> None:
    path = write(tmp_path, "right.yaml", {"network": {"domainId": 3}})
    with pytest.raises(SpecError, match=r"^Pulumi\.monolithic\.yaml: config\.ros2bench:spec\.network\.rmw: "):
        read_spec("monolithic", {KEY: {"network": {"rmw": "none"}}}, {VARIABLE: str(path)})


@pytest.mark.parametrize(
    ("content", "said"),
    [("a: [", "cannot be read"), ("- 1\n", "a mapping of keys is expected"), ("1: 2\n", "the key 1 is no text")],
)
def test_a_file_that_is_none_is_named_with_the_variable(tmp_path: Path, content: str, said: str) -> None:
    path = write(tmp_path, "broken.yaml", content)
    with pytest.raises(Refusal, match=said) as caught:
        read_override({VARIABLE: str(path)})
    assert f"environment variable {VARIABLE}: {path}" in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        read_override({VARIABLE: str(tmp_path / "none.yaml")})


def test_without_the_variable_nothing_is_overridden(tmp_path: Path) -> None:
    assert read_override({}) is None
    empty = read_override({VARIABLE: str(write(tmp_path, "empty.yaml", ""))})
    assert empty is not None
    assert empty.values == {}


@given(MAPPINGS, MAPPINGS)
def test_merging_keeps_what_only_one_has_and_takes_the_upper_of_both(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    result = merged(below, above)
    assert result.keys() == below.keys() | above.keys()
    for key, value in result.items():
        if key not in above:
            assert value == below[key]
        elif isinstance(value, dict) and isinstance(below.get(key), dict):
            assert value == merged(below[key], above[key])
        else:
            assert value == above[key]


@given(MAPPINGS, MAPPINGS)
def test_merging_twice_changes_nothing_and_leaves_its_arguments(below: dict[str, Any], above: dict[str, Any]) -> None:
    before = json.dumps([below, above])
    once = merged(below, above)
    assert merged(once, above) == once
    assert json.dumps([below, above]) == before


def test_the_stacks_output_names_what_was_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, "cell.yaml", {"application": {"load": {"rateHz": 30}}})
    environment = {
        "KUBECONFIG": str(values.kubeconfig(tmp_path)),
        "ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path)),
        "HTTPS_PROXY": "http://proxy.example",
        VARIABLE: str(path),
    }
    spec = read_spec("monolithic", {KEY: {"images": {"checkRegistry": False}}}, environment)
    outputs = StackOutputs.model_validate_json(
        json.dumps(deploy(lambda: program.run("monolithic", spec, environment)).value)
    )
    assert outputs.override is not None
    assert outputs.override.files == ["cell.yaml"]
    assert outputs.override.values == {"application": {"load": {"rateHz": 30}}}
    assert outputs.application is not None
    assert outputs.application.topics[0].expected_rate_hz == 30
