"""What makes two runs comparable, and what does not matter."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from probes.conditions import Conditions, conditions_of, differences
from probes.errors import UsageError
from probes.records import list_runs
from probes.run_summary import RunSummary
from probes.selection import select
from probes.store_folder import FolderStore
from tests.probes.stored_records import TEMPLATE_TEXT

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
FOUR_PATTERNS = PROJECT / "examples" / "records" / "four-patterns"
PATTERNS = {"monolithic", "microservices", "composition", "overlay"}
IMAGE = "registry.invalid/a@sha256:" + "0" * 64


def manifest(**changes: Any) -> dict[str, Any]:
    """A real manifest; `a__b` changes key b of a."""
    document = json.loads(TEMPLATE_TEXT)
    for path, value in changes.items():
        *steps, last = path.split("__")
        target = document
        for step in steps:
            target = target[int(step) if isinstance(target, list) else step]
        target[last] = value
    return document


FIRST = conditions_of(manifest())


def pods(*processes: list[list[str]]) -> list[dict[str, Any]]:
    return [
        {"name": str(number), "image": IMAGE, "processes": own, "replicas": 1} for number, own in enumerate(processes)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"stack": "overlay", "pattern": "overlay", "images": {"perception": IMAGE}},
        {"outputs__application__pods": pods([["camera"]], [["detector"]], [["monitor"]], [["reader"]])},
        {"outputs__application__pods": pods([["camera", "detector", "reader", "monitor"]])},
        {"outputs__network__domainId": 7, "outputs__network__policies": True},
        {"outputs__application__load__rateHz": 10.0},
        {"git__revision": "0" * 40},
        {"machines__0__name": "other", "machines__0__kernel": "6.18.99", "machines__0__kubelet": "v1.34.9"},
        {"machines__0__allocatable": {"cpu": "1000m", "memory": "12137000Ki"}},
        {"plan__seed": 9, "plan__repetitions": 30},
        {"spec__application__nodes": {}, "spec__application__master": False, "spec__application__images": {"a": 1}},
        {"spec__application__topics": {}, "spec__placement": {"nearRecorder": False}},
    ],
)
def test_what_a_pattern_or_another_day_changes_is_no_condition(changes: dict[str, Any]) -> None:
    assert differences(conditions_of(manifest(**changes)), FIRST) == ()


@pytest.mark.parametrize(
    ("changes", "field", "value", "expected"),
    [
        ({"outputs__application__load__rateHz": 20}, "load.rateHz", "20", "10"),
        ({"cycle_regime": "image_cold"}, "regime", "image_cold", "warm"),
        ({"plan__cycles": "update"}, "cycles", "update", "install"),
        ({"plan__durations": {"window_s": 45.0}}, "window_s", "45.0", "20.0"),
        ({"plan__durations": {}}, "window_s", "unknown", "20.0"),
        ({"plan__fault": {"loss_ratio": 0.1}}, "network.fault", '{"loss_ratio": 0.1}', "unknown"),
        ({"outputs__network__discovery": "multicast"}, "network.discovery", "multicast", "server"),
        ({"outputs__network__rmw": "rmw_cyclonedds_cpp"}, "versions.rmw", "rmw_cyclonedds_cpp", "rmw_fastrtps_cpp"),
        (
            {"outputs__imageBase": {"flavour": "official", "rosDistro": "jazzy"}},
            "versions.flavour",
            "official",
            "unknown",
        ),
    ],
)
def test_a_difference_is_named_down_to_its_key(changes: dict[str, Any], field: str, value: str, expected: str) -> None:
    found = {item.field: item for item in differences(conditions_of(manifest(**changes)), FIRST)}
    assert (found[field].value, found[field].expected) == (value, expected)
    assert len(found) == (2 if field == "versions.flavour" else 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs__application__name": "another"},
        {"outputs__application__pods": pods([["camera"], ["monitor"]])},
        {"outputs__application__topics": []},
        {"spec__application__nodes": {"camera": {"image": "a", "parameters": {"gain": False}}}},
        {"spec__application__nodes": {"camera": {"rosArguments": True}}},
    ],
)
def test_another_graph_is_another_application(changes: dict[str, Any]) -> None:
    assert [item.field for item in differences(conditions_of(manifest(**changes)), FIRST)] == ["application"]


@pytest.mark.parametrize(
    "change", [{"architecture": "arm64"}, {"kernel": "6.1.0"}, {"kubelet": "v1.33.0"}, {"allocatable": {"cpu": "2"}}]
)
def test_other_machines_are_another_class(change: dict[str, Any]) -> None:
    other = manifest()
    other["machines"][0] |= change
    assert [item.field for item in differences(conditions_of(other), FIRST)] == ["machine_class"]


def test_the_number_of_machines_counts_and_their_order_does_not() -> None:
    fewer, turned = manifest(), manifest()
    fewer["machines"].pop()
    turned["machines"].reverse()
    assert [item.field for item in differences(conditions_of(fewer), FIRST)] == ["machine_class"]
    assert conditions_of(turned) == FIRST


def test_what_neither_tells_is_no_difference_and_what_one_does_not_tell_is() -> None:
    unknown = conditions_of(manifest(machines=[]))
    assert unknown.machine_class is None
    assert differences(unknown, unknown) == ()
    assert [(item.value, item.field) for item in differences(unknown, FIRST)] == [("unknown", "machine_class")]


def test_first_records_compare_with_later_ones_that_say_the_same() -> None:
    """The first version of the application did what later ones call by these names."""
    later = manifest()
    later["outputs"]["application"]["load"] |= {
        "detectorCostS": 0.02, "detectorInference": "onnx", "detectorModel": "pp-ocr", "encoding": "rgb8",
        "faultDelaysS": [0], "faultDropRatio": 0, "faultNode": "monitor", "faultSeed": 0, "faultStallFrame": 0,
        "faultStallS": 0.0, "readerModel": "pp-ocr", "reportFrames": 0, "streams": 1,
    }  # fmt: skip
    assert conditions_of(later) == FIRST
    later["outputs"]["application"]["load"]["encoding"] = "jpeg"
    assert [item.field for item in differences(conditions_of(later), FIRST)] == ["load.encoding"]


def test_without_an_install_there_is_no_regime() -> None:
    assert conditions_of(manifest(plan__cycles="none", cycle_regime=None)).regime == "none"


def test_conditions_are_ordered_hashable_and_documented() -> None:
    assert len({FIRST, conditions_of(manifest())}) == 1
    assert sorted([FIRST, FIRST]) == [FIRST, FIRST]
    page = (DOCS / "records.md").read_text()
    assert [field.name for field in fields(Conditions) if f"| `{field.name}` |" not in page] == []


@pytest.fixture(scope="module")
def four() -> dict[str, RunSummary]:
    """Real installs of one application in four patterns, by pattern."""
    runs = list_runs(FolderStore(FOUR_PATTERNS))
    return {run.pattern: run for run in runs if run.conditions.cycles == "install"}


def test_real_runs_of_the_four_patterns_have_equal_conditions_and_all_of_them(four: dict[str, RunSummary]) -> None:
    assert set(four) == PATTERNS
    assert len({run.conditions for run in four.values()}) == 1
    assert [field.name for field in fields(Conditions) if getattr(four["overlay"].conditions, field.name) is None] == []


@pytest.mark.parametrize("field", [field.name for field in fields(Conditions)])
def test_each_condition_keeps_runs_apart_and_is_named(four: dict[str, RunSummary], field: str) -> None:
    other = replace(four["overlay"].conditions, **{field: 1.5 if field == "window_s" else "another"})
    runs = [four["monolithic"], four["microservices"], four["overlay"]._replace(conditions=other)]
    chosen = select(("monolithic", "microservices", "overlay"), runs)
    assert [entrant.name for entrant in chosen.entrants] == ["monolithic", "microservices"]
    assert {item.field.partition(".")[0] for item in chosen.excluded} == {field}
    with pytest.raises(UsageError, match=f"{field} is"):
        select(("monolithic", "overlay"), runs)


def test_the_contract_names_the_conditions_in_their_order() -> None:
    (told,) = re.findall(r"^\| `Conditions` \| (.*?) \|$", (DOCS / "contracts.md").read_text(), re.MULTILINE)
    named = [name for name in re.findall(r"`(\w+)`", told) if name in {field.name for field in fields(Conditions)}]
    assert list(dict.fromkeys(named)) == [field.name for field in fields(Conditions)]
