"""Pure: whether a series grows, by its Theil-Sen slope and the rank-based interval of it (Sen 1968).

The slope is the median of the slopes between all pairs of points, so that no single jump decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from probes.stats import CONFIDENCE

LEAST_POINTS = 20
LEAST_GROWTH_BYTES = 1024 * 1024

Verdict = Literal["leak", "no leak", "not enough data"]


@dataclass(frozen=True)
class Slope:
    """Growth from one point to the next, with its 95 % interval."""

    value: float
    low: float
    high: float


def slope_of(values: Sequence[float]) -> Slope | None:
    """Give the slope of a series per step; None for fewer than three points."""
    series = np.asarray(values, dtype=np.float64)
    count = series.size
    if count < 3:
        return None
    first, second = np.triu_indices(count, k=1)
    slopes = np.sort((series[second] - series[first]) / (second - first))
    pairs = slopes.size
    spread = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * (count * (count - 1) * (2 * count + 5) / 18) ** 0.5
    low = max(0, round((pairs - spread) / 2))
    high = min(pairs - 1, round((pairs + spread) / 2))
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def leak_verdict(memory_bytes: Sequence[float]) -> Verdict:
    """Tell whether memory keeps growing with every swap.

    Caches fill at first: only what still grows in the second half is a leak, and only if all of it together is more
    than what an allocator keeps at hand.
    """
    if len(memory_bytes) < LEAST_POINTS:
        return "not enough data"
    whole, later = slope_of(memory_bytes), slope_of(memory_bytes[len(memory_bytes) // 2 :])
    if whole is None or later is None:
        return "not enough data"
    grows = whole.low > 0 and later.low > 0
    return "leak" if grows and whole.value * (len(memory_bytes) - 1) >= LEAST_GROWTH_BYTES else "no leak"
