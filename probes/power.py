"""How many more repetitions would probably decide, from what the first ones showed.

The sizes follow from Student's t: with n repetitions the interval of the logarithm of a ratio is as wide as
2 t(n - 1) spread / sqrt(n), and it ends beyond its true value plus t(power) spread / sqrt(n) only as often as wanted
(Student's t in place of the noncentral one; Julious 2004, "Sample sizes for clinical trials with normal data").
"""

import math

from probes import student
from probes.stats import CONFIDENCE, LEAST_REPETITIONS

POWER = 0.9
MOST_REPETITIONS = 1_000
"""More than this is no plan: the ratio lies at the edge of the noise, or the spread is too large."""


def more_repetitions(log_ratio: float, spread: float, n: int, noise_threshold: float, error_rate: float) -> int | None:
    """Give how many repetitions beyond `n` would decide with the common power; None for more than are worth naming.

    Args:
        log_ratio: Natural logarithm of the ratio that was seen; it is taken for the true one.
        spread: Standard error of that logarithm times the square root of n.
        n: Repetitions that there are.
        noise_threshold: Ratios from 1 / (1 + this) to 1 + this are noise.
        error_rate: Of the test that the difference must pass, after the correction for the number of comparisons.
    """
    edge, distance = math.log1p(noise_threshold), abs(log_ratio)
    is_outside = distance > edge
    margin = distance - edge if is_outside else edge - distance

    def decides(size: int) -> bool:
        error = spread / math.sqrt(size)
        # An interval can leave the noise on either side, but miss it on one only.
        reserve = student.quantile(POWER if is_outside else (1 + POWER) / 2, size - 1)
        is_clear = (student.quantile((1 + CONFIDENCE) / 2, size - 1) + reserve) * error <= margin
        is_tested = not is_outside or (student.quantile(1 - error_rate / 2, size - 1) + reserve) * error <= distance
        return is_clear and is_tested

    low, high = max(n, LEAST_REPETITIONS - 1), MOST_REPETITIONS
    if not decides(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high - n
