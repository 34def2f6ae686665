"""Samples whose truth is known because they are computed: no stack, no clock, no chance but for a seed."""

from collections.abc import Callable

import numpy as np

from probes.samples import Samples, Window

START_NS = 1_700_000_000_000_000_000


def samples_of(
    rate_hz: float, frames: int, latency_s: Callable[[int], float], lost: frozenset[int] = frozenset()
) -> tuple[Samples, Window]:
    """Results of frames with given latencies, and a window that holds all of them.

    Args:
        rate_hz: Rate of the frames.
        frames: How many were due.
        latency_s: Latency of each frame.
        lost: Frames without a result.
    """
    numbers = np.array([number for number in range(frames) if number not in lost], dtype=np.int64)
    intended = START_NS + np.round(numbers * (1e9 / rate_hz)).astype(np.int64)
    received = intended + np.array([round(latency_s(int(number)) * 1e9) for number in numbers], dtype=np.int64)
    rows = np.stack(
        [numbers, intended, received - 2, received - 1, received, received + 1, received - START_NS, numbers], axis=1
    )
    return Samples(rows), Window(START_NS, START_NS + round(frames * 1e9 / rate_hz))
