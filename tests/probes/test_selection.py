"""Only comparable runs are compared, the newest that hold together; what is left out is told with its reason."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import UsageError
from probes.run_summary import RunSummary
from probes.selection import Selection, select
from tests.probes.compared_runs import CONDITIONS, run, visit

OTHER_LOAD = replace(CONDITIONS, load='{"rateHz":20}')
NAMES = ("monolithic", "overlay")


def taken(selection: Selection) -> dict[str, list[int]]:
    return {entrant.name: [int(one.run_id[-12:]) for one in entrant.runs] for entrant in selection.entrants}


def test_the_newest_campaign_that_holds_all_is_taken() -> None:
    runs = [run(1), run(2, "overlay"), run(3, campaign="c2"), run(4, "overlay", campaign="c2"), run(5, campaign="c3")]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [3], "overlay": [4]}
    assert "c2" in chosen.sentences[0]
    assert [(item.run_id[-1], item.field, item.expected) for item in chosen.excluded] == [("5", "campaign", "c2")]


def test_without_a_common_campaign_the_newest_comparable_runs_are_taken_and_it_is_told() -> None:
    runs = [run(1), run(2, campaign="c2"), run(3, "overlay", campaign="c3")]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [2], "overlay": [3]}
    assert "No campaign holds all" in chosen.sentences[0]
    assert any("several campaigns" in sentence for sentence in chosen.sentences)


def test_a_campaign_that_holds_both_under_different_conditions_does_not_count() -> None:
    runs = [
        run(1),
        run(2, "overlay"),
        run(3, campaign="c2"),
        run(4, "overlay", campaign="c2", conditions=OTHER_LOAD),
    ]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [1], "overlay": [2]}
    told = {(item.run_id[-1], item.field, item.value, item.expected) for item in chosen.excluded}
    assert told == {("3", "campaign", "c2", "c1"), ("4", "load.rateHz", "20", "10")}


def test_a_run_that_failed_a_gate_is_left_out_with_its_state() -> None:
    runs = [run(1), run(2, "overlay"), run(3, "overlay", state="invalid", reason="quiet_machine")]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [1], "overlay": [2]}
    assert [(item.field, item.value, item.expected) for item in chosen.excluded] == [
        ("state", "invalid (quiet_machine)", "complete")
    ]


def test_a_run_named_by_its_identifier_is_told_when_it_is_not_comparable() -> None:
    runs = [run(1), run(2, "overlay"), run(3, "microservices", conditions=OTHER_LOAD)]
    chosen = select([one.run_id for one in runs], runs)
    assert taken(chosen) == {"monolithic": [1], "overlay": [2]}
    assert [item.field for item in chosen.excluded] == ["load.rateHz"]


def test_nothing_comparable_is_an_error_that_names_the_field() -> None:
    runs = [run(1), run(2, "overlay", conditions=OTHER_LOAD)]
    with pytest.raises(UsageError, match=r"load\.rateHz is 20, expected 10"):
        select(NAMES, runs)


def test_visits_of_a_campaign_are_pooled_and_its_controls_are_the_noise_floor() -> None:
    runs = [
        visit(number * 10 + place, stack, number, role=role)
        for number in range(3)
        for place, (stack, role) in enumerate((("monolithic", "cell"), ("monolithic", "control"), ("overlay", "cell")))
    ]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [0, 10, 20], "overlay": [2, 12, 22]}
    assert [one.run_id[-2:] for one in chosen.entrants[0].control] == ["01", "11", "21"]
    assert chosen.entrants[1].control == ()


def test_the_second_arm_of_a_control_is_no_contender() -> None:
    runs = [run(1, arm="A"), run(2, arm="A'"), run(3, "overlay")]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [1], "overlay": [3]}
    assert [one.arm for one in chosen.entrants[0].control] == ["A'"]


def test_levels_of_a_campaign_are_never_mixed() -> None:
    runs = [
        visit(number, stack, 0, rate=rate)
        for number, (stack, rate) in enumerate(
            (("monolithic", 5), ("overlay", 5), ("monolithic", 10), ("overlay", 10), ("monolithic", 20))
        )
    ]
    chosen = select(NAMES, runs)
    assert taken(chosen) == {"monolithic": [2], "overlay": [3]}
    assert any("monolithic, rate=5" in sentence for sentence in chosen.sentences)
    by_name = select(["monolithic, rate=5", "overlay, rate=5"], runs)
    assert taken(by_name) == {"monolithic, rate=5": [0], "overlay, rate=5": [1]}


def test_runs_without_kubernetes_are_comparable_in_what_they_have() -> None:
    bare = replace(CONDITIONS, machine_class=None, network=CONDITIONS.network.replace("server", "host-network"))  # type: ignore[union-attr]
    runs = [run(1), run(2, "baseline", campaign="c2", conditions=bare)]
    for names in (("monolithic", "baseline"), ("baseline", "monolithic")):
        chosen = select(names, runs)
        assert set(taken(chosen)) == {"monolithic", "baseline"}
        assert any("without Kubernetes" in sentence for sentence in chosen.sentences)
    other = replace(bare, load=OTHER_LOAD.load)
    with pytest.raises(UsageError, match="rateHz"):
        select(("monolithic", "baseline"), [run(1), run(2, "baseline", conditions=other)])


def test_a_campaign_gives_its_cells_with_monolithic_first() -> None:
    runs = [run(1, "composition"), run(2, "overlay"), run(3), run(4, campaign="other")]
    assert list(taken(select(["c1"], runs))) == ["monolithic", "composition", "overlay"]
    assert list(taken(select([], runs))) == ["monolithic", "composition", "overlay"]


def test_the_baseline_comes_first_and_may_be_named_beside() -> None:
    runs = [run(1), run(2, "overlay"), run(3, "composition")]
    assert list(taken(select(NAMES, runs, "overlay"))) == ["overlay", "monolithic"]
    assert list(taken(select(["overlay"], runs, "composition"))) == ["composition", "overlay"]


@pytest.mark.parametrize(
    ("selectors", "said"),
    [
        (["nothing"], "is no stack, pattern"),
        (["monolithic"], "one contender only"),
        (["01a1fe67"], "0 campaigns and 2 runs"),
    ],
)
def test_a_selector_that_fits_nothing_or_too_much_says_what_there_is(selectors: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        select(selectors, [run(1), run(2, "overlay")])


def any_run(number: int, stack: str, campaign: str, state: str, load: str) -> RunSummary:
    reason = None if state == "complete" else "because"
    conditions = replace(CONDITIONS, load=load)
    return run(number, stack, campaign=campaign, state=state, reason=reason, conditions=conditions)


RUNS = st.lists(
    st.builds(
        any_run,
        st.integers(0, 10_000),
        st.sampled_from(NAMES),
        st.sampled_from(["c1", "c2", "c3"]),
        st.sampled_from(["complete", "complete", "invalid"]),
        st.sampled_from(['{"rateHz":10}', '{"rateHz":20}']),
    ),
    unique_by=lambda one: one.run_id,
    max_size=12,
)


@given(RUNS)
def test_whatever_is_taken_is_complete_and_comparable_and_never_also_excluded(runs: list[RunSummary]) -> None:
    ordered = sorted(runs, key=lambda one: one.created_at)
    try:
        chosen = select(NAMES, ordered)
    except UsageError:
        sets = [{one.conditions for one in runs if one.stack == name and one.state == "complete"} for name in NAMES]
        assert not sets[0] & sets[1]
        return
    compared = [one for entrant in chosen.entrants for one in entrant.runs]
    assert {one.state for one in compared} == {"complete"}
    assert {one.conditions for one in compared} == {chosen.conditions}
    assert not {one.run_id for one in compared} & {item.run_id for item in chosen.excluded}
