"""Pure: the interval of a median, from the order of the values alone (no assumption about their distribution)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Median:
    """A median with the interval that holds the true one at the confidence or more.

    `low` and `high` are None where there are too few values: five reach no 95 %, six do.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    def interval(self, scale: float = 1.0, digits: int = 3) -> str:
        """Print the interval."""
        if self.low is None or self.high is None:
            return f"none, {self.n} values"
        return f"{self.low * scale:.{digits}f} to {self.high * scale:.{digits}f}"


def median_with_interval(values: Sequence[float]) -> Median:
    """Give the median and the narrowest pair of order statistics around it that reach the confidence.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("a median needs a value")
    ordered, n = sorted(values), len(values)
    rank = _rank(n)
    low, high = (None, None) if rank is None else (ordered[rank], ordered[n - 1 - rank])
    return Median(median(ordered), low, high, n)


def _rank(n: int) -> int | None:
    """Largest rank r for which (values[r], values[n-1-r]) holds the median at the confidence; None without one."""
    allowed = (1 - CONFIDENCE) / 2
    below, rank = 0.0, None
    for r in range(n // 2):
        below += comb(n, r) / 2**n
        if below > allowed:
            break
        rank = r
    return rank
