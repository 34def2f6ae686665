"""T_sched: how long each pod took to each phase of its start, and the stages on the way to the first message.

pod_phase_s{phase,pod}    one pod: created, scheduled, (initialised,) pulled, started, ready, each from the one before
pod_phase_s{phase}        the slowest pod of the application
first_message_s{stage}    api, schedule, initialise, pull, start, model_load, discovery, first_message: sums to ready_s
"""

from collections.abc import Sequence

from probes.measurement import Evidence, Measurement
from probes.metrics import CLOCK_UNPROVEN, NOT_REQUESTED, Metric
from probes.milestones import (
    EVENTS_EXPIRED,
    NO_INIT_CONTAINER,
    NO_STARTUP_PROBE,
    NOT_SEEN,
    ORDER_CONTRADICTS,
    PHASES_WITH_INIT,
    PRECEDING_UNKNOWN,
    Span,
    Start,
    clocks_of,
    pod_spans,
    stage_spans,
)
from probes.readings import Reading

SOURCES = (
    "the best of: the kernel's date of the container's folder at its runtime (phase started, with `machineReaders."
    "runtimeState`), the scheduler's `eventTime`, the nanoseconds in the name of a kubelet's event, the arrival in one "
    "pod watch; each value is tagged with the sources of both its ends"
)
WHY_MISSING = {
    NOT_REQUESTED: "needs --cycles install",
    EVENTS_EXPIRED: "the API server no longer has the events of that pod, and nothing else tells this phase",
    NOT_SEEN: "neither the watch nor an event told that this phase was reached",
    CLOCK_UNPROVEN: "only a machine tells this phase whose clock cannot be related to the runner's",
    NO_INIT_CONTAINER: "the pod has no init container, so there is nothing to initialise",
    NO_STARTUP_PROBE: "no pod has a startup probe, so nothing tells when its models were loaded",
    PRECEDING_UNKNOWN: "the phase in front of it has no known end, so this one has no known beginning",
    ORDER_CONTRADICTS: "its end lies before its beginning by more than the watch's lag explains",
}
METRICS = (
    Metric(
        "pod_phase_s",
        "T_sched",
        "s",
        "time of a pod from the phase before to this one; the first, created, from the start of `pulumi up`; without "
        "the label pod the slowest pod of the application",
        source=SOURCES,
        resolution="a tick of the kernel, at most 10 ms (runtime), 1 us (event_time), 1 ns (event_name), 1 ms (watch)",
        error_bound="10 ms where the watch is an end (its lag), else the delay of the component that writes the event; "
        "what starts together on few cores waits for a core before it can write (docs/proofs.md, proof 4)",
        missing=WHY_MISSING,
        labels={
            "phase=created": "start of `pulumi up` until the API server has the pod",
            "phase=scheduled": "until the scheduler has bound it: queueing and scheduling",
            "phase=pulled": "until the image of its last container is on the machine",
            "phase=initialised": "until its init containers have ended, their images included; before phase pulled",
            "phase=started": "until its last container runs",
            "phase=ready": "until it is Ready",
        },
    ),
    Metric(
        "first_message_s",
        "",
        "s",
        "stage of the way from the start of `pulumi up` to the first valid message: until the last pod has passed it, "
        "or the first message has arrived; the stages follow one another and sum to ready_s",
        source=f"{SOURCES}; discovery from polling the recorder, the first message from its receipt stamp",
        resolution="as pod_phase_s; model_load the period of the startup probe; discovery 200 ms",
        error_bound="that of its two ends; a stage that others had overtaken is 0 because nobody waited for it",
        missing=WHY_MISSING,
        labels={
            "stage=api": "until the API server has the last pod",
            "stage=schedule": "until the last pod is bound to a machine",
            "stage=initialise": "until the last init container has ended",
            "stage=pull": "until the last image is on its machine",
            "stage=start": "until the last container runs",
            "stage=model_load": "until the last startup probe has passed: models loaded, publishers made",
            "stage=discovery": "until the recorder has discovered a publisher of the result topic",
            "stage=first_message": "until the first valid message has arrived",
        },
    ),
)


class Measured(Measurement):
    """Reads the timeline of a repetition."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give the phases of each pod, of the slowest pod, and the stages of the whole."""
        start = start_of(evidence)
        if start is None:
            return Reading("pod_phase_s", missing=NOT_REQUESTED), Reading("first_message_s", missing=NOT_REQUESTED)
        spans = [span for pod in start.pods for span in pod_spans(start, pod)]
        return (
            *(slowest(phase, [span for span in spans if span.stage == phase]) for phase in PHASES_WITH_INIT),
            *(_reading("pod_phase_s", {"phase": span.stage, "pod": span.pod}, span) for span in spans),
            *(_reading("first_message_s", {"stage": span.stage}, span) for span in stage_spans(start)),
        )


def start_of(evidence: Evidence) -> Start | None:
    """Give what is known of the start; None where the stack was not deployed."""
    if evidence.deployment is None:
        return None
    clocks = clocks_of(evidence.machines, evidence.own_boot_id, evidence.readers, evidence.clock)
    return Start(evidence.deployment.started_ns, evidence.pods, evidence.timeline, clocks)


def slowest(phase: str, spans: Sequence[Span]) -> Reading:
    """Give the slowest pod's phase; missing where that of any pod is that should have one."""
    labels = {"phase": phase}
    having = [span for span in spans if span.missing != NO_INIT_CONTAINER]
    if not having:
        return Reading("pod_phase_s", missing=NO_INIT_CONTAINER if spans else NOT_SEEN, labels=labels)
    unknown = [span for span in having if span.seconds is None]
    chosen = unknown[0] if unknown else max(having, key=lambda span: span.seconds or 0.0)
    return _reading("pod_phase_s", labels, chosen)


def _reading(name: str, labels: dict[str, str], span: Span) -> Reading:
    if span.seconds is None:
        return Reading(name, missing=span.missing or NOT_SEEN, labels=labels)
    resolution_ns = span.resolution_ns
    return Reading(
        name,
        span.seconds,
        labels=labels,
        source=span.source,
        resolution=None if resolution_ns is None else resolution_ns / 1e9,
    )
