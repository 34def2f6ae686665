"""Pure: what a stream of pod sightings says about when each pod reached each phase, and why one does not.

What the cluster's events say about the same is in `probes.event_times`; `probes.milestones` chooses between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from probes.event_times import RESOLUTION_NS, parse_time_ns
from probes.evidence import PhaseTime

PROBE_PERIOD_NS = 10 * 10**9
"""Period of a probe that names none (Kubernetes' default)."""
CONDITION_PHASES = {
    "PodScheduled": "scheduled",
    "Initialized": "initialised",
    "ContainersReady": "containers_ready",
    "Ready": "ready",
}
BLOCKED_FOR_S = 5.0
HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "Unschedulable",
    }
)
"""Reasons that do not go away by waiting once they have lasted for some seconds."""


@dataclass(frozen=True)
class Sighting:
    """One line of a watch, and when it arrived at the runner."""

    arrived_ns: int
    kind: str
    pod: Mapping[str, Any]


@dataclass(frozen=True)
class Blockage:
    """Why a pod does not start."""

    pod: str
    image: str
    reason: str
    message: str


def phases_of(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the phases that a pod has reached, in their order."""
    status = pod.get("status", {})
    conditions = {item["type"]: item["status"] for item in status.get("conditions", [])}
    containers = status.get("containerStatuses", [])
    reached = ["created"]
    if pod.get("spec", {}).get("nodeName"):
        reached.append("scheduled")
    if conditions.get("Initialized") == "True" and containers:
        reached.append("initialised")
    if containers and all("running" in item.get("state", {}) for item in containers):
        reached.append("started")
    if _waits_for_startup(pod) and containers and all(item.get("started") is True for item in containers):
        reached.append("startup_passed")
    if conditions.get("Ready") == "True":
        reached.append("ready")
    return tuple(reached)


def blockage_of(pod: Mapping[str, Any]) -> Blockage | None:
    """Tell why a pod cannot start, where its status says so."""
    status = pod.get("status", {})
    name = pod["metadata"]["name"]
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Blockage(name, "", "Unschedulable", condition.get("message", ""))
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") in HOPELESS:
            ended = container.get("lastState", {}).get("terminated", {})
            message = waiting.get("message", "")
            if ended:
                message += f" (last exit code {ended.get('exitCode')}: {ended.get('reason', '')})"
            return Blockage(name, container.get("image", ""), waiting["reason"], message)
    return None


@dataclass
class PodTimeline:
    """Collects sightings: the first arrival of each phase of each pod, each pod as last seen, and when it was gone."""

    first: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    latest: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    names: dict[str, str] = field(default_factory=dict[str, str])
    gone: dict[str, int] = field(default_factory=dict[str, int])
    blocked_since: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def see(self, sighting: Sighting) -> None:
        """Take one sighting."""
        uid = sighting.pod["metadata"]["uid"]
        self.names[uid] = sighting.pod["metadata"]["name"]
        if sighting.kind == "DELETED":
            self.latest.pop(uid, None)
            self.gone[uid] = sighting.arrived_ns
            return
        self.latest[uid] = sighting.pod
        for phase in phases_of(sighting.pod):
            self.first.setdefault((uid, phase), sighting.arrived_ns)
        blockage = blockage_of(sighting.pod)
        self.blocked_since = {key: since for key, since in self.blocked_since.items() if key[0] != uid} | (
            {(uid, blockage.reason): self.blocked_since.get((uid, blockage.reason), sighting.arrived_ns)}
            if blockage
            else {}
        )

    def ready_at_ns(self, replicas: Mapping[str, int]) -> int | None:
        """Give the arrival at which the last expected pod was Ready; None while one is not.

        Args:
            replicas: Copies of each pod, by its `app.kubernetes.io/name`.
        """
        times: list[int] = []
        for name, count in replicas.items():
            arrivals = sorted(
                self.first[uid, "ready"]
                for uid, pod in self.latest.items()
                if pod["metadata"].get("labels", {}).get("app.kubernetes.io/name") == name
                and "deletionTimestamp" not in pod["metadata"]
                and "ready" in phases_of(pod)
            )
            if len(arrivals) < count:
                return None
            times += arrivals[:count]
        return max(times, default=None)

    def blockages(self, now_ns: int) -> list[Blockage]:
        """Give the pods whose start has been blocked long enough to give up."""
        lasting = {uid for (uid, _), since in self.blocked_since.items() if now_ns - since > BLOCKED_FOR_S * 1e9}
        found = (blockage_of(self.latest[uid]) for uid in lasting if uid in self.latest)
        return [blockage for blockage in found if blockage is not None]

    def describe(self) -> str:
        """Say in a few words how far each pod is."""
        states = [
            f"{pod['metadata']['name']}: {phases_of(pod)[-1]}"
            for pod in sorted(self.latest.values(), key=lambda pod: pod["metadata"]["name"])
        ]
        return "; ".join(states) or "no pod of the application exists"


def watch_times(timeline: PodTimeline) -> list[PhaseTime]:
    """Give the times that come from the watch and from conditions, in their order."""
    found: list[PhaseTime] = []
    for (uid, phase), at_ns in timeline.first.items():
        pod = timeline.latest.get(uid, {})
        resolution_ns = startup_period_ns(pod) if phase == "startup_passed" else RESOLUTION_NS["watch"]
        machine = pod.get("spec", {}).get("nodeName", "")
        found.append(PhaseTime(timeline.names[uid], machine, phase, at_ns, "watch", resolution_ns))
    for pod in timeline.latest.values():
        name, machine = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName", "")
        for condition in pod.get("status", {}).get("conditions", []):
            phase = CONDITION_PHASES.get(condition["type"])
            if condition["status"] == "True" and condition.get("lastTransitionTime") and phase is not None:
                at_ns = parse_time_ns(condition["lastTransitionTime"])
                resolution_ns = RESOLUTION_NS["condition"]
                found.append(PhaseTime(name, machine, phase, at_ns, "condition", resolution_ns, machine))
    return sorted(found, key=lambda time: time.at_ns)


def startup_period_ns(pod: Mapping[str, Any]) -> int:
    """Give the longest period of a pod's startup probes: how late the end of a start may be noticed."""
    probes = [item["startupProbe"] for item in pod.get("spec", {}).get("containers", []) if item.get("startupProbe")]
    periods = [round(probe["periodSeconds"] * 1e9) if "periodSeconds" in probe else PROBE_PERIOD_NS for probe in probes]
    return max(periods, default=RESOLUTION_NS["watch"])


def _waits_for_startup(pod: Mapping[str, Any]) -> bool:
    return any(item.get("startupProbe") for item in pod.get("spec", {}).get("containers", []))
