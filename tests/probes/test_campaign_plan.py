"""Plan files: what is refused, which cells they mean, in which order they are visited."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probes.campaign_plan import PlanFile, Sweep, cells, identifier, nested, read_plan, visit_count, visits
from probes.errors import UsageError

NAMES = st.sampled_from(["rate", "size", "network"])
FACTORS = st.dictionaries(NAMES, st.integers(2, 4), max_size=3)


def plan(**content: Any) -> PlanFile:
    return PlanFile.model_validate({"campaign": "mine", "stacks": ["monolithic"], **content})


def write(folder: Path, content: Any) -> Path:
    path = folder / "plan.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def planned(levels: dict[str, int], design: str, stacks: int = 2, repetitions: int = 2) -> PlanFile:
    factors = {name: {"spec": f"a.{name}", "levels": list(range(count))} for name, count in levels.items()}
    names = [f"stack{number}" for number in range(stacks)]
    return plan(stacks=names, repetitions=repetitions, design=design, factors=factors)


def test_a_plan_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    content = {
        "campaign": "rates",
        "stacks": ["monolithic", "overlay"],
        "durations": {"windowS": 5, "coolDownS": 0},
        "factors": {"rate": {"spec": "application.load.rateHz", "levels": [5, 10]}},
    }
    read = read_plan(write(tmp_path, content))
    assert (read.repetitions, read.seed, read.cycles, read.design) == (5, 1, "install", "full")
    assert (read.durations.window_s, read.durations.cool_down_s) == (5, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stacks": []}, "stacks"),
        ({"stacks": ["a", "a"]}, "a stack is named twice"),
        ({"repetition": 3}, "repetition: Extra inputs"),
        ({"repetitions": "3"}, "repetitions"),
        ({"repetitions": 0}, "repetitions"),
        ({"campaign": "Has Spaces"}, "campaign"),
        ({"durations": {"windowS": -1}}, "durations.windowS"),
        ({"durations": {"window_s": 1}}, "durations.window_s: Extra inputs"),
        ({"cycles": "none"}, "cycles"),
        ({"factors": {"a": {"levels": [1, 2]}}}, "exactly one of spec and option"),
        ({"factors": {"a": {"spec": "x", "option": "regime", "levels": [1, 2]}}}, "exactly one of spec and option"),
        ({"factors": {"a": {"spec": "x"}}}, "exactly one of levels and sweep"),
        ({"factors": {"a": {"spec": "x", "levels": [1]}}}, "two or more different levels"),
        ({"factors": {"a": {"spec": "x", "levels": [1, 1]}}}, "two or more different levels"),
        ({"factors": {"a": {"spec": "x..y", "levels": [1, 2]}}}, "factors.a.spec"),
        ({"factors": {"a": {"option": "seed", "levels": [1, 2]}}}, "factors.a.option"),
        ({"factors": {"a": {"option": "fault", "levels": {"none": None, "odd": {"delayS": -1}}}}}, "fault.delayS"),
        ({"factors": {"a": {"option": "fault", "levels": ["none", "slow"]}}}, "KEY=VALUE"),
        ({"factors": {"stack": {"spec": "x", "levels": [1, 2]}}}, "the factor `stack` is the list of stacks"),
        ({"factors": {"a": {"spec": "x", "sweep": {"from": 1, "to": 1, "count": 2}}}}, "from and to are the same"),
        ({"factors": {"a": {"spec": "x", "sweep": {"from": 0, "to": 1, "count": 2, "scale": "log"}}}}, "log scale"),
        (
            {"factors": {name: {"spec": name, "sweep": {"from": 1, "to": 9, "count": 100}} for name in "abcdefgh"}},
            "at most 10000",
        ),
    ],
)
def test_a_wrong_plan_is_named_with_its_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write(tmp_path, {"campaign": "mine", "stacks": ["monolithic"], **change})
    with pytest.raises(UsageError) as caught:
        read_plan(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_faults_are_levels_by_name_or_in_text(tmp_path: Path) -> None:
    named = {"option": "fault", "levels": {"none": None, "slow": {"delayS": 0.02}}}
    listed = {"option": "fault", "levels": ["none", "loss_ratio=0.01"]}
    content = {"campaign": "mine", "stacks": ["monolithic"], "factors": {"a": named, "b": listed}}
    read = read_plan(write(tmp_path, content))
    assert [list(factor.named()) for factor in read.factors.values()] == [["none", "slow"], ["none", "loss_ratio=0.01"]]
    assert visits(read, "c")[0].options.keys() == {"fault"}


@pytest.mark.parametrize("content", ["a: [", "- 1", "", "\0"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match=r"plan\.yaml"):
        read_plan(write(tmp_path, content))


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml")


@given(FACTORS, st.integers(1, 3), st.integers(1, 3))
def test_a_full_design_has_every_combination_once_and_a_control_per_stack(
    levels: dict[str, int], stacks: int, repetitions: int
) -> None:
    made = planned(levels, "full", stacks, repetitions)
    found = cells(made)
    own = [(place.stack, tuple(place.levels.items())) for place in found if place.role == "cell"]
    assert len(own) == len(set(own)) == stacks * math.prod(levels.values())
    assert [place.stack for place in found if place.role == "control"] == list(made.stacks)
    assert visit_count(made) == len(visits(made, "c")) == len(found) * repetitions


@given(FACTORS, st.integers(1, 3))
def test_a_sensitivity_design_changes_one_factor_at_a_time(levels: dict[str, int], stacks: int) -> None:
    made = planned(levels, "sensitivity", stacks)
    own = [place for place in cells(made) if place.role == "cell"]
    changed = [sum(value != 0 for value in place.levels.values()) for place in own]
    assert Counter(changed) == Counter(
        {0: stacks, 1: stacks * sum(count - 1 for count in levels.values())}
        if levels and any(count > 1 for count in levels.values())
        else {0: stacks}
    )
    assert visit_count(made) == len(visits(made, "c"))


@given(FACTORS, st.integers(0, 1000))
def test_every_block_holds_every_cell_once_in_an_order_that_the_seed_repeats(levels: dict[str, int], seed: int) -> None:
    made = planned(levels, "full").model_copy(update={"seed": seed})
    ordered = visits(made, "c")
    assert ordered == visits(made, "c")
    size = len(cells(made))
    for repetition in range(2):
        block = ordered[repetition * size : (repetition + 1) * size]
        assert {visit.cell.repetition for visit in block} == {repetition}
        assert len({visit.key for visit in block}) == size
    assert len({visit.key for visit in ordered}) == 2 * size


def test_the_control_is_the_baseline_again() -> None:
    made = planned({"rate": 3}, "full", stacks=1)
    (control,) = [place for place in cells(made) if place.role == "control"]
    assert dict(control.levels) == {"rate": 0}
    assert control.name == "stack0, rate=0"


def test_factors_become_keys_of_the_spec_and_options_of_the_runner() -> None:
    made = plan(
        settings={"application": {"load": {"rateHz": 3, "burst": 2}}},
        factors={
            "rate": {"spec": "application.load.rateHz", "levels": [5, 10]},
            "size": {
                "spec": "application.load",
                "levels": {"small": {"widthPx": 320, "heightPx": 240}, "large": {"widthPx": 640, "heightPx": 480}},
            },
            "regime": {"option": "regime", "levels": ["warm", "image_cold"]},
        },
    )
    found = {visit.cell.name: visit for visit in visits(made, "c")}
    visit = found["monolithic, rate=10, size=large, regime=image_cold"]
    assert visit.spec == {"application": {"load": {"rateHz": 10, "burst": 2, "widthPx": 640, "heightPx": 480}}}
    assert visit.options == {"regime": "image_cold"}
    assert visit.cell.levels["size"] == {"widthPx": 640, "heightPx": 480}


def test_a_sweep_has_its_ends_and_equal_steps() -> None:
    linear = Sweep.model_validate({"from": 5.0, "to": 20.0, "count": 4})
    assert linear.levels() == [5, 10, 15, 20]
    assert all(isinstance(level, int) for level in linear.levels())
    log = Sweep.model_validate({"from": 1.0, "to": 100.0, "count": 3, "scale": "log"})
    assert log.levels() == [1, 10, 100]
    assert Sweep.model_validate({"from": 1.0, "to": 0.5, "count": 3}).levels() == [1, 0.75, 0.5]


def test_the_same_plan_has_the_same_name_and_any_change_another() -> None:
    assert identifier(plan()) == identifier(plan())
    assert identifier(plan()).startswith("mine-")
    assert identifier(plan()) != identifier(plan(seed=2))
    assert identifier(plan()) != identifier(plan(factors={"a": {"spec": "x", "levels": [1, 2]}}))


def test_a_dotted_key_is_nested() -> None:
    assert nested("a.b.c", 1) == {"a": {"b": {"c": 1}}}
    assert nested("a", {"b": 1}) == {"a": {"b": 1}}
