"""Permutation tests: how often equal things, shuffled, differ as much as these two did. No distribution is assumed.

Every arrangement is tried where there are few; else some are drawn, and the observed one counts among them (Phipson and
Smyth 2010). None where even the most extreme arrangement could not be called unlikely.
"""

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from probes.stats import MOST_BOOTSTRAP, FloatArray

MOST_ARRANGEMENTS = 20_000
DRAWN = 9_999
TOLERANCE = 1e-9


def paired_p(differences: FloatArray, error_rate: float, seed: int) -> float | None:
    """Test by the signs of the differences: under equality each is as likely to be turned as not (Fisher 1935).

    Args:
        differences: One for each pair.
        error_rate: None is given where no arrangement could have a p-value as small as this.
        seed: Of the arrangements that are drawn.
    """
    size = differences.size
    if size > MOST_BOOTSTRAP or 2.0 ** (1 - size) > error_rate:
        return None
    sums = np.abs(_signs(size, seed) @ differences)
    return _share(sums, abs(float(differences.sum())), is_complete=2**size <= MOST_ARRANGEMENTS)


def unpaired_p(first: FloatArray, second: FloatArray, error_rate: float, seed: int) -> float | None:
    """Test by the labels: under equality each value is as likely to be of one as of the other (Pitman 1937).

    Args:
        first: Values of one.
        second: Values of the other.
        error_rate: None is given where no arrangement could have a p-value as small as this.
        seed: Of the arrangements that are drawn.
    """
    total = first.size + second.size
    if total > 2 * MOST_BOOTSTRAP:
        return None
    arrangements = math.comb(total, second.size)
    # Of equal sizes every arrangement has a mirror image that is just as extreme.
    least = (2 if first.size == second.size else 1) / arrangements
    if least > error_rate:
        return None
    pooled = np.concatenate([first, second])
    pooled = pooled - pooled.mean()
    sums = np.abs(_members(total, second.size, seed) @ pooled)
    observed = abs(float(pooled[first.size :].sum()))
    return _share(sums, observed, is_complete=arrangements <= MOST_ARRANGEMENTS)


def _share(sums: FloatArray, observed: float, *, is_complete: bool) -> float:
    extreme = int(np.count_nonzero(sums >= observed * (1 - TOLERANCE)))
    return extreme / sums.size if is_complete else (extreme + 1) / (sums.size + 1)


@lru_cache(maxsize=8)
def _signs(size: int, seed: int) -> NDArray[np.float64]:
    if 2**size <= MOST_ARRANGEMENTS:
        return np.array(list(itertools.product((-1.0, 1.0), repeat=size)))
    return np.random.default_rng(seed).choice((-1.0, 1.0), size=(DRAWN, size))


@lru_cache(maxsize=8)
def _members(total: int, members: int, seed: int) -> NDArray[np.float64]:
    """Give a row of 0 and 1 for each arrangement, 1 for the members of the second sample."""
    if math.comb(total, members) <= MOST_ARRANGEMENTS:
        rows = np.array(list(itertools.combinations(range(total), members)))
    else:
        rows = np.random.default_rng(seed).random((DRAWN, total)).argsort(axis=1)[:, :members]
    table = np.zeros((len(rows), total))
    np.put_along_axis(table, rows, 1.0, axis=1)
    return table
