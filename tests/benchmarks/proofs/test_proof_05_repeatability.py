"""A/A: equal runs, a drift, and a difference that is real."""

import random

from benchmarks.proofs import proof_05_repeatability as proof


def noisy(seed: int, spread: float, count: int = 20) -> list[float | None]:
    chance = random.Random(seed)  # noqa: S311
    return [0.03 * (1 + chance.uniform(-spread, spread)) for _ in range(count)]


def test_equal_runs_hold() -> None:
    found = proof.finding("inference_s", noisy(1, 0.02), 1.03)
    assert found.verdict == "holds"
    assert "over 10 pairs" in found.measured
    assert " to " in found.interval


def test_every_second_run_slower_fails_unless_the_order_hides_it() -> None:
    values: list[float | None] = [1.0, 1.2] * 10
    ratios = proof.pair_ratios(values, 5)
    assert {round(ratio, 6) for ratio in ratios} == {round(1 / 1.2, 6), 1.2}
    assert proof.finding("ready_s", values, 1.03).verdict == "fails"


def test_a_drift_falls_on_both_sides() -> None:
    values: list[float | None] = [1.0 + 0.02 * step for step in range(20)]
    assert proof.finding("inference_s", values, 1.03).verdict == "holds"


def test_missing_values_are_no_pairs() -> None:
    values: list[float | None] = [1.0, None, 1.0, 1.0, None, None, 1.0, 1.0]
    assert len(proof.pair_ratios(values, 1)) == 2
    assert proof.finding("ready_s", values, 1.1).verdict == "not enough data"
