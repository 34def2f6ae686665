"""Resampled repetitions: what the means could have been. Pure, and the same numbers in the page's script.

Bootstrap of repetitions (Efron 1979), all metrics of a repetition drawn together, so that what moves together stays
together. Of few repetitions a plain bootstrap is too narrow, so deviations are stretched until they are as wide as
Student's t (Hesterberg 2015); of positive means as ratios, which keeps them positive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from probes.stats import CONFIDENCE, expanded_z

DRAWS = 2_000
SEED = 20_240_229
LEAST_REPETITIONS = 3
GOLDEN = 0x9E3779B9
STEP = 0x6D2B79F5
MASK = 0xFFFFFFFF

NORMAL_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What was measured of one contender.

    Args:
        name: Contender.
        values: By metric key, one value for each repetition, None where it is missing there; a single one for what
            does not vary (sizes, lines). A key without any value is not in it.
        missing: Reasons by metric key, for those that are not in `values`.
    """

    name: str
    values: Mapping[str, Sequence[float | None]]
    missing: Mapping[str, str]

    @property
    def repetitions(self) -> int:
        """Give how many repetitions there are."""
        return max((len(values) for values in self.values.values()), default=0)


def known(values: Sequence[float | None]) -> list[float]:
    """Give the values that are not missing."""
    return [value for value in values if value is not None]


def uniform(seed: int, count: int) -> FloatArray:
    """Give numbers in [0, 1): the generator mulberry32, which a script of a few lines computes too.

    Args:
        seed: Of the stream, 32 bits.
        count: How many.
    """
    state = (np.arange(1, count + 1, dtype=np.uint64) * STEP + (seed & MASK)) & MASK
    mixed = ((state ^ (state >> 15)) * (state | 1)) & MASK
    mixed = mixed ^ ((mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & MASK)) & MASK)
    return ((mixed ^ (mixed >> 14)) & MASK).astype(np.float64) / 4294967296.0


def draw_means(evidence: Evidence, place: int, keys: Sequence[str], *, draws: int = DRAWS) -> FloatArray:
    """Give means of resampled repetitions; a column for each key, NaN where it is missing.

    Args:
        evidence: What was measured.
        place: Of the contender among the others: each has a stream of its own.
        keys: Columns.
        draws: Rows.
    """
    count = evidence.repetitions
    numbers = uniform(SEED ^ ((place * GOLDEN) & MASK), draws * count)
    chosen = (numbers * count).astype(np.int64).reshape(draws, count)
    means = np.full((draws, len(keys)), np.nan)
    for column, key in enumerate(keys):
        values = evidence.values.get(key)
        if values is not None:
            means[:, column] = _resampled(values, chosen)
    return means


def _resampled(values: Sequence[float | None], chosen: NDArray[np.int64]) -> FloatArray:
    there = known(values)
    mean = float(np.mean(there))
    if len(there) < 2:
        return np.full(chosen.shape[0], mean)
    full = np.array([np.nan if value is None else value for value in values], dtype=np.float64)[chosen]
    is_known = ~np.isnan(full)
    counts = is_known.sum(axis=1)
    sums = np.where(is_known, full, 0.0).sum(axis=1)
    found = np.where(counts > 0, sums / np.maximum(counts, 1), mean)
    if mean > 0 and min(there) > 0:
        return mean * (found / mean) ** stretch(len(there))
    return mean + stretch(len(there)) * (found - mean)


def stretch(count: int) -> float:
    """Give how much wider than a plain bootstrap the means of so many values lie; 1 for a single value."""
    return expanded_z(count) / NORMAL_Z if count > 1 else 1.0
