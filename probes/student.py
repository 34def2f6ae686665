"""Student's t distribution on the standard library: tail probability and quantile, for real degrees of freedom.

`scipy.special.stdtr` and `stdtrit` give the same and are what the tests compare with; importing them takes a third of a
second, which is more than a comparison.
"""

import math
from functools import cache
from statistics import NormalDist

STEPS = 10_000
TINY = 1e-300
PRECISION = 1e-14


def two_sided_p(t: float, degrees: float) -> float:
    """Give the probability that |T| is at least |t|.

    Args:
        t: The statistic; may be infinite.
        degrees: Degrees of freedom, larger than 0.
    """
    if math.isinf(t):
        return 0.0
    # Near t = 0 the difference of 1 and x would lose every digit, so both are computed.
    return _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t), t * t / (degrees + t * t))


@cache
def quantile(probability: float, degrees: float) -> float:
    """Give t with P(T <= t) = probability, for a probability from 0.5 to below 1."""
    if probability <= 0.5:
        return 0.0
    outside = 2 * (1 - probability)
    low, high = 0.0, NormalDist().inv_cdf(probability) + 1
    while two_sided_p(high, degrees) > outside:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if two_sided_p(middle, degrees) > outside:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularised incomplete beta function I_x(a, b) by its continued fraction (NIST DLMF 8.17.22); rest is 1 - x."""
    if x <= 0 or rest <= 0:
        return float(x > 0)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    # The fraction converges fast on this side of the mean only; the other side is its complement.
    if x > (a + 1) / (a + b + 2):
        return 1.0 - math.exp(log_front) * _continued_fraction(b, a, rest) / b
    return math.exp(log_front) * _continued_fraction(a, b, x) / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the fraction from the front (modified Lentz; Press et al., Numerical Recipes, 6.4).

    Raises:
        ArithmeticError: It does not converge, which no degrees of freedom up to a billion are known to do.
    """
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            value *= c * d
        if abs(c * d - 1) < PRECISION:
            return value
    raise ArithmeticError(f"I_{x}({a}, {b}) did not converge in {STEPS} steps")


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
