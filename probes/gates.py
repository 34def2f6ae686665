"""Gates: what must hold for a repetition to be a valid measurement. A run that fails one is kept and marked invalid."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.clock_steps import step_ns
from probes.cluster import Machine
from probes.evidence import Readers, ReaderSeries, RegimeEvidence
from probes.foreign_load import ForeignLoad
from probes.recorder import CaptureStatus
from probes.samples import Samples, Window

LEAST_SAMPLES = 20
CLOCK_STEP_LIMIT_S = 0.005
FOREIGN_LOAD_LIMIT = 0.4
"""Share of a machine's processor time; the control plane of a small cluster takes up to a third of two cores."""
LEAST_TOLD = 0.005
THRESHOLDS: Mapping[str, float] = {
    "least_samples_per_repetition": LEAST_SAMPLES,
    "clock_step_limit_s": CLOCK_STEP_LIMIT_S,
    "foreign_load_limit_of_machine": FOREIGN_LOAD_LIMIT,
}


@dataclass(frozen=True)
class Gate:
    """The verdict of one gate on one repetition, with what it saw.

    `watched` is false where nobody could see what the gate is about: nothing failed, and nothing was shown either.
    """

    name: str
    passed: bool
    detail: str
    watched: bool = True

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


def recorder_without_gap(capture: CaptureStatus) -> Gate:
    """What was sent while the recorder was being restarted is missing, and nobody can tell it from a loss."""
    gaps = [f"{(end - start) / 1e9:.1f} s from {start}" for start, end in capture.gaps]
    detail = f"the recorder was restarted, deaf for {', '.join(gaps)}" if gaps else "the recorder listened throughout"
    return Gate("recorder_without_gap", not gaps, detail)


def no_clock_step(samples: Samples, readers: Readers | None = None) -> Gate:
    """Real-time clocks must run like monotonic ones; a step would move latencies and phases by its size."""
    steps_s = {"recorder": _step_s(samples.column("taken_ns"), samples.column("monotonic_ns"))}
    for machine, series in (readers or {}).items():
        if isinstance(series, ReaderSeries) and (table := series.table("machine")).rows:
            times, monotonic = (np.array(table.column(name), dtype=np.int64) for name in ("time_ns", "monotonic_ns"))
            steps_s[machine] = _step_s(times, monotonic)
    told = {name: step_s for name, step_s in steps_s.items() if step_s is not None}
    if not told:
        return Gate("no_clock_step", passed=True, detail="too few samples to tell", watched=False)
    name = max(told, key=lambda item: told[item])
    detail = f"clocks of {', '.join(told)} differ by {told[name] * 1e3:.3f} ms at most ({name})"
    return Gate("no_clock_step", told[name] <= CLOCK_STEP_LIMIT_S, detail)


def _step_s(real: NDArray[np.int64], monotonic: NDArray[np.int64]) -> float | None:
    return step_ns(real, monotonic) / 1e9 if real.size > 1 else None


def clock_related(*, is_one_clock: bool) -> Gate:
    """One-way latency needs one clock; without a proof it is withheld, which keeps the rest of the run valid."""
    detail = "application and recorder share one kernel" if is_one_clock else "one-way latency is withheld"
    return Gate("clock_related", passed=True, detail=detail)


def one_regime(pulled: Sequence[str]) -> Gate:
    """An install that pulled an image is of another regime than one that found it present; they never mix."""
    detail = f"an image was pulled (it is present for the next run): {pulled[0]}" if pulled else "images were present"
    return Gate("one_regime", not pulled, detail)


def regime_proved(regime: RegimeEvidence) -> Gate:
    """A cold install of which anything was on a machine before was not cold; one that pulled nothing neither."""
    pulled = ", ".join(f"{machine}: {amount}" for machine, amount in regime.pulled_bytes.items())
    return Gate("regime_proved", regime.problem is None, regime.problem or f"nothing was there; bytes pulled: {pulled}")


def fault_verified(problems: Sequence[str]) -> Gate:
    """A fault that the network does not show as it was asked for explains nothing."""
    return Gate("fault_verified", not problems, "; ".join(problems) or "a probe showed the fault as it was asked for")


def quiet_machine(foreign: Mapping[str, ForeignLoad | str]) -> Gate:
    """Work of others on the application's machines takes time from what is measured.

    Args:
        foreign: What others used of each machine, or why that is unknown; what nobody watched is said, and fails
            nothing.
    """
    known = {machine: load for machine, load in foreign.items() if not isinstance(load, str)}
    unknown = [f"{machine} not watched: {load}" for machine, load in foreign.items() if isinstance(load, str)]
    said = [
        f"{machine} {load.used:.0%} foreign load"
        + (f", {load.stolen:.0%} stolen by its host" if load.stolen >= LEAST_TOLD else "")
        for machine, load in known.items()
    ]
    is_quiet = all(load.lost <= FOREIGN_LOAD_LIMIT for load in known.values())
    detail = ", ".join([*said, *unknown]) or "no machine of the application"
    return Gate("quiet_machine", is_quiet, detail, watched=bool(known) and not unknown)
