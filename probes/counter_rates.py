"""Rates and levels in a window, from the rows of a machine reader; pure.

A counter's mean rate is its growth between the first and the last row inside the window, over the time between them,
however many rows lie between: a gap costs nothing. Its largest rate is taken over steps of `step_s`, on one grid for
all counters that are added up; a step that lies in a gap has none. Times are those of the machine's monotonic clock;
the window, which is in real time, is carried over by the difference of the two clocks, which must not change.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from probes.clock_steps import step_ns
from probes.energy import CLOCK_STEP, COUNTER_RESET, COUNTER_STUCK, COVERAGE, NO_ROWS, Unmeasured
from probes.evidence import Cell, SeriesTable
from probes.samples import Window
from probes.stats import FloatArray

NOT_TOLD = "not_told"
REASONS: Mapping[str, str] = {
    NO_ROWS: "the reader gave no rows of this container, process or machine in the window",
    NOT_TOLD: "the machine does not tell it, without a reason that this version knows",
    CLOCK_STEP: "the machine's real-time clock was set while it was read, so the window cannot be found",
    COVERAGE: "the rows span less than 90 % of the window, or hold numbers in less than 90 % of it",
    COUNTER_RESET: "a counter went back although its container is the same",
    COUNTER_STUCK: "the machine's own processor time did not grow in the window, so nothing that it tells is of now",
    "no_controller": "the machine's control groups lack the controller that counts it",
    "no_counter": "the machine's kernel does not count it for control groups",
    "unreadable_counter": "the kernel's file held no counter",
    "no_cgroups": "the machine's control groups could not be found",
}
REASONS_OF_IO: Mapping[str, str] = {
    "cgroup_v1_buffered": "control groups of version 1 do not know whose pages the kernel writes to a disk later",
    "no_physical_disk": "the machine's kernel shows no disk that is hardware",
}
LEAST_COVERAGE = 0.9
LONGEST_STRETCH_PERIODS = 2.5
CLOCK_TOLERANCE_NS = 20_000_000
Record = Mapping[str, Cell]


@dataclass(frozen=True)
class Track:
    """One quantity of one place: when it was read, in seconds from the start of the window, and what it was."""

    at_s: FloatArray
    values: FloatArray
    duration_s: float

    def inside(self) -> "Track":
        """Keep what was read inside the window."""
        kept = (self.at_s >= 0) & (self.at_s <= self.duration_s)
        return Track(self.at_s[kept], self.values[kept], self.duration_s)


@dataclass(frozen=True)
class Level:
    """Mean over the window, and the largest value."""

    mean: float
    largest: float


def by_place(table: SeriesTable, columns: Sequence[str]) -> dict[tuple[Cell, ...], list[Record]]:
    """Group the rows of a kind by the columns that say of what they are, in the order of their times."""
    found: dict[tuple[Cell, ...], list[Record]] = {}
    for record in table.records():
        found.setdefault(tuple(record[column] for column in columns), []).append(record)
    return found


def track(rows: Sequence[Record], column: str, table: SeriesTable, window: Window) -> Track | Unmeasured:
    """Follow one column of one place.

    Args:
        rows: Its rows.
        column: Which quantity.
        table: Where they are from: says why cells are empty.
        window: In the machine's real-time clock.
    """
    if not rows or window.duration_s <= 0:
        return Unmeasured(table.missing if table.missing and table.missing in REASONS else NO_ROWS)
    told = [row for row in rows if _is_number(row[column])]
    if len(told) < LEAST_COVERAGE * len(rows):
        return Unmeasured(why_empty(table, column))
    monotonic_ns = np.array([int(str(row["monotonic_ns"])) for row in told], dtype=np.int64)
    time_ns = np.array([int(str(row["time_ns"])) for row in told], dtype=np.int64)
    if step_ns(time_ns, monotonic_ns) > CLOCK_TOLERANCE_NS:
        return Unmeasured(CLOCK_STEP)
    at_s = (monotonic_ns - (window.start_ns - np.median(time_ns - monotonic_ns))) / 1e9
    values = np.array([float(str(row[column])) for row in told], dtype=np.float64)
    return Track(at_s, values, window.duration_s)


def why_empty(table: SeriesTable, column: str) -> str:
    """Give the reader's reason why a column holds nothing; one that is unknown here says no more than that."""
    reason = table.missing_columns.get(column) or table.missing
    return reason if reason and (reason in REASONS or reason in REASONS_OF_IO) else NOT_TOLD


def mean_rate(counter: Track) -> float | Unmeasured:
    """Give the growth per second of a counter in the window."""
    inside = counter.inside()
    if inside.at_s.size < 2:
        return Unmeasured(COVERAGE)
    if np.any(np.diff(inside.values) < 0):
        return Unmeasured(COUNTER_RESET)
    span_s = float(inside.at_s[-1] - inside.at_s[0])
    if span_s < LEAST_COVERAGE * counter.duration_s:
        return Unmeasured(COVERAGE)
    return float(inside.values[-1] - inside.values[0]) / span_s


def largest_rate(counters: Iterable[Track], step_s: float) -> float | None:
    """Give the largest growth per second, within a step, of the sum of counters; None where no step is known."""
    steps = [rates_by_step(counter, step_s) for counter in counters]
    if not steps:
        return None
    total = np.sum(steps, axis=0)
    known = total[np.isfinite(total)]
    return float(known.max()) if known.size else None


def rates_by_step(counter: Track, step_s: float) -> FloatArray:
    """Give the growth per second of a counter in each step of the window; NaN outside its rows and in gaps."""
    # Rounded, because a whole number of steps rarely is one in binary.
    edges = np.arange(math.floor(round(counter.duration_s / step_s, 6)) + 1, dtype=np.float64) * step_s
    values = np.interp(edges, counter.at_s, counter.values, left=math.nan, right=math.nan)
    gaps = np.flatnonzero(np.diff(counter.at_s) > LONGEST_STRETCH_PERIODS * step_s)
    rates = np.diff(values) / step_s
    for gap in gaps:
        rates[(edges[1:] > counter.at_s[gap]) & (edges[:-1] < counter.at_s[gap + 1])] = math.nan
    return rates


def level(track_: Track) -> Level | Unmeasured:
    """Give mean and largest value of a quantity that is read now and then, each reading counted for its time."""
    inside = track_.inside()
    if inside.at_s.size < 2:
        return Unmeasured(COVERAGE)
    span_s = float(inside.at_s[-1] - inside.at_s[0])
    if span_s < LEAST_COVERAGE * track_.duration_s:
        return Unmeasured(COVERAGE)
    area = np.trapezoid(inside.values, inside.at_s)
    return Level(float(area) / span_s, float(inside.values.max()))


def largest_sum(levels: Iterable[Track], step_s: float) -> float | None:
    """Give the largest sum, at one time, of quantities that are read now and then; None where none is known."""
    sampled = [_sampled(each, step_s) for each in levels]
    if not sampled:
        return None
    total = np.sum(sampled, axis=0)
    known = total[np.isfinite(total)]
    return float(known.max()) if known.size else None


def add_up(values: Iterable[float | Unmeasured]) -> float | Unmeasured:
    """Add values; one that is missing makes the sum missing."""
    total = 0.0
    for value in values:
        if isinstance(value, Unmeasured):
            return value
        total += value
    return total


def _sampled(level_: Track, step_s: float) -> FloatArray:
    times = np.arange(math.floor(round(level_.duration_s / step_s, 6)) + 1, dtype=np.float64) * step_s
    return np.interp(times, level_.at_s, level_.values, left=math.nan, right=math.nan)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell)
