"""One of four words for a difference. Pure.

The ratio's interval lies wholly beyond the noise threshold, wholly within it, or neither: three hypotheses, of which
the interval leaves one or does not decide (Goeman, Solari and Stijnen 2010, "Three-sided hypothesis testing").

    better, worse     beyond it, and the difference passes the test after the correction for the number of comparisons,
                      and the permutation test where there are repetitions enough for one
    within noise      within it: a difference that does not matter or that the A/A control shows as well
    not enough data   everything else; it says nothing about equality
"""

from probes.comparison import Better, Interval, Verdict
from probes.ratio import ERROR_RATE, Contrast


def verdict(contrast: Contrast, better: Better, noise_threshold: float, p_adjusted: float | None) -> Verdict | None:
    """Give the word for a contender against the baseline; None for a metric that is neither good nor bad.

    Args:
        contrast: What was found.
        better: Which direction is better.
        noise_threshold: Ratios from 1 / (1 + this) to 1 + this are noise. Where there is no ratio, noise is no
            difference at all.
        p_adjusted: Corrected p-value; None for what does not vary.
    """
    if better == "neither":
        return None
    direction = _direction(contrast, noise_threshold)
    if direction is None:
        return "not enough data"
    if direction == 0:
        return "within noise"
    if not _passes(contrast, p_adjusted):
        return "not enough data"
    return "better" if (direction > 0) == (better == "higher") else "worse"


def _direction(contrast: Contrast, noise_threshold: float) -> int | None:
    """Tell on which side of the noise the truth is: -1, 0 (within), 1; None where that is open."""
    if contrast.ratio_interval is not None:
        return _side(contrast.ratio_interval, 1 / (1 + noise_threshold), 1 + noise_threshold)
    if contrast.ratio is None and contrast.difference_interval is not None:
        return _side(contrast.difference_interval, 0.0, 0.0)
    return None


def _side(interval: Interval, low: float, high: float) -> int | None:
    if low <= interval[0] and interval[1] <= high:
        return 0
    if interval[0] > high:
        return 1
    return -1 if interval[1] < low else None


def _passes(contrast: Contrast, p_adjusted: float | None) -> bool:
    if contrast.method == "exact":
        return True
    is_unlikely = p_adjusted is not None and p_adjusted <= ERROR_RATE
    return is_unlikely and (contrast.p_permutation is None or contrast.p_permutation <= ERROR_RATE)
