"""Quantiles and intervals agree with independent implementations and refuse what they cannot know."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.stats import bca_interval, estimate, mean_interval, quantile

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=12)


@given(VALUES)
def test_a_bootstrap_interval_is_ordered_and_inside_the_sample(values: list[float]) -> None:
    low, high = bca_interval(np.array(values), seed=1)
    tolerance = 1e-6 * max(1.0, *map(abs, values))
    assert min(values) - tolerance <= low <= high <= max(values) + tolerance


@given(VALUES)
def test_an_estimate_is_the_mean_with_the_interval_and_the_method_of_comparisons(values: list[float]) -> None:
    found = estimate(values, seed=1)
    assert found is not None
    assert found.interval is not None
    assert found.interval == mean_interval(np.array(values), seed=1)
    assert found.method == ("student_t" if len(values) < 8 else "student_t_or_bca")
    low, high = found.interval
    tolerance = 1e-6 * max(1.0, *map(abs, values))
    assert low - tolerance <= found.value <= high + tolerance


def test_the_interval_of_few_values_is_students() -> None:
    values = [2.2623, 1.3598, 1.182, 1.7968, 1.8344]
    found = estimate(values, seed=5)
    assert found is not None
    # 97.5 % quantile of Student's t with 4 degrees of freedom, from his table.
    half = 2.776445 * statistics.stdev(values) / 5**0.5
    assert found.interval == pytest.approx((found.value - half, found.value + half), rel=1e-6)


def test_what_may_be_negative_is_not_cut_at_zero() -> None:
    for values in ([0.01, 0.02, 0.3], [0.01, 0.02, 0.3, 0.02, 0.01, 0.02, 0.01, 0.02]):
        cut, signed = estimate(values, seed=1), estimate(values, seed=1, is_signed=True)
        assert cut is not None
        assert signed is not None
        assert cut.interval is not None
        assert signed.interval is not None
        assert cut.interval[0] == max(0.0, signed.interval[0])
        assert cut.interval[1] == signed.interval[1]
    logs = estimate([0.01, 0.02, 0.3], seed=1, is_signed=True)
    assert logs is not None
    assert logs.interval is not None
    assert logs.interval[0] < 0


@pytest.mark.parametrize(
    ("sample", "interval"),
    [
        # From scipy 1.17.1: bootstrap((sample,), np.mean, n_resamples=9999, method="BCa", rng=default_rng(5)).
        ([2.2623, 0.3598, 1.182], (0.3598000000000001, 2.2623)),
        ([2.2623, 0.3598, 1.182, 0.7968, 0.8344], (0.63704, 1.83018)),
        (
            [2.2623, 0.3598, 1.182, 0.7968, 0.8344, 0.9174, 0.4458, 0.9114, 0.7075, 3.778, 1.0945, 0.8684],
            (0.8267089926530785, 2.027672058993254),
        ),
    ],
)
def test_the_interval_is_the_one_that_scipy_gives(sample: list[float], interval: tuple[float, float]) -> None:
    assert bca_interval(np.array(sample), seed=5) == pytest.approx(interval, rel=1e-9)


def test_the_same_seed_gives_the_same_interval() -> None:
    sample = np.array([1.0, 2.0, 4.0, 3.0])
    assert bca_interval(sample, seed=7) == bca_interval(sample, seed=7)


def test_equal_values_give_a_point() -> None:
    assert bca_interval(np.array([2.0, 2.0, 2.0]), seed=1) == (2.0, 2.0)


def test_two_repetitions_give_a_value_without_interval() -> None:
    found = estimate([1.0, 3.0], seed=1)
    assert found is not None
    assert (found.value, found.interval, found.n, found.method) == (2.0, None, 2, None)
    assert estimate([], seed=1) is None


@pytest.mark.parametrize(("size", "samples"), [(3, 2000), (5, 2000), (20, 120)])
def test_intervals_cover_the_truth_as_often_as_they_say(size: int, samples: int) -> None:
    """Plain BCa holds it in 73 % of samples of three, in 84 % of five."""
    generator = np.random.default_rng(11)
    found = [estimate(generator.normal(0, 1, size).tolist(), seed=number, is_signed=True) for number in range(samples)]
    hits = sum(
        one is not None and one.interval is not None and one.interval[0] <= 0 <= one.interval[1] for one in found
    )
    # Three standard errors of a binomial share below 95 %.
    assert hits / samples > 0.95 - 3 * (0.95 * 0.05 / samples) ** 0.5


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_needs_values_in_its_tail(values: list[float], probability: float) -> None:
    found = quantile(np.array(values), probability)
    least = {0.5: 2, 0.95: 20, 0.99: 100}[probability]
    assert (found is None) == (len(values) < least)
    if found is not None:
        assert min(values) <= found <= max(values)
