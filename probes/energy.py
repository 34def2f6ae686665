"""Energy of one rail in a window, from power samples or from an energy counter; pure.

Times are taken from the monotonic clock, so that a step of the real-time clock stretches nothing; the window, which is
in real time, is carried over by the difference of the two clocks, which must not change in the meantime.

Between two samples no further apart than twice the period the power is taken as a straight line (a counter: as even).
`coverage` is the share of the window that lies in such stretches. Below 90 % there is no value; the rest, at most 10 %,
is taken to be like what was seen. A counter bridges a longer gap by its own difference, exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probes.clock_steps import step_ns
from probes.samples import Window
from probes.stats import FloatArray

NO_ROWS = "no_rows"
GARBAGE = "garbage"
REPEATED_TIMES = "repeated_times"
CLOCK_STEP = "clock_step"
COVERAGE = "coverage"
COUNTER_STUCK = "counter_stuck"
COUNTER_RESET = "counter_reset"

REASONS = {
    NO_ROWS: "the reader gave no rows of this kind in the window",
    GARBAGE: "more than a tenth of the rows hold no number, an infinite or an impossible one",
    REPEATED_TIMES: "more than a tenth of the rows have a time that an earlier row had, or an older one",
    CLOCK_STEP: "the machine's real-time clock was set while it was read, so the window cannot be found",
    COVERAGE: "less than 90 % of the window lies between samples no further apart than twice the period",
    COUNTER_STUCK: "the energy counter did not move in the whole window",
    COUNTER_RESET: "the energy counter went back in more than a tenth of the window",
}

LEAST_COVERAGE = 0.9
LARGEST_RATIO_OF_BAD_ROWS = 0.1
LONGEST_STRETCH_PERIODS = 2.0
CLOCK_TOLERANCE_S = 0.02
LARGEST_DRIFT = 1e-3
LARGEST_W = 100_000.0


@dataclass(frozen=True)
class Unmeasured:
    """Why there is no value."""

    reason: str


@dataclass(frozen=True)
class Mean:
    """Mean of a quantity over a window, its largest sample, and the share of the window that was seen."""

    mean: float
    largest: float
    coverage: float


@dataclass(frozen=True)
class Series:
    """Samples of one quantity of one place, in the order in which they were read.

    Args:
        time_ns: Real time of each sample, in the clock of its machine.
        monotonic_ns: Monotonic time of each sample.
        values: What was read; anything that is no finite number counts as garbage.
    """

    time_ns: Sequence[object]
    monotonic_ns: Sequence[object]
    values: Sequence[object]


@dataclass(frozen=True)
class _Clean:
    """Samples in order of time, in seconds since the start of the window."""

    at_s: FloatArray
    values: FloatArray
    duration_s: float


def mean_power(series: Series, window: Window, period_s: float) -> Mean | Unmeasured:
    """Give the mean power in watts from samples of power, by the trapezoid rule."""
    return mean_of_samples(series, window, period_s, low=-LARGEST_W, high=LARGEST_W)


def mean_of_samples(series: Series, window: Window, period_s: float, *, low: float, high: float) -> Mean | Unmeasured:
    """Give the mean over time of a sampled quantity that can only lie between two limits."""
    clean = _clean(series, window, low, high)
    if isinstance(clean, Unmeasured):
        return clean
    start, end = clean.at_s[:-1], clean.at_s[1:]
    is_short = end - start <= LONGEST_STRETCH_PERIODS * period_s
    first, last = _inside(start, end, clean.duration_s)
    seen = np.where(is_short, last - first, 0.0)
    covered_s = float(seen.sum())
    coverage = covered_s / clean.duration_s
    if coverage < LEAST_COVERAGE:
        return Unmeasured(COVERAGE)
    # The mean of a straight line over a part of it is its value in the middle of that part.
    slope = np.diff(clean.values) / (end - start)
    middle = clean.values[:-1] + slope * ((first + last) / 2 - start)
    inside = (clean.at_s >= 0) & (clean.at_s <= clean.duration_s)
    largest = clean.values[inside].max() if inside.any() else middle[seen > 0].max()
    return Mean(float((middle * seen).sum()) / covered_s, float(largest), coverage)


def mean_power_of_counter(series: Series, window: Window, period_s: float) -> Mean | Unmeasured:
    """Give the mean power in watts from a counter of joules, by differences."""
    clean = _clean(series, window, 0.0, math.inf)
    if isinstance(clean, Unmeasured):
        return clean
    start, end = clean.at_s[:-1], clean.at_s[1:]
    power_w = np.diff(clean.values) / (end - start)
    is_sound = (power_w >= 0) & (power_w <= LARGEST_W)
    first, last = _inside(start, end, clean.duration_s)
    inside = last - first
    is_short = end - start <= LONGEST_STRETCH_PERIODS * period_s
    coverage = float(inside[is_short & is_sound].sum()) / clean.duration_s
    if float(inside[~is_sound].sum()) > (1 - LEAST_COVERAGE) * clean.duration_s:
        return Unmeasured(COUNTER_RESET)
    if coverage < LEAST_COVERAGE:
        return Unmeasured(COVERAGE)
    known = np.where(is_sound, inside, 0.0)
    joules = float((np.where(is_sound, power_w, 0.0) * known).sum())
    if joules <= 0:
        return Unmeasured(COUNTER_STUCK)
    return Mean(joules / float(known.sum()), float(power_w[is_sound & (inside > 0)].max()), coverage)


def _inside(start: FloatArray, end: FloatArray, duration_s: float) -> tuple[FloatArray, FloatArray]:
    """Cut stretches at the edges of the window; one that lies outside becomes empty."""
    first = np.clip(start, 0.0, duration_s)
    return first, np.maximum(first, np.clip(end, 0.0, duration_s))


def _clean(series: Series, window: Window, low: float, high: float) -> _Clean | Unmeasured:
    """Put samples onto the window's time; refuse a series of which too much is unusable."""
    rows = len(series.values)
    if rows == 0 or window.duration_s <= 0:
        return Unmeasured(NO_ROWS)
    time_ns, monotonic_ns = _numbers(series.time_ns), _numbers(series.monotonic_ns)
    values = _numbers(series.values)
    with np.errstate(invalid="ignore"):
        is_number = np.isfinite(time_ns) & np.isfinite(monotonic_ns) & (values >= low) & (values <= high)
        is_number &= np.isfinite(values)
    if np.count_nonzero(~is_number) > LARGEST_RATIO_OF_BAD_ROWS * rows:
        return Unmeasured(GARBAGE)
    time_ns, monotonic_ns, values = time_ns[is_number], monotonic_ns[is_number], values[is_number]
    is_new = _is_new(monotonic_ns)
    if np.count_nonzero(~is_new) > LARGEST_RATIO_OF_BAD_ROWS * rows:
        return Unmeasured(REPEATED_TIMES)
    time_ns, monotonic_ns, values = time_ns[is_new], monotonic_ns[is_new], values[is_new]
    if values.size < 2:
        return Unmeasured(COVERAGE)
    difference_ns = time_ns - monotonic_ns
    allowed_ns = CLOCK_TOLERANCE_S * 1e9 + LARGEST_DRIFT * (monotonic_ns[-1] - monotonic_ns[0])
    if step_ns(time_ns, monotonic_ns) > allowed_ns:
        return Unmeasured(CLOCK_STEP)
    start_ns = window.start_ns - float(np.median(difference_ns))
    return _Clean((monotonic_ns - start_ns) / 1e9, values, window.duration_s)


def _numbers(cells: Sequence[object]) -> FloatArray:
    """Give numbers as such and everything else, truth values too, as NaN."""
    return np.array(
        [float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else math.nan for cell in cells],
        dtype=np.float64,
    )


def _is_new(monotonic_ns: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which times are later than every time before them."""
    latest = np.maximum.accumulate(monotonic_ns)
    return np.concatenate(([True], monotonic_ns[1:] > latest[:-1]))
