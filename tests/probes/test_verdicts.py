"""The words follow from interval, noise threshold and tests, and more repetitions decide as foretold."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probes.multiplicity import benjamini_hochberg, holm
from probes.power import more_repetitions
from probes.ratio import Contrast, contrast
from probes.verdicts import verdict

FOUND = Contrast("paired", 5, 1.1, (1.05, 1.15), 0.1, (0.05, 0.15), 0.01, None, 1.0, math.log(1.1), 0.03)


@pytest.mark.parametrize(
    ("interval", "lower", "higher"),
    [
        ((1.03, 1.15), "worse", "better"),
        ((0.9, 0.97), "better", "worse"),
        ((0.99, 1.01), "within noise", "within noise"),
        ((1.01, 1.15), "not enough data", "not enough data"),
        ((0.97, 1.0), "not enough data", "not enough data"),
    ],
)
def test_the_interval_lies_beyond_the_noise_within_it_or_across(
    interval: tuple[float, float], lower: str, higher: str
) -> None:
    found = replace(FOUND, ratio_interval=interval)
    assert verdict(found, "lower", 0.02, 0.01) == lower
    assert verdict(found, "higher", 0.02, 0.01) == higher
    assert verdict(found, "neither", 0.02, 0.01) is None


def test_a_difference_must_pass_the_corrected_test_and_the_permutation_test() -> None:
    assert verdict(FOUND, "lower", 0.02, 0.05) == "worse"
    assert verdict(FOUND, "lower", 0.02, 0.06) == "not enough data"
    assert verdict(replace(FOUND, p_permutation=0.2), "lower", 0.02, 0.01) == "not enough data"


def test_too_few_repetitions_and_missing_ratios_are_not_equality() -> None:
    few = replace(FOUND, ratio_interval=None)
    assert verdict(few, "lower", 0.02, None) == "not enough data"
    from_zero = replace(FOUND, ratio=None, ratio_interval=None)
    assert verdict(from_zero, "lower", 0.02, 0.01) == "worse"
    assert verdict(replace(from_zero, difference_interval=(-0.1, 0.1)), "lower", 0.02, 0.5) == "not enough data"
    assert verdict(replace(from_zero, difference_interval=(0.0, 0.0)), "lower", 0.02, 1.0) == "within noise"


def test_what_does_not_vary_needs_no_test() -> None:
    exact = replace(FOUND, method="exact", n=1, p_value=None)
    assert verdict(exact, "lower", 0.02, None) == "worse"


P_VALUES = st.lists(st.floats(0, 1), max_size=12)


@given(P_VALUES)
def test_corrections_are_scipys_and_keep_the_order(p_values: list[float]) -> None:
    for ours in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(before <= after * (1 + 1e-9) and after <= 1 for before, after in zip(p_values, ours, strict=True))
        ranked = sorted(range(len(p_values)), key=lambda index: p_values[index])
        assert [ours[index] for index in ranked] == sorted(ours)
    if p_values:
        assert benjamini_hochberg(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize("ratio", [1.05, 1.0])
def test_the_repetitions_foretold_decide_nine_times_in_ten(ratio: float) -> None:
    spread, threshold = 0.02, 0.02
    size = 4 + (more_repetitions(math.log(ratio), spread, 4, threshold, 0.05) or 0)
    chance = np.random.default_rng(5)
    words = [
        verdict(found, "lower", threshold, found.p_value)
        for found in (
            contrast(np.ones(size), ratio * np.exp(chance.normal(0, spread, size)), is_paired=True, seed=1)
            for _ in range(200)
        )
    ]
    wanted = "worse" if ratio > 1 else "within noise"
    assert words.count(wanted) >= 0.84 * len(words)
    smaller = [
        verdict(found, "lower", threshold, found.p_value)
        for found in (
            contrast(np.ones(size // 2), ratio * np.exp(chance.normal(0, spread, size // 2)), is_paired=True, seed=1)
            for _ in range(100)
        )
    ]
    assert smaller.count(wanted) < 0.84 * len(smaller)


def test_no_number_is_named_at_the_edge_of_the_noise() -> None:
    assert more_repetitions(math.log(1.02), 0.03, 5, 0.02, 0.05) is None
    assert more_repetitions(math.log(1.05), 0.0, 5, 0.02, 0.05) == 1
