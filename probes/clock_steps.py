"""Whether a machine's real-time clock was set while it was read, by its monotonic clock. Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5


def step_ns(real_ns: NDArray[np.number[Any]], monotonic_ns: NDArray[np.number[Any]]) -> float:
    """Largest lasting change between two clocks that were read together.

    A reader that lost its core between the two is off once, which is no step: the median of neighbours leaves it out.

    Args:
        real_ns: Readings of the real-time clock, in the order in which they were made.
        monotonic_ns: The monotonic clock's, one for each.
    """
    differences = np.subtract(real_ns, monotonic_ns)
    if differences.size >= NEIGHBOURS:
        differences = np.median(np.lib.stride_tricks.sliding_window_view(differences, NEIGHBOURS), axis=1)
    return float(np.ptp(differences)) if differences.size else 0.0
