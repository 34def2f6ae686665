"""Gates: what must hold for a repetition to be a valid measurement. A run that fails one is kept and marked invalid."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from probes.cluster import Machine
from probes.recorder import CaptureStatus
from probes.samples import Samples, Window

LEAST_SAMPLES = 20
CLOCK_STEP_LIMIT_S = 0.005
THRESHOLDS: Mapping[str, float] = {
    "least_samples_per_repetition": LEAST_SAMPLES,
    "clock_step_limit_s": CLOCK_STEP_LIMIT_S,
}


@dataclass(frozen=True)
class Gate:
    """The verdict of one gate on one repetition, with what it saw."""

    name: str
    passed: bool
    detail: str

    def as_record(self) -> dict[str, object]:
        """Give the entry of the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class PodState:
    """What identifies a running pod: another UID or more restarts mean that it was interrupted."""

    name: str
    uid: str
    machine: str
    restarts: int


def pod_states(pods: Sequence[Mapping[str, Any]]) -> tuple[PodState, ...]:
    """Read the states of pods from their objects."""
    return tuple(
        sorted(
            (
                PodState(
                    pod["metadata"]["name"],
                    pod["metadata"]["uid"],
                    pod.get("spec", {}).get("nodeName", ""),
                    sum(item["restartCount"] for item in pod.get("status", {}).get("containerStatuses", [])),
                )
                for pod in pods
                if "deletionTimestamp" not in pod["metadata"]
            ),
            key=lambda state: state.name,
        )
    )


def enough_samples(samples: Samples, window: Window) -> Gate:
    """Too few results give no distribution."""
    count = int(np.count_nonzero(samples.in_window(window)))
    return Gate("enough_samples", count >= LEAST_SAMPLES, f"{count} results in the window, at least {LEAST_SAMPLES}")


def no_restart(before: Sequence[PodState], after: Sequence[PodState]) -> Gate:
    """A pod that was replaced or restarted inside the window measured its own start."""
    changed = sorted({state.name for state in set(before) ^ set(after)})
    detail = f"changed in the window: {', '.join(changed)}" if changed else f"{len(after)} pods unchanged"
    return Gate("no_restart", not changed, detail)


def machines_present(used: Sequence[str], after: Sequence[Machine]) -> Gate:
    """A machine that went away took part of the application with it."""
    ready = {machine.name for machine in after if machine.is_ready}
    lost = sorted(set(used) - ready)
    return Gate("machines_present", not lost, f"not Ready: {', '.join(lost)}" if lost else f"{len(set(used))} Ready")


def recorder_kept_all(capture: CaptureStatus) -> Gate:
    """Samples that the recorder dropped would count as losses of the application."""
    dropped = {topic: count for topic, count in capture.dropped.items() if count}
    detail = ", ".join(f"{topic}: {count} dropped" for topic, count in dropped.items())
    return Gate("recorder_kept_all", not dropped, detail or "nothing dropped")


def no_clock_step(samples: Samples) -> Gate:
    """The real-time clock must run like the monotonic one; a step would move latencies by its size."""
    if len(samples) < 2:
        return Gate("no_clock_step", passed=True, detail="too few samples to tell")
    difference = samples.column("taken_ns") - samples.column("monotonic_ns")
    step_s = float(np.ptp(difference)) / 1e9
    return Gate("no_clock_step", step_s <= CLOCK_STEP_LIMIT_S, f"clocks differ by {step_s * 1e3:.3f} ms at most")


def clock_related(*, is_one_clock: bool) -> Gate:
    """One-way latency needs one clock; without a proof it is withheld, which keeps the rest of the run valid."""
    detail = "application and recorder share one kernel" if is_one_clock else "one-way latency is withheld"
    return Gate("clock_related", passed=True, detail=detail)


def one_regime(pulled: Sequence[str]) -> Gate:
    """An install that pulled an image is of another regime than one that found it present; they never mix."""
    detail = f"an image was pulled (it is present for the next run): {pulled[0]}" if pulled else "images were present"
    return Gate("one_regime", not pulled, detail)
