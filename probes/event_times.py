"""Pure: what the cluster's events say about when each pod reached each phase.

Every time is tagged with its source, because their resolutions differ by nine orders of magnitude:

    runtime      the kernel's date of the runtime's folder, by the machine reader (`probes.container_starts`)
    event_time   `eventTime` of the scheduler's event (microseconds)
    event_name   hexadecimal nanoseconds that end the name of a kubelet event
    watch        arrival at the runner's clock; includes the watch's lag (milliseconds)
    condition    whole seconds, kept only to compare

An event is dated by the clock of the machine that wrote it, which is noted beside the time.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from probes.evidence import PhaseTime

RESOLUTION_NS = {"watch": 1_000_000, "event_time": 1_000, "event_name": 1, "condition": 1_000_000_000}
EVENT_PHASES = {
    "Scheduled": "scheduled",
    "Pulling": "pulling",
    "Pulled": "pulled",
    "Created": "container_created",
    "Started": "started",
}
INIT_PREFIX = "init_"
"""Before the phase where the event is about an init container."""


def event_times(events: Iterable[Mapping[str, Any]], machines: Mapping[str, str]) -> list[PhaseTime]:
    """Give the times that events tell of the pods in `machines` (name to machine), in their order."""
    found: list[PhaseTime] = []
    for event in events:
        pod = event["involvedObject"].get("name", "")
        phase = EVENT_PHASES.get(event.get("reason") or "")
        if phase is None or pod not in machines:
            continue
        at_ns, source = event_time(event)
        if (event["involvedObject"].get("fieldPath") or "").startswith("spec.initContainers"):
            phase = INIT_PREFIX + phase
        writer = clock_machine(event, tuple(machines.values()))
        found.append(PhaseTime(pod, machines[pod], phase, at_ns, source, RESOLUTION_NS[source], writer))
    return sorted(found, key=lambda time: time.at_ns)


def clock_machine(event: Mapping[str, Any], machines: Iterable[str] = ()) -> str:
    """Name the machine whose clock dates an event; empty where the event does not tell.

    A scheduler calls itself `default-scheduler-MACHINE`, a kubelet names its host.
    """
    instance = str((event.get("source") or {}).get("host") or event.get("reportingInstance") or "")
    own = [machine for machine in machines if instance == machine or instance.endswith(f"-{machine}")]
    return max(own, key=len) if own else instance.removeprefix("default-scheduler-")


def images_pulled(events: Iterable[Mapping[str, Any]], since_ns: int, until_ns: int) -> list[str]:
    """Give the kubelet's messages about images that it had to pull between two times."""
    return sorted(
        event.get("message") or ""
        for event in events
        if event.get("reason") == "Pulled"
        and since_ns <= event_time(event)[0] <= until_ns
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
    return sorted(rows, key=lambda row: int(str(row["at_ns"])))


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
