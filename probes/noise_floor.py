"""The noise floor: what an A/A control, one stack measured as if it were two, says of differences that mean nothing.

Repetition by repetition the second arm is divided by the first; the floor is the median of these ratios with an
interval (of their geometric mean). A difference between two stacks within the interval of the control is noise.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from probes.kept import NOISE_FLOOR_FILE, repetition_readings
from probes.plan import CONTROL_ARMS, Plan
from probes.readings import Reading
from probes.run_state import Run
from probes.stats import CONFIDENCE, mean_interval

COMPARED = (
    "inference_s", "inference_s{statistic=p95}", "inference_s{statistic=p99}", "frames_hz", "jitter_s", "install_s",
    "ready_s", "cpu_cores", "power_w",
)  # fmt: skip


def keep_noise_floor(runs: Sequence[Run], plan: Plan) -> None:
    """Write the floor of a campaign's control into the folder of each of its runs, where there is a control."""
    if not plan.is_controlled:
        return
    by_arm = {run.arm: repetition_readings(run.folder) for run in runs if run.arm in CONTROL_ARMS}
    if set(by_arm) != set(CONTROL_ARMS):
        return
    floor = {
        "stack": plan.stacks[0],
        "arms": list(CONTROL_ARMS),
        "ratios": ratios(by_arm[CONTROL_ARMS[0]], by_arm[CONTROL_ARMS[1]], plan.seed),
    }
    for run in runs:
        run.folder.write(NOISE_FLOOR_FILE, json.dumps(floor, indent=1, sort_keys=True).encode())


def ratios(first: Sequence[Reading], second: Sequence[Reading], seed: int) -> dict[str, dict[str, Any]]:
    """Give the median ratio of the second arm to the first, with an interval, for each metric that both have.

    Args:
        first: Readings of the repetitions of arm A.
        second: Those of arm A'.
        seed: Of the bootstrap.
    """
    found: dict[str, dict[str, Any]] = {}
    for key in COMPARED:
        one, other = _values(first, key), _values(second, key)
        numbers = sorted(one.keys() & other.keys())
        pairs = [other[number] / one[number] for number in numbers if one[number] > 0 and other[number] > 0]
        if pairs:
            found[key] = {
                "median_ratio": float(np.median(pairs)),
                "interval": interval_of_ratio(pairs, seed),
                "confidence": CONFIDENCE,
                "n": len(pairs),
            }
    return found


def interval_of_ratio(pairs: Sequence[float], seed: int) -> list[float] | None:
    """Give an interval of the ratio, as comparisons make it: of the mean logarithm; None for fewer than three pairs."""
    found = mean_interval(np.log(np.array(pairs, dtype=np.float64)), seed, is_signed=True)
    return None if found is None else [float(np.exp(bound)) for bound in found]


def _values(readings: Sequence[Reading], key: str) -> Mapping[int, float]:
    return {item.repetition: item.value for item in readings if item.key == key and item.value is not None}
