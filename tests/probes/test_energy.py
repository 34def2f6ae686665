"""Joules against streams whose energy is known exactly, and every way in which a stream can be unusable."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import energy
from probes.energy import Mean, Series, Unmeasured, mean_of_samples, mean_power, mean_power_of_counter
from probes.samples import Window

REAL_NS = 1_790_000_000_000_000_000
MONOTONIC_NS = 5_000_000_000_000
PERIOD_S = 0.1


def window(duration_s: float) -> Window:
    return Window(REAL_NS, REAL_NS + round(duration_s * 1e9))


def series(times_s: Sequence[float], values: Sequence[object], step_s: float = 0.0) -> Series:
    """Samples; from the middle on the real-time clock is set forward by `step_s`."""
    middle = len(times_s) // 2
    real = [REAL_NS + round((at_s + (step_s if row >= middle else 0)) * 1e9) for row, at_s in enumerate(times_s)]
    return Series(real, [MONOTONIC_NS + round(at_s * 1e9) for at_s in times_s], list(values))


def steadily(duration_s: float, period_s: float = PERIOD_S) -> list[float]:
    return [row * period_s for row in range(-5, round(duration_s / period_s) + 6)]


def measured(found: Mean | Unmeasured) -> Mean:
    assert isinstance(found, Mean), found
    return found


def bursts(seed: int, duration_s: float) -> tuple[list[float], list[float], float]:
    """Power that jumps between 2 W and 12 W, read every 0.1 s and up to 10 ms off; and the joules in truth."""
    random = np.random.default_rng(seed)
    edges, levels = [-3.0], [2.0]
    while edges[-1] < duration_s + 3:
        edges.append(edges[-1] + random.uniform(0.5, 2.0))
        levels.append(14.0 - levels[-1])
    joules = sum(
        level * max(0.0, min(end, duration_s) - max(start, 0.0))
        for start, end, level in zip(edges, edges[1:], levels, strict=False)
    )
    times = np.array(steadily(duration_s)) + random.uniform(-0.01, 0.01, len(steadily(duration_s)))
    values = np.array(levels)[np.searchsorted(edges, times, side="right") - 1]
    return times.tolist(), values.tolist(), joules


@pytest.mark.parametrize("watts", [0.4, 5.297, 700.0])
def test_steady_power_is_exact(watts: float) -> None:
    times = steadily(30)
    found = measured(mean_power(series(times, [watts] * len(times)), window(30), PERIOD_S))
    assert found.mean == pytest.approx(watts, rel=1e-9)
    assert found.coverage == pytest.approx(1.0)


def test_noisy_steady_power_is_within_half_a_percent() -> None:
    random = np.random.default_rng(1)
    times = (np.array(steadily(30)) + random.uniform(-0.03, 0.03, len(steadily(30)))).tolist()
    values = (5 + random.normal(0, 0.2, len(times))).tolist()
    assert measured(mean_power(series(times, values), window(30), PERIOD_S)).mean == pytest.approx(5.0, rel=0.005)


def test_slow_change_is_within_half_a_percent() -> None:
    times = steadily(30)
    values = [10 + 5 * math.sin(at_s) for at_s in times]
    joules = 300 + 5 * (1 - math.cos(30))
    assert measured(mean_power(series(times, values), window(30), PERIOD_S)).mean * 30 == pytest.approx(
        joules, rel=0.005
    )


@pytest.mark.parametrize("seed", range(20))
def test_bursts_are_within_two_percent(seed: int) -> None:
    times, values, joules = bursts(seed, 60)
    found = measured(mean_power(series(times, values), window(60), PERIOD_S))
    assert found.mean * 60 == pytest.approx(joules, rel=0.02)
    assert found.largest == 12.0


@pytest.mark.parametrize("seed", range(5))
def test_counter_tells_bursts_exactly(seed: int) -> None:
    times, values, _ = bursts(seed, 30)
    counter = np.concatenate(([1000.0], 1000 + np.cumsum(np.array(values[:-1]) * np.diff(times))))
    joules = np.interp(30.0, times, counter) - np.interp(0.0, times, counter)
    found = measured(mean_power_of_counter(series(times, counter.tolist()), window(30), PERIOD_S))
    assert found.mean * 30 == pytest.approx(float(joules), rel=1e-6)


def test_counter_bridges_a_gap_by_its_difference() -> None:
    times = [at_s for at_s in steadily(30) if not 10 < at_s < 12]
    counter = [50.0 * max(0.0, min(at_s - 10, 2)) + 1 for at_s in times]
    found = measured(mean_power_of_counter(series(times, counter), window(30), PERIOD_S))
    assert found.mean * 30 == pytest.approx(100.0)
    assert found.coverage == pytest.approx(28 / 30, abs=0.01)


def test_counter_that_was_set_back_costs_its_stretch_only() -> None:
    times = steadily(30)
    counter = [5 * at_s + (100 if at_s < 15 else 0) for at_s in times]
    found = measured(mean_power_of_counter(series(times, counter), window(30), PERIOD_S))
    assert found.mean == pytest.approx(5.0)
    assert found.coverage < 1


@pytest.mark.parametrize(
    ("first_s", "last_s", "coverage"),
    [(-1.0, 31.0, 1.0), (0.0, 30.0, 1.0), (2.0, 31.0, 28 / 30), (-1.0, 27.5, 27.5 / 30)],
)
def test_coverage_is_the_share_of_time(first_s: float, last_s: float, coverage: float) -> None:
    times = np.arange(round(first_s * 10), round(last_s * 10) + 1) / 10
    found = measured(mean_power(series(times.tolist(), [5.0] * times.size), window(30), PERIOD_S))
    assert found.coverage == pytest.approx(coverage, abs=1e-6)
    assert found.mean == pytest.approx(5.0)


def test_window_edges_between_two_samples_count_in_part() -> None:
    times = [-0.05, 0.05, 0.15]
    found = measured(mean_power(series(times, [0.0, 10.0, 20.0]), window(0.1), PERIOD_S))
    assert found.mean == pytest.approx(10.0)


Damage = Callable[[list[float], list[object]], Series]


def nothing(times: list[float], values: list[object]) -> Series:
    return series([], [])


def one_row(times: list[float], values: list[object]) -> Series:
    return series(times[:1], values[:1])


def half_lost(times: list[float], values: list[object]) -> Series:
    return series(times[::4], values[::4])


def ended_early(times: list[float], values: list[object]) -> Series:
    kept = len(times) * 8 // 10
    return series(times[:kept], values[:kept])


def a_long_gap(times: list[float], values: list[object]) -> Series:
    kept = [row for row, at_s in enumerate(times) if not 10 < at_s < 14]
    return series([times[row] for row in kept], [values[row] for row in kept])


def every_fifth(value: object) -> Damage:
    def damage(times: list[float], values: list[object]) -> Series:
        return series(times, [value if row % 5 == 0 else kept for row, kept in enumerate(values)])

    return damage


def times_again(times: list[float], values: list[object]) -> Series:
    return series([at_s for at_s in times for _ in range(2)], [value for value in values for _ in range(2)])


def one_old_value(times: list[float], values: list[object]) -> Series:
    return series([times[0]] * len(times), values)


def clock_set(times: list[float], values: list[object]) -> Series:
    return series(times, values, step_s=1.0)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (nothing, energy.NO_ROWS),
        (one_row, energy.COVERAGE),
        (half_lost, energy.COVERAGE),
        (ended_early, energy.COVERAGE),
        (a_long_gap, energy.COVERAGE),
        (every_fifth(math.nan), energy.GARBAGE),
        (every_fifth(math.inf), energy.GARBAGE),
        (every_fifth(None), energy.GARBAGE),
        (every_fifth("5.0"), energy.GARBAGE),
        (every_fifth(value=True), energy.GARBAGE),
        (every_fifth(1e300), energy.GARBAGE),
        (times_again, energy.REPEATED_TIMES),
        (one_old_value, energy.REPEATED_TIMES),
        (clock_set, energy.CLOCK_STEP),
    ],
)
def test_what_cannot_be_used_is_a_reason(damage: Damage, reason: str) -> None:
    times = steadily(30)
    values: list[object] = [5.0 + 0.001 * row for row in range(len(times))]
    assert mean_power(damage(times, values), window(30), PERIOD_S) == Unmeasured(reason)
    assert isinstance(mean_power_of_counter(damage(times, values), window(30), PERIOD_S), Unmeasured)


def test_counter_that_stands_still_is_no_zero() -> None:
    times = steadily(30)
    stuck = mean_power_of_counter(series(times, [7.0] * len(times)), window(30), PERIOD_S)
    assert stuck == Unmeasured(energy.COUNTER_STUCK)
    jumping = [float(row % 2) for row in range(len(times))]
    assert mean_power_of_counter(series(times, jumping), window(30), PERIOD_S) == Unmeasured(energy.COUNTER_RESET)


def test_a_few_bad_rows_change_nothing() -> None:
    times = steadily(30)
    values: list[object] = [5.0] * len(times)
    values[40], values[90], values[200] = math.nan, None, "garbage"
    assert measured(mean_power(series(times, values), window(30), PERIOD_S)).mean == pytest.approx(5.0)


def test_negative_power_of_a_sensor_with_an_offset_is_kept() -> None:
    times = steadily(30)
    found = measured(mean_power(series(times, [-0.398] * len(times)), window(30), PERIOD_S))
    assert found.mean == pytest.approx(-0.398)


def test_share_of_time_has_limits() -> None:
    times = steadily(30)
    found = mean_of_samples(series(times, [1.4] * len(times)), window(30), PERIOD_S, low=0.0, high=1.0)
    assert found == Unmeasured(energy.GARBAGE)


CELL = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=30), st.floats(0.001, 5))
def test_any_rows_give_a_finite_value_or_a_reason(rows: list[tuple[object, object, object]], duration_s: float) -> None:
    made = Series([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    for found in (
        mean_power(made, window(duration_s), PERIOD_S),
        mean_power_of_counter(made, window(duration_s), PERIOD_S),
    ):
        if isinstance(found, Mean):
            assert math.isfinite(found.mean)
            assert energy.LEAST_COVERAGE <= found.coverage <= 1 + 1e-9
        else:
            assert found.reason in energy.REASONS


@given(st.integers(0, 2**32), st.floats(0.5, 2.0))
def test_mean_lies_between_the_samples_and_scales(seed: int, factor: float) -> None:
    times = steadily(29.5)
    taken = np.random.default_rng(seed).uniform(0, 50, len(times))
    found = measured(mean_power(series(times, taken.tolist()), window(29.5), PERIOD_S))
    assert taken.min() <= found.mean <= taken.max()
    scaled = measured(mean_power(series(times, (taken * factor).tolist()), window(29.5), PERIOD_S))
    assert scaled.mean == pytest.approx(found.mean * factor)
