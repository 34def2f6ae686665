"""Pure: what a stream of pod sightings and the cluster's events say about when each pod reached each phase.

Every time is tagged with its source, because their resolutions differ by six orders of magnitude:

    watch        arrival at the runner's clock; includes the watch's lag (milliseconds)
    event_time   `eventTime` of the scheduler's event (microseconds)
    event_name   hexadecimal nanoseconds that end the name of a kubelet event
    condition    whole seconds, kept only to compare
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

RESOLUTION_NS = {"watch": 1_000_000, "event_time": 1_000, "event_name": 1, "condition": 1_000_000_000}
EVENT_PHASES = {
    "Scheduled": "scheduled",
    "Pulling": "pulling",
    "Pulled": "pulled",
    "Created": "container_created",
    "Started": "started",
}
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
    """Collects sightings; keeps the first arrival of each phase of each pod, and each pod as last seen."""

    first: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    latest: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    names: dict[str, str] = field(default_factory=dict[str, str])
    blocked_since: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def see(self, sighting: Sighting) -> None:
        """Take one sighting."""
        uid = sighting.pod["metadata"]["uid"]
        self.names[uid] = sighting.pod["metadata"]["name"]
        if sighting.kind == "DELETED":
            self.latest.pop(uid, None)
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


def watch_rows(repetition: int, timeline: PodTimeline) -> list[dict[str, object]]:
    """Give the rows of the pods table that come from the watch and from conditions."""
    rows: list[dict[str, object]] = []
    for (uid, phase), at_ns in sorted(timeline.first.items(), key=lambda item: item[1]):
        pod = timeline.latest.get(uid, {})
        machine = pod.get("spec", {}).get("nodeName", "")
        rows.append(_row(repetition, timeline.names[uid], machine, phase=phase, at_ns=at_ns, source="watch"))
    for pod in timeline.latest.values():
        for condition in pod.get("status", {}).get("conditions", []):
            if condition["status"] != "True" or not condition.get("lastTransitionTime"):
                continue
            at_ns = parse_time_ns(condition["lastTransitionTime"])
            phase = CONDITION_PHASES.get(condition["type"])
            if phase is not None:
                name, machine = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName", "")
                rows.append(_row(repetition, name, machine, phase=phase, at_ns=at_ns, source="condition"))
    return rows


def event_rows(
    repetition: int, events: Iterable[Mapping[str, Any]], machines: Mapping[str, str]
) -> list[dict[str, object]]:
    """Give the rows of the pods table that come from events of the pods in `machines` (name to machine)."""
    rows: list[dict[str, object]] = []
    for event in events:
        pod = event["involvedObject"].get("name", "")
        phase = EVENT_PHASES.get(event.get("reason", ""))
        if phase is None or pod not in machines:
            continue
        at_ns, source = event_time(event)
        rows.append(_row(repetition, pod, machines[pod], phase=phase, at_ns=at_ns, source=source))
    return sorted(rows, key=_time_of)


def images_pulled(events: Iterable[Mapping[str, Any]], since_ns: int) -> list[str]:
    """Give the kubelet's messages about images that it had to pull after a time."""
    return sorted(
        event.get("message") or ""
        for event in events
        if event.get("reason") == "Pulled"
        and event_time(event)[0] >= since_ns
        and "already present" not in (event.get("message") or "")
    )


def events_table_rows(repetition: int, events: Iterable[Mapping[str, Any]], since_ns: int) -> list[dict[str, object]]:
    """Give the rows of the events table: every event that is not older than the repetition."""
    rows: list[dict[str, object]] = []
    for event in events:
        at_ns, source = event_time(event)
        # Whole-second times may lie up to a second before what they date.
        if at_ns < since_ns - RESOLUTION_NS["condition"]:
            continue
        involved = event["involvedObject"]
        rows.append(
            {
                "repetition": repetition,
                "object": f"{involved.get('kind', '')}/{involved.get('name', '')}",
                "reason": event.get("reason") or "",
                "message": event.get("message") or "",
                "at_ns": at_ns,
                "source": source,
            }
        )
    return sorted(rows, key=_time_of)


def event_time(event: Mapping[str, Any]) -> tuple[int, str]:
    """Give the best time of an event and where it comes from."""
    if event.get("eventTime"):
        return parse_time_ns(event["eventTime"]), "event_time"
    suffix = re.search(r"\.([0-9a-f]{15,16})$", event["metadata"]["name"])
    if suffix:
        return int(suffix[1], 16), "event_name"
    stamp = event.get("firstTimestamp") or event["metadata"]["creationTimestamp"]
    return parse_time_ns(stamp), "condition"


def parse_time_ns(text: str) -> int:
    """Read a Kubernetes time as nanoseconds since the Unix epoch, without rounding through a float."""
    since_epoch = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 10**9 + since_epoch.microseconds * 1000


def _row(repetition: int, pod: str, machine: str, *, phase: str, at_ns: int, source: str) -> dict[str, object]:
    return {
        "repetition": repetition,
        "pod": pod,
        "machine": machine,
        "phase": phase,
        "at_ns": at_ns,
        "source": source,
        "resolution_ns": RESOLUTION_NS[source],
    }


def _time_of(row: Mapping[str, object]) -> int:
    return int(str(row["at_ns"]))
