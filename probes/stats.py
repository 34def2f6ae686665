"""Pure statistics: quantiles within a repetition, bootstrap intervals over repetitions.

The repetition is the statistical unit. Intervals are bias-corrected and accelerated (BCa; Efron 1987), which
`scipy.stats.bootstrap` computes too; here on numpy alone, because importing scipy.stats takes seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 9_999
LEAST_REPETITIONS = 3
ROUNDING = 1e-12

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over repetitions.

    `interval` is None where fewer than three repetitions gave a value: two points carry no usable spread.
    """

    value: float
    interval: tuple[float, float] | None
    n: int


def quantile(values: FloatArray, probability: float) -> float | None:
    """Give a quantile (linear interpolation), or None where the sample is too small to hold it.

    A tail of probability t needs at least 1/t values, so p99 needs 100.
    """
    tail = min(probability, 1 - probability)
    least = 1 if tail == 0 else round(1 / tail)
    if values.size < least:
        return None
    return float(np.quantile(values, probability))


def estimate(values: Sequence[float], seed: int) -> Estimate | None:
    """Estimate the mean over repetitions with its interval; None where there is no value at all."""
    if not values:
        return None
    sample = np.asarray(values, dtype=np.float64)
    interval = bca_interval(sample, seed) if sample.size >= LEAST_REPETITIONS else None
    return Estimate(float(sample.mean()), interval, int(sample.size))


def bca_interval(sample: FloatArray, seed: int) -> tuple[float, float]:
    """Give the BCa bootstrap interval of the mean at the common confidence; a constant sample gives a point."""
    mean = float(sample.mean())
    # What differs in the last digits only is rounding, not spread.
    if float(np.ptp(sample)) <= ROUNDING * float(np.abs(sample).max()):
        return mean, mean
    generator = np.random.default_rng(seed)
    choices = generator.integers(0, sample.size, size=(RESAMPLES, sample.size))
    means = sample[choices].mean(axis=1)
    normal = NormalDist()
    # Ties count half, so that a sample of few distinct values is not pushed to one side.
    below = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * RESAMPLES)
    bias = normal.inv_cdf(min(max(below, 1 / RESAMPLES), 1 - 1 / RESAMPLES))
    left_out = (sample.sum() - sample) / (sample.size - 1)
    spread = left_out.mean() - left_out
    acceleration = float((spread**3).sum() / (6 * (spread**2).sum() ** 1.5))
    bounds: list[float] = []
    for probability in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2):
        z = bias + normal.inv_cdf(probability)
        adjusted = normal.cdf(bias + z / (1 - acceleration * z))
        bounds.append(float(np.quantile(means, adjusted)))
    return bounds[0], bounds[1]
