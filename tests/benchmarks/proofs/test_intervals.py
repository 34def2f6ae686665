"""The interval of a median holds the true one as often as it says."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.proofs.intervals import median_with_interval


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_the_median_lies_in_its_interval(values: list[float]) -> None:
    found = median_with_interval(values)
    assert found.n == len(values)
    if found.low is not None and found.high is not None:
        assert found.low <= found.value <= found.high


def test_five_values_carry_no_interval_and_six_do() -> None:
    assert median_with_interval([1.0, 2, 3, 4, 5]).low is None
    assert median_with_interval([1.0, 2, 3, 4, 5]).interval() == "none, 5 values"
    six = median_with_interval([6.0, 1, 5, 2, 4, 3])
    assert (six.value, six.low, six.high) == (3.5, 1, 6)
    assert six.interval(digits=1) == "1.0 to 6.0"


def test_ten_values_lose_the_outermost() -> None:
    found = median_with_interval([float(value) for value in range(10)])
    assert (found.low, found.high) == (1.0, 8.0)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(1)  # noqa: S311
    covered = 0
    for _ in range(1000):
        found = median_with_interval([chance.expovariate(1.0) for _ in range(15)])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.6931 <= found.high
    assert covered >= 940


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="needs a value"):
        median_with_interval([])
