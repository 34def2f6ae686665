"""Ratios, p-values and effect sizes agree with scipy; what carries no interval has none."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from probes.permutation import paired_p, unpaired_p
from probes.ratio import Contrast, cliffs_delta, contrast, exact_contrast

POSITIVE = st.lists(st.floats(0.5, 2.0), min_size=3, max_size=7, unique=True)


# Its type hints lack what its results have.
stats: Any = scipy_stats


def array(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def test_pairs_are_compared_by_students_t_of_the_logarithms() -> None:
    first, second = array([1.0, 1.31, 0.9, 1.1, 1.05]), array([1.2, 1.4, 1.01, 1.25, 1.3])
    found = contrast(first, second, is_paired=True, seed=1)
    expected = stats.ttest_rel(np.log(second), np.log(first))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.ratio == pytest.approx(np.exp(np.log(second / first).mean()))
    interval = expected.confidence_interval(0.95)
    assert found.ratio_interval == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.method == "paired"


def test_separate_runs_are_compared_by_welchs_t_of_the_logarithms() -> None:
    first, second = array([1.0, 1.31, 0.9, 1.1]), array([1.2, 1.4, 1.01, 1.25, 1.3, 1.7])
    found = contrast(first, second, is_paired=False, seed=1)
    expected = stats.ttest_ind(np.log(second), np.log(first), equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert found.ratio_interval == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.n == 4


def test_values_that_may_be_zero_are_compared_as_they_are() -> None:
    first, second = array([10.0, 12.0, 11.0, 9.5]), array([0.0, 1.0, 0.3, 2.0])
    found = contrast(first, second, is_paired=False, seed=1)
    assert found.p_value == pytest.approx(stats.ttest_ind(second, first, equal_var=False).pvalue)
    assert found.ratio == pytest.approx(second.mean() / first.mean())
    assert found.ratio is not None
    assert found.ratio_interval is not None
    assert found.ratio_interval[0] < found.ratio < found.ratio_interval[1]


def test_a_baseline_that_cannot_be_told_from_zero_has_no_ratio() -> None:
    found = contrast(array([0.0, 0.0, 1.0]), array([5.0, 6.0, 5.5]), is_paired=False, seed=1)
    assert (found.ratio, found.ratio_interval) == (None, None)
    assert found.difference == pytest.approx(5.5 - 1 / 3)
    assert found.difference_interval is not None


@given(POSITIVE, POSITIVE)
def test_a_ratio_turned_round_is_its_inverse(first: list[float], second: list[float]) -> None:
    one = contrast(array(first), array(second), is_paired=False, seed=1)
    other = contrast(array(second), array(first), is_paired=False, seed=1)
    assert one.ratio is not None
    assert other.ratio == pytest.approx(1 / one.ratio)
    assert one.ratio_interval is not None
    assert other.ratio_interval == pytest.approx((1 / one.ratio_interval[1], 1 / one.ratio_interval[0]))
    assert one.effect == -other.effect


@given(st.lists(st.floats(0.5, 2.0), min_size=3, max_size=12), st.floats(1e-6, 1e6))
def test_units_do_not_matter(values: list[float], unit: float) -> None:
    second = array(values)[::-1] * 1.1
    one = contrast(array(values), second, is_paired=True, seed=1)
    other = contrast(array(values) * unit, second * unit, is_paired=True, seed=1)
    assert other.ratio == pytest.approx(one.ratio)
    assert other.ratio_interval == pytest.approx(one.ratio_interval, rel=1e-6)


def test_two_repetitions_have_a_ratio_without_interval() -> None:
    found = contrast(array([1.0, 2.0]), array([2.0, 4.0]), is_paired=True, seed=1)
    assert found.ratio == pytest.approx(2.0)
    assert (found.ratio_interval, found.p_value, found.p_permutation, found.spread) == (None, None, None, None)


def test_equal_constants_are_equal_and_repeated_steps_are_no_proof() -> None:
    same = contrast(array([2.0, 2.0, 2.0]), array([2.0, 2.0, 2.0]), is_paired=True, seed=1)
    assert (same.ratio, same.ratio_interval, same.p_value) == (1.0, (1.0, 1.0), 1.0)
    step = contrast(array([2.0, 2.0, 2.0]), array([3.0, 3.0, 3.0]), is_paired=True, seed=1)
    assert step.p_value is not None
    assert step.p_value > 0.05


@pytest.mark.parametrize("size", [8, 30, 300])
def test_many_repetitions_have_an_interval_that_holds_students(size: int) -> None:
    chance = np.random.default_rng(size)
    first, second = np.exp(chance.normal(0, 0.1, size)), np.exp(chance.exponential(0.1, size))
    for is_paired in (True, False):
        found = contrast(first, second, is_paired=is_paired, seed=3)
        test = stats.ttest_rel if is_paired else stats.ttest_ind
        options = {} if is_paired else {"equal_var": False}
        low, high = np.exp(test(np.log(second), np.log(first), **options).confidence_interval(0.95))
        assert found.ratio_interval is not None
        assert found.ratio_interval[0] <= low * (1 + 1e-9)
        assert found.ratio_interval[1] >= high * (1 - 1e-9)
        assert found.ratio_interval[1] / found.ratio_interval[0] < 1.3 * high / low


def test_permutations_are_scipys() -> None:
    first, second = array([1.0, 1.3, 0.9, 1.1, 1.0, 1.2]), array([1.2, 1.4, 1.0, 1.25, 1.3, 1.1])

    def mean_difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:  # type: ignore[type-arg]
        return y.mean(axis=axis) - x.mean(axis=axis)

    for kind, ours in (
        ("samples", paired_p(second - first, 0.05, seed=1)),
        ("independent", unpaired_p(first, second, 0.05, seed=1)),
    ):
        theirs = stats.permutation_test(
            (first, second), mean_difference, permutation_type=kind, n_resamples=10**6, vectorized=True
        )
        assert ours == pytest.approx(theirs.pvalue)


def test_too_few_repetitions_cannot_be_permuted() -> None:
    assert paired_p(array([1.0, 2.0, 3.0, 4.0, 5.0]), 0.05, seed=1) is None
    assert paired_p(array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 0.05, seed=1) == 2 / 64
    assert unpaired_p(array([1.0, 2.0, 3.0]), array([7.0, 8.0, 9.0]), 0.05, seed=1) is None


def test_drawn_permutations_never_say_impossible() -> None:
    first, second = np.arange(20.0), np.arange(20.0) + 1000
    assert unpaired_p(first, second, 0.05, seed=1) == pytest.approx(1 / 10_000)
    assert paired_p(second - first, 0.05, seed=1) == pytest.approx(1 / 10_000, rel=1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_cliffs_delta_counts_pairs(first: list[int], second: list[int]) -> None:
    counted = sum((b > a) - (b < a) for a in first for b in second) / (len(first) * len(second))
    assert cliffs_delta(np.array(first, float), np.array(second, float)) == pytest.approx(counted)


def test_what_is_counted_needs_one_repetition() -> None:
    found = exact_contrast(array([100.0]), array([150.0, 152.0]))
    assert isinstance(found, Contrast)
    assert found.ratio == pytest.approx(1.51)
    assert found.ratio_interval == (1.5, 1.52)
    assert exact_contrast(array([0.0]), array([2.0])).ratio is None
