"""Quantiles and intervals agree with independent implementations and refuse what they cannot know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.stats import bca_interval, estimate, quantile

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=12)


@given(VALUES)
def test_an_interval_is_ordered_and_inside_the_sample(values: list[float]) -> None:
    found = estimate(values, seed=1)
    assert found is not None
    assert found.interval is not None
    low, high = found.interval
    tolerance = 1e-6 * max(1.0, *map(abs, values))
    assert min(values) - tolerance <= low <= high <= max(values) + tolerance


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
    assert (found.value, found.interval, found.n) == (2.0, None, 2)
    assert estimate([], seed=1) is None


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(11)
    hits = sum(
        low <= 0.0 <= high
        for low, high in (bca_interval(generator.normal(0, 1, 20), seed=number) for number in range(120))
    )
    assert hits / 120 > 0.85


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_needs_values_in_its_tail(values: list[float], probability: float) -> None:
    found = quantile(np.array(values), probability)
    least = {0.5: 2, 0.95: 20, 0.99: 100}[probability]
    assert (found is None) == (len(values) < least)
    if found is not None:
        assert min(values) <= found <= max(values)
