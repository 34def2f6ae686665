"""Pure: what the application itself says about its latency, from the lines that the monitor prints."""

import json
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from probes.stats import FloatArray

KEY = "own_report"


def own_latencies_s(lines: Iterable[str], start_ns: int, end_ns: int) -> FloatArray:
    """Give published less intended time of every result whose intended time lies between two times, in seconds.

    Args:
        lines: Everything that the pod printed; other lines are passed over.
        start_ns: First intended time.
        end_ns: End, not included.
    """
    found: dict[int, float] = {}
    for line in lines:
        if KEY not in line:
            continue
        try:
            document: Any = json.loads(line)
        except ValueError:
            continue
        rows = cast("dict[str, Any]", document).get(KEY) if isinstance(document, dict) else None
        for number, intended_ns, published_ns in cast("list[list[int]]", rows or []):
            if start_ns <= intended_ns < end_ns:
                found[number] = (published_ns - intended_ns) / 1e9
    return np.array(list(found.values()), dtype=np.float64)
