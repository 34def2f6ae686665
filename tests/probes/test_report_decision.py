"""The ranking: units do not change it, weights do, what is missing is left out aloud, few data give no odds."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.report.decision import Decision, Ranking
from probes.report.draws import SEED, Evidence, draw_means, uniform
from probes.report.situations import CRITERIA, LINK, SITUATIONS, UPDATES, keys_needed

EDGE, CONTROL = SITUATIONS[0], SITUATIONS[1]
EXACT = frozenset(key for key in keys_needed() if "bytes_wire" in key or "lines" in key)
NOTHING: Mapping[str, float] = {}


def evidence(
    name: str, factor: float = 1.0, *, scatter: float = 0.02, count: int = 10, only: Mapping[str, float] = NOTHING
) -> Evidence:
    """Make a contender whose every value is `factor`, or `only[key]`, with some scatter."""
    generator = np.random.default_rng([ord(letter) for letter in name])
    values: dict[str, list[float | None]] = {}
    for key in keys_needed():
        middle = only.get(key, 0.9 if "ratio" in key else factor)
        spread = [middle] if key in EXACT else list(middle * (1 + scatter * generator.standard_normal(count)))
        values[key] = [float(value) for value in spread]
    return Evidence(name, values, {})


def rank(*contenders: Evidence, weights: Mapping[str, float] = CONTROL.weights) -> Ranking:
    return Decision(contenders, EXACT).rank(EDGE.setting, weights)


def test_the_generator_is_mulberry32() -> None:
    # The first numbers of the published generator for the seed 1.
    assert uniform(1, 3).tolist() == [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]
    assert abs(uniform(SEED, 100_000).mean() - 0.5) < 0.005


def test_what_costs_less_everywhere_leads_surely() -> None:
    found = rank(evidence("a", 1.0), evidence("b", 1.3), evidence("c", 1.5))
    assert (found.leader, found.turns, found.few) == ("a", {}, False)
    assert [item.probability for item in found.standings] == [1.0, 0.0, 0.0]
    assert found.standings[1].relative == pytest.approx(1.3, rel=0.1)
    low, high = found.standings[2].interval or (0, 0)
    assert low < found.standings[2].relative < high


def test_equal_contenders_share_the_probability() -> None:
    one, other = evidence("a"), evidence("b")
    found = rank(one, other, weights={"latency": 1})
    chances = [item.probability or 0 for item in found.standings]
    assert sum(chances) == pytest.approx(1.0)
    same = Evidence("b", one.values, {})
    alike = Decision([one, same], EXACT).rank(EDGE.setting, {"traffic": 1})
    assert [item.probability for item in alike.standings] == [0.5, 0.5]


@given(st.floats(0.01, 100), st.sampled_from(["inference_s", "jitter_s", "inference_s{statistic=p95}"]))
def test_units_do_not_matter(scale: float, key: str) -> None:
    contenders = [evidence("a", 1.0), evidence("b", 1.02), evidence("c", 0.99)]
    scaled = [
        Evidence(item.name, {**item.values, key: [scale * (value or 0) for value in item.values[key]]}, {})
        for item in contenders
    ]
    one, other = rank(*contenders), rank(*scaled)
    assert [item.probability for item in one.standings] == pytest.approx([item.probability for item in other.standings])
    assert [item.relative for item in one.standings] == pytest.approx([item.relative for item in other.standings])


@given(st.floats(0.1, 50))
def test_only_proportions_of_weights_matter(scale: float) -> None:
    contenders = [evidence("a", 1.0), evidence("b", 1.02)]
    one = rank(*contenders)
    other = rank(*contenders, weights={name: weight * scale for name, weight in CONTROL.weights.items()})
    assert [item.relative for item in one.standings] == pytest.approx([item.relative for item in other.standings])


def test_weights_turn_the_ranking() -> None:
    quick = evidence("quick", only={"inference_s": 0.5, "memory_bytes": 2e9})
    small = evidence("small", only={"inference_s": 1.0, "memory_bytes": 1e9})
    assert rank(quick, small, weights={"latency": 5, "memory": 1}).leader == "quick"
    found = rank(quick, small, weights={"latency": 1, "memory": 5})
    assert found.leader == "small"
    assert found.turns == {"memory": "quick"}


def test_a_slow_link_makes_bytes_count() -> None:
    light = evidence("light", only={"image_bytes_wire": 1e7, "ready_s": 9.0})
    heavy = evidence("heavy", only={"image_bytes_wire": 1e8, "ready_s": 5.0})
    decision = Decision([light, heavy], EXACT)
    assert decision.rank({**EDGE.setting, LINK: 1e5}, {"install": 1}).leader == "light"
    assert decision.rank({**EDGE.setting, LINK: 1e9}, {"install": 1}).leader == "heavy"


def test_what_is_missing_somewhere_is_left_out_for_all_with_the_reason() -> None:
    values = {key: found for key, found in evidence("b").values.items() if key != "energy_per_frame_j"}
    without = Evidence("b", values, {"energy_per_frame_j": "no_power_source"})
    found = rank(evidence("a"), without, weights={"energy": 3, "latency": 1})
    assert found.used == ("latency",)
    assert [(item.criterion, item.why) for item in found.left] == [
        ("energy", "energy_per_frame_j of b is missing (no_power_source)")
    ]


def test_what_does_not_happen_is_not_asked_for() -> None:
    key = "service_gap_s{change=model,part=update}"
    without = Evidence("b", {name: found for name, found in evidence("b").values.items() if name != key}, {})
    decision = Decision([evidence("a"), without], EXACT)
    assert decision.rank({**EDGE.setting, UPDATES["model"]: 0.0}, {"silence": 1}).used == ("silence",)
    never = dict.fromkeys(UPDATES.values(), 0.0)
    found = decision.rank({**EDGE.setting, **never}, {"silence": 1})
    assert (found.leader, found.left[0].why) == (None, "nothing of it happens in this situation")


def test_without_weights_nothing_is_said() -> None:
    found = rank(evidence("a"), evidence("b"), weights={})
    assert (found.leader, found.standings, found.left) == (None, (), ())


def test_two_repetitions_give_an_order_but_no_probability() -> None:
    found = rank(evidence("a", count=2), evidence("b", 1.3, count=2))
    assert (found.leader, found.few) == ("a", True)
    assert {item.probability for item in found.standings} == {None}
    sizes = rank(evidence("a", count=2), evidence("b", 1.3, count=2), weights={"traffic": 1})
    assert sizes.few is False


def test_values_below_the_floor_are_alike() -> None:
    none = evidence("none", only={"frames_delivered_ratio": 1.0}, scatter=0)
    few = evidence("few", only={"frames_delivered_ratio": 0.9995}, scatter=0)
    found = rank(none, few, weights={"loss": 1})
    assert [item.relative for item in found.standings] == [1.0, 1.0]


def test_draws_have_the_spread_of_the_mean() -> None:
    values = list(np.random.default_rng(1).normal(10, 1, 5))
    means = draw_means(Evidence("a", {"x": values}, {}), 0, ("x", "y"))
    # 2.776 is Student's quantile of four degrees of freedom, 1.96 the normal one.
    assert means[:, 0].std() == pytest.approx(2.776 / 1.96 * np.std(values, ddof=1) / math.sqrt(5), rel=0.05)
    assert means[:, 0].min() > 0
    assert np.isnan(means[:, 1]).all()


def test_a_value_that_some_repetitions_miss_is_drawn_from_the_others() -> None:
    means = draw_means(Evidence("a", {"x": [1.0, None, 1.0], "z": [1.0, 2.0, 3.0]}, {}), 0, ("x", "z"))
    assert set(means[:, 0].tolist()) == {1.0}


def test_every_situation_weighs_criteria_that_exist() -> None:
    names = {criterion.name for criterion in CRITERIA}
    for situation in SITUATIONS:
        assert situation.weights.keys() <= names
        assert set(situation.weights.values()) <= set(range(6))
        assert all(math.isfinite(term.factor(situation.setting)) for item in CRITERIA for term in item.terms)
