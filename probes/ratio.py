"""How far two samples of repetitions are apart: ratio and difference with intervals, p-values, effect size. Pure.

Where all values are positive the ratio is that of geometric means, on logarithms: A over B is then the inverse of B
over A, a factor means the same in both directions, and skewed times become nearly normal. Of pairs it is the geometric
mean of the ratios, repetition by repetition, so that a drift of the machine cancels. Elsewhere (counts that may be 0,
energy above idle) it is the ratio of the means, and missing where the baseline cannot be told from 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from probes import student
from probes.comparison import Interval, Method
from probes.permutation import paired_p, unpaired_p
from probes.stats import (
    CONFIDENCE,
    LEAST_BOOTSTRAP,
    LEAST_REPETITIONS,
    MOST_BOOTSTRAP,
    ROUNDING,
    FloatArray,
    bca_bounds,
    expanded_z,
    resampled_means,
)

ERROR_RATE = 0.05


@dataclass(frozen=True)
class Contrast:
    """A contender against the baseline; fields as in `probes.comparison.Cell`.

    `n` counts pairs, or repetitions of the one that has fewer. `log_ratio` and `spread` are what a larger experiment is
    planned from: the standard error of the logarithm of the ratio is spread / sqrt(n); None where it has none.
    """

    method: Method
    n: int
    ratio: float | None
    ratio_interval: Interval | None
    difference: float
    difference_interval: Interval | None
    p_value: float | None
    p_permutation: float | None
    effect: float
    log_ratio: float | None
    spread: float | None


@dataclass(frozen=True)
class _Mean:
    """A mean difference with its standard error and degrees of freedom; no error below three repetitions."""

    value: float
    error: float | None
    degrees: float

    @property
    def p_value(self) -> float | None:
        if self.error is None:
            return None
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return student.two_sided_p(self.value / self.error, self.degrees)

    @property
    def interval(self) -> Interval | None:
        if self.error is None:
            return None
        half = student.quantile((1 + CONFIDENCE) / 2, self.degrees) * self.error if self.error else 0.0
        return self.value - half, self.value + half


def contrast(baseline: FloatArray, contender: FloatArray, *, is_paired: bool, seed: int) -> Contrast:
    """Compare two samples.

    Args:
        baseline: One value per repetition.
        contender: The same; of pairs in the same order.
        is_paired: Whether the values at one place were measured in one block of a campaign.
        seed: Of the bootstrap and of drawn permutations.
    """
    is_positive = bool(baseline.min() > 0 and contender.min() > 0)
    rounding = _granularity(baseline, contender) ** 2 / 12
    linear = _mean_difference(baseline, contender, rounding, is_paired=is_paired)
    difference_interval = linear.interval
    log_ratio = spread = None
    if is_positive:
        logs = np.log(baseline), np.log(contender)
        scale = float(np.exp((logs[0].mean() + logs[1].mean()) / 2))
        tested = _mean_difference(*logs, rounding / scale**2, is_paired=is_paired)
        interval = _widened(tested, *logs, is_paired=is_paired, seed=seed)
        ratio = math.exp(tested.value)
        ratio_interval = None if interval is None else (math.exp(interval[0]), math.exp(interval[1]))
        n = min(baseline.size, contender.size)
        log_ratio, spread = tested.value, None if tested.error is None else tested.error * math.sqrt(n)
    else:
        logs, tested = (baseline, contender), linear
        difference_interval = _widened(linear, baseline, contender, is_paired=is_paired, seed=seed)
        ratio, ratio_interval = _ratio_of_means(baseline, contender, is_paired=is_paired)
    return Contrast(
        method="paired" if is_paired else "unpaired",
        n=min(baseline.size, contender.size),
        ratio=ratio,
        ratio_interval=ratio_interval,
        difference=linear.value,
        difference_interval=difference_interval,
        p_value=tested.p_value,
        p_permutation=paired_p(logs[1] - logs[0], ERROR_RATE, seed)
        if is_paired
        else unpaired_p(logs[0], logs[1], ERROR_RATE, seed),
        effect=cliffs_delta(baseline, contender),
        log_ratio=log_ratio,
        spread=spread,
    )


def exact_contrast(baseline: FloatArray, contender: FloatArray) -> Contrast:
    """Compare what is counted or read from content: its range is its interval, and one repetition is enough."""
    low = float(contender.min()), float(contender.max())
    base = float(baseline.min()), float(baseline.max())
    is_positive = base[0] > 0
    return Contrast(
        method="exact",
        n=min(baseline.size, contender.size),
        ratio=float(contender.mean() / baseline.mean()) if is_positive else None,
        ratio_interval=(low[0] / base[1], low[1] / base[0]) if is_positive else None,
        difference=float(contender.mean() - baseline.mean()),
        difference_interval=(low[0] - base[1], low[1] - base[0]),
        p_value=None,
        p_permutation=None,
        effect=cliffs_delta(baseline, contender),
        log_ratio=None,
        spread=None,
    )


def cliffs_delta(baseline: FloatArray, contender: FloatArray) -> float:
    """Give how often a value of the contender is larger than one of the baseline, less how often it is smaller.

    Cliff 1993; ties count for neither. -1 and 1 mean that the samples do not overlap.
    """
    ordered = np.sort(baseline)
    smaller = np.searchsorted(ordered, contender, side="left").sum()
    larger = (baseline.size - np.searchsorted(ordered, contender, side="right")).sum()
    return float(smaller - larger) / (baseline.size * contender.size)


def _mean_difference(first: FloatArray, second: FloatArray, rounding: float, *, is_paired: bool) -> _Mean:
    """Give second less first: Student's of the pairs' differences, or Welch's (1947).

    `rounding` is a variance that every value has beyond what is seen of it, see `_granularity`.
    """
    value = float(second.mean() - first.mean())
    n = min(first.size, second.size)
    if n < LEAST_REPETITIONS:
        return _Mean(value, None, 1)
    if is_paired:
        variance = float((second - first).var(ddof=1)) + 2 * rounding
        variance = _no_dust(variance, first, second)
        return _Mean(value, math.sqrt(variance / n), n - 1)
    parts = [
        (_no_dust(float(sample.var(ddof=1)) + rounding, sample) / sample.size, sample.size - 1)
        for sample in (first, second)
    ]
    total = sum(part for part, _ in parts)
    degrees = total**2 / sum(part**2 / degree for part, degree in parts) if total else float(n - 1)
    return _Mean(value, math.sqrt(total), degrees)


def _no_dust(variance: float, *samples: FloatArray) -> float:
    """Take what is rounding of the arithmetic for no spread at all."""
    largest = max(float(np.abs(sample).max()) for sample in samples)
    return variance if variance > (ROUNDING * largest) ** 2 else 0.0


def _widened(mean: _Mean, first: FloatArray, second: FloatArray, *, is_paired: bool, seed: int) -> Interval | None:
    """Give Student's interval, widened to the bootstrap's where that is wider; see `probes.stats.mean_interval`."""
    interval, sizes = mean.interval, (first.size, second.size)
    if interval is None or not mean.error or min(sizes) < LEAST_BOOTSTRAP or max(sizes) > MOST_BOOTSTRAP:
        return interval
    if is_paired:
        differences = second - first
        replicates = resampled_means(differences, seed)
        influences = differences - mean.value
    else:
        # Two seeds: of equal sizes one seed would draw both samples alike.
        replicates = resampled_means(second, seed + 1) - resampled_means(first, seed)
        influences = np.concatenate([(second - second.mean()) / second.size, (first.mean() - first) / first.size])
    if not influences.any():
        return interval
    low, high = bca_bounds(replicates, mean.value, influences, expanded_z(min(sizes)))
    return min(low, interval[0]), max(high, interval[1])


def _ratio_of_means(first: FloatArray, second: FloatArray, *, is_paired: bool) -> tuple[float | None, Interval | None]:
    """Give the ratio of means with Student's interval of the linearised ratio (Cochran 1977, section 6.3)."""
    base = float(first.mean())
    if base <= 0:
        return None, None
    ratio = float(second.mean()) / base
    if min(first.size, second.size) < LEAST_REPETITIONS:
        return ratio, None
    around_zero = _mean_difference(np.zeros_like(first), first, 0.0, is_paired=True).interval
    if around_zero is None or around_zero[0] <= 0:
        return None, None
    centred = _mean_difference(first * (ratio / base), second / base, 0.0, is_paired=is_paired)
    if centred.interval is None:
        return ratio, None
    low, high = centred.interval
    return ratio, (ratio + low - centred.value, ratio + high - centred.value)


def _granularity(first: FloatArray, second: FloatArray) -> float:
    """Give the step of values that repeat: an instrument that tells few values apart hides the spread below its step.

    The variance that rounding to a step h adds, h² / 12 (Sheppard 1898), is then added to what is seen; three equal
    repetitions are not taken for proof that there is no spread. 0 where no value repeats or all are equal.
    """
    both = np.concatenate([first, second])
    distinct = np.unique(both)
    if distinct.size in {both.size, 1}:
        return 0.0
    return float(np.diff(distinct).min())
