"""Axes: from values to shares of a width, and the round numbers that are written below it. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

LOG_FROM_RATIO = 12.0
"""An axis over more than this ratio is logarithmic where that is allowed."""
ZERO_FROM_SHARE = 0.45
"""An axis begins at zero where the smallest value is below this share of the largest."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """One axis.

    Args:
        low: Where it begins.
        high: Where it ends.
        ticks: What is written below it, all within.
        is_log: Whether equal ratios have equal lengths.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Give the place of a value, 0 at the beginning and 1 at the end; what lies outside is put on the edge."""
        kept = min(max(value, self.low), self.high)
        if self.is_log:
            return math.log(kept / self.low) / math.log(self.high / self.low)
        return (kept - self.low) / (self.high - self.low)

    @property
    def begins_at_zero(self) -> bool:
        """Whether lengths on it can be compared."""
        return self.low == 0


def linear_axis(values: Iterable[float], *, ticks: int = 4) -> Axis:
    """Make an axis that holds the values: from zero, unless they lie close together or reach below it.

    Raises:
        ValueError: There is no finite value.
    """
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known), max(known)
    if 0 <= low <= ZERO_FROM_SHARE * high or low == high == 0:
        low = 0.0
    if high <= low:
        room = abs(high) * 0.1 or 1.0
        low, high = (0.0, high + room) if low == 0 else (low - room, high + room)
    step = _step(high - low, ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = tuple(_clean(index * step, step) for index in range(first, last + 1))
    return Axis(marks[0], marks[-1], marks)


def log_axis(values: Iterable[float], *, least_ratio: float = LOG_FROM_RATIO) -> Axis:
    """Make a logarithmic axis from 1, 2 or 5 times a power of ten to another; linear where the values are close.

    Raises:
        ValueError: There is no finite value.
    """
    known = [value for value in values if math.isfinite(value)]
    positive = [value for value in known if value > 0]
    if not positive or min(known) <= 0 or max(positive) / min(positive) < least_ratio:
        return linear_axis(known)
    low, high = _round_down(min(positive)), _round_up(max(positive))
    marks = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
        if low * 0.999 <= factor * 10.0**power <= high * 1.001
    ]
    powers = [mark for mark in marks if _is_power(mark)]
    chosen = marks if len(marks) <= 7 else powers
    return Axis(low, high, tuple(chosen), is_log=True)


def _step(length: float, ticks: int) -> float:
    rough = length / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in STEPS if factor * power >= rough * 0.999)


def _clean(value: float, step: float) -> float:
    """Take rounding noise off a tick."""
    digits = max(0, 2 - math.floor(math.log10(step)))
    return round(value, min(digits, 15)) + 0.0


def _round_down(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= value * 1.001)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * 0.999)


def _is_power(value: float) -> bool:
    return math.isclose(math.log10(value), round(math.log10(value)), abs_tol=1e-9)
