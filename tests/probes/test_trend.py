"""Growth of memory over swaps: slope, interval, verdict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.measurement import undeclared
from probes.measurements.swap import Measured, memory_readings
from probes.trend import leak_verdict, slope_of

MEBIBYTE = 1024.0 * 1024
NUMBERS = st.lists(st.integers(-1000, 1000).map(float), min_size=3, max_size=25)


def noise(count: int, size: float) -> list[float]:
    return [float(value) for value in np.random.default_rng(7).normal(0, size, count)]


@given(st.integers(-50, 50), st.integers(3, 30))
def test_a_straight_line_has_its_slope_and_no_width(step: int, count: int) -> None:
    slope = slope_of([float(step * position) for position in range(count)])
    assert slope is not None
    assert (slope.value, slope.low, slope.high) == (step, step, step)


@given(NUMBERS)
def test_the_slope_lies_in_its_interval_and_turns_its_sign_with_the_series(values: list[float]) -> None:
    slope, turned = slope_of(values), slope_of([-value for value in values])
    assert slope is not None
    assert turned is not None
    assert slope.low <= slope.value <= slope.high
    assert turned.value == pytest.approx(-slope.value)


@given(NUMBERS, st.integers(-1000, 1000))
def test_a_level_does_not_matter(values: list[float], level: int) -> None:
    assert slope_of([value + level for value in values]) == slope_of(values)


def test_two_points_are_no_trend() -> None:
    assert slope_of([1.0, 2.0]) is None


def test_a_leak_grows_through_scatter_and_a_jump_alone_is_none() -> None:
    scatter = noise(20, 0.2 * MEBIBYTE)
    assert leak_verdict([100 * MEBIBYTE + step * MEBIBYTE + scatter[step] for step in range(20)]) == "leak"
    assert leak_verdict([100 * MEBIBYTE + scatter[step] for step in range(20)]) == "no leak"
    assert leak_verdict([(100 if step < 5 else 130) * MEBIBYTE + scatter[step] for step in range(20)]) == "no leak"


def test_caches_that_fill_and_stay_are_no_leak() -> None:
    scatter = noise(30, 0.01 * MEBIBYTE)
    assert leak_verdict([min(step, 8) * 5 * MEBIBYTE + scatter[step] for step in range(30)]) == "no leak"


def test_growth_below_what_an_allocator_keeps_is_no_leak() -> None:
    assert leak_verdict([1000.0 * step for step in range(20)]) == "no leak"


def test_few_swaps_give_a_slope_but_no_verdict() -> None:
    readings = {reading.key: reading for reading in memory_readings([float(step) for step in range(10)])}
    assert readings["memory_trend_bytes_per_swap"].value == 1
    assert readings["memory_leak"].missing == "too_few_samples"
    assert leak_verdict([1.0] * 19) == "not enough data"


def test_one_memory_that_is_not_known_is_the_reason_for_all() -> None:
    readings = memory_readings([1.0, 2.0, "no_platform", 3.0])
    assert {reading.missing for reading in readings} == {"no_platform"}
    assert undeclared(Measured(), readings) == []
    assert undeclared(Measured(), memory_readings([float(step) for step in range(25)])) == []
