"""Rates and levels from counters: known loads, gaps, resets, garbage."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.counter_rates import (
    Track,
    add_up,
    largest_rate,
    largest_sum,
    level,
    mean_rate,
    rates_by_step,
    track,
)
from probes.energy import Unmeasured
from probes.evidence import SeriesTable
from probes.samples import Window

COLUMNS = ("time_ns", "monotonic_ns", "value")
START_NS = 1_000_000_000_000
BOOT_NS = 400_000_000_000
WINDOW = Window(START_NS, START_NS + 10_000_000_000)


def followed(rows: Sequence[tuple[float, object]], window: Window = WINDOW, **table: Any) -> Track | Unmeasured:
    """Follow values read at seconds from the start of the window."""
    cells: Any = tuple((START_NS + round(s * 1e9), BOOT_NS + round(s * 1e9), value) for s, value in rows)
    found = SeriesTable(COLUMNS, cells, **table)
    return track(list(found.records()), "value", found, window)


def known(rows: Sequence[tuple[float, object]]) -> Track:
    found = followed(rows)
    assert isinstance(found, Track)
    return found


def tenths(rate: float, until_s: float = 10.5) -> list[tuple[float, object]]:
    """A counter that grows evenly, read ten times a second from before the window until after it."""
    return [(n / 10, round(rate * (n / 10 + 1) * 1e9)) for n in range(-5, round(until_s * 10))]


@given(rate=st.floats(0, 64), jitter=st.lists(st.floats(-0.03, 0.03), min_size=110, max_size=110))
def test_an_even_load_is_found_exactly_however_late_it_is_read(rate: float, jitter: list[float]) -> None:
    rows = [(n / 10 + late, round(rate * (n / 10 + late + 1) * 1e9)) for n, late in enumerate(jitter, start=-5)]
    counter = known(rows)
    assert mean_rate(counter) == pytest.approx(rate * 1e9, rel=1e-6, abs=10)
    assert largest_rate([counter], 0.1) == pytest.approx(rate * 1e9, rel=1e-4, abs=100)


def test_a_burst_shows_in_the_largest_rate_and_only_by_its_share_in_the_mean() -> None:
    busy = [(n / 10, round(1e8 * max(0, min(n - 40, 5)))) for n in range(-5, 105)]
    counter = known(busy)
    assert mean_rate(counter) == pytest.approx(5e8 / 10, rel=0.02)
    assert largest_rate([counter], 0.1) == pytest.approx(1e9, rel=1e-6)


def test_counters_that_are_added_up_have_their_peak_where_they_have_it_together() -> None:
    first = known([(n / 10, round(1e8 * max(0, min(n - 20, 5)))) for n in range(-5, 105)])
    later = known([(n / 10 + 0.03, round(1e8 * max(0, min(n - 70, 5)))) for n in range(-5, 105)])
    assert largest_rate([first, later], 0.1) == pytest.approx(1e9, rel=1e-6)
    assert largest_rate([first, first], 0.1) == pytest.approx(2e9, rel=1e-6)


def test_a_gap_costs_the_mean_nothing_and_has_no_largest_rate() -> None:
    rows = [row for row in tenths(0.5) if not 3 < row[0] < 6]
    counter = known(rows)
    assert mean_rate(counter) == pytest.approx(0.5e9, rel=1e-9)
    rates = rates_by_step(counter, 0.1)
    assert np.isnan(rates[30:60]).all()
    assert np.isfinite(rates[:29]).all()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no_rows"),
        ([(5.0, 1)], "coverage"),
        (tenths(1.0, until_s=8.0), "coverage"),
        ([*tenths(1.0)[:60], *[(s, 5) for s, _ in tenths(1.0)[60:]]], "counter_reset"),
        ([(s, None) for s, _ in tenths(1.0)], "not_told"),
        ([(s, math.nan) for s, _ in tenths(1.0)], "not_told"),
        ([(s, "7") for s, _ in tenths(1.0)], "not_told"),
        ([(s, True) for s, _ in tenths(1.0)], "not_told"),
    ],
)
def test_what_cannot_be_a_rate_is_missing_with_a_reason(rows: list[tuple[float, object]], reason: str) -> None:
    found = followed(rows)
    rate = found if isinstance(found, Unmeasured) else mean_rate(found)
    assert rate == Unmeasured(reason)


def test_the_readers_own_reason_is_passed_on_if_it_is_known() -> None:
    empty = [(s, None) for s, _ in tenths(1.0)]
    assert followed(empty, missing_columns={"value": "cgroup_v1_buffered"}) == Unmeasured("cgroup_v1_buffered")
    assert followed(empty, missing="no_counter") == Unmeasured("no_counter")
    assert followed(empty, missing_columns={"value": "gremlins"}) == Unmeasured("not_told")
    assert followed([], missing="no_cgroups") == Unmeasured("no_cgroups")


def test_a_clock_that_was_set_makes_the_window_unknown() -> None:
    cells: Any = tuple(
        (START_NS + round(n * 1e8) + (500_000_000 if n > 50 else 0), BOOT_NS + round(n * 1e8), n)
        for n in range(-5, 105)
    )
    table = SeriesTable(COLUMNS, cells)
    assert track(list(table.records()), "value", table, WINDOW) == Unmeasured("clock_step")


def test_a_reader_that_lost_its_core_between_two_clocks_has_seen_no_step() -> None:
    cells: Any = tuple(
        (START_NS + round(n * 1e8) - (40_000_000 if n == 50 else 0), BOOT_NS + round(n * 1e8), n)
        for n in range(-5, 105)
    )
    table = SeriesTable(COLUMNS, cells)
    found = track(list(table.records()), "value", table, WINDOW)
    assert not isinstance(found, Unmeasured)
    assert mean_rate(found) == pytest.approx(10)


def test_levels_are_counted_for_their_time() -> None:
    rows: list[tuple[float, object]] = [(n / 10, 100 if n < 50 else 300) for n in range(-5, 105)]
    found = level(known(rows))
    assert not isinstance(found, Unmeasured)
    assert found.mean == pytest.approx(200, rel=0.02)
    assert found.largest == 300
    assert largest_sum([known(rows), known(rows)], 0.1) == pytest.approx(600)
    assert level(known(rows[:90])) == Unmeasured("coverage")


def test_one_that_is_missing_makes_a_sum_missing() -> None:
    assert add_up([1.0, Unmeasured("no_rows"), 2.0]) == Unmeasured("no_rows")
    assert add_up([1.0, 2.0]) == 3.0
    assert largest_rate([], 0.1) is None
    assert largest_sum([], 0.1) is None
