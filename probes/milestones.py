"""Pure: from all times of a start, whatever their source, to the length of each phase of each pod and of the whole.

Of every phase the best source is taken (`runtime`, `event_time`, `event_name`, then `watch`), brought to the runner's
clock; a time of a clock whose offset is unknown is not used. A length is measured only where both its ends are known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from probes.clock import ClockOffset
from probes.cluster import Machine
from probes.evidence import PhaseTime, PodIdentity, Readers, ReaderSeries
from probes.metrics import CLOCK_UNPROVEN
from probes.samples import ABSENT, Samples

EVENTS_EXPIRED = "events_expired"
NO_INIT_CONTAINER = "no_init_container"
NO_STARTUP_PROBE = "no_startup_probe"
NOT_SEEN = "not_seen"
PRECEDING_UNKNOWN = "preceding_phase_unknown"
ORDER_CONTRADICTS = "order_contradicts"

BEST_FIRST = ("runtime", "event_time", "event_name", "watch", "poll", "sample")
PER_CONTAINER = frozenset({"pulled", "started"})
ONLY_IN_EVENTS = frozenset({"pulled"})
ABSENT_BY_NATURE = frozenset({NO_INIT_CONTAINER, NO_STARTUP_PROBE})
WATCH_LAG_NS = 10_000_000
"""How late the watch may bring what an event dates exactly; a larger contradiction is no lag."""
RECORDER_CLOCK = "recorder"
APPLICATION = ""
"""The `pod` of what belongs to the application as a whole."""

PHASES = ("created", "scheduled", "pulled", "started", "ready")
PHASES_WITH_INIT = ("created", "scheduled", "initialised", "pulled", "started", "ready")
STAGES: Mapping[str, str] = {
    "api": "created",
    "schedule": "scheduled",
    "initialise": "initialised",
    "pull": "pulled",
    "start": "started",
    "model_load": "startup_passed",
    "discovery": "discovered",
    "first_message": "first_message",
}
"""Stages of the way to the first message, and the milestone that ends each."""


@dataclass(frozen=True)
class Milestone:
    """A phase was reached, in the runner's clock; `bound_ns` is how far the clock's offset may be wrong."""

    at_ns: int
    source: str
    resolution_ns: int
    bound_ns: int


@dataclass(frozen=True)
class Span:
    """The length of one phase of one pod, or of one stage of the application (`pod` empty); or why it is unknown."""

    pod: str
    stage: str
    start: Milestone | None
    end: Milestone | None
    missing: str | None

    @property
    def seconds(self) -> float | None:
        """Length; None where it is missing."""
        if self.start is None or self.end is None or self.missing is not None:
            return None
        return max(0, self.end.at_ns - self.start.at_ns) / 1e9

    @property
    def source(self) -> str:
        """Where the end comes from, after where the start comes from."""
        return f"{self.start.source}..{self.end.source}" if self.start and self.end else ""

    @property
    def resolution_ns(self) -> int | None:
        """The coarser of both ends, clock bounds added."""
        if self.start is None or self.end is None:
            return None
        return max(self.start.resolution_ns, self.end.resolution_ns) + self.start.bound_ns + self.end.bound_ns

    def as_row(self, repetition: int) -> dict[str, object]:
        """Give the row of the table `timeline`."""
        known = self.missing is None
        return {
            "repetition": repetition,
            "pod": self.pod,
            "stage": self.stage,
            "from_ns": self.start.at_ns if self.start and known else None,
            "to_ns": self.end.at_ns if self.end and known else None,
            "source": self.source,
            "resolution_ns": self.resolution_ns,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Start:
    """All that is known of one change from parked to running."""

    started_ns: int
    pods: tuple[PodIdentity, ...]
    times: tuple[PhaseTime, ...]
    clocks: Mapping[str, ClockOffset]

    @property
    def origin(self) -> Milestone:
        """The start of `pulumi up`, of the runner's own clock."""
        return Milestone(self.started_ns, "runner", 1, 0)


def clocks_of(
    machines: Iterable[Machine], own_boot_id: str, readers: Readers, recorder: ClockOffset
) -> dict[str, ClockOffset]:
    """Relate every clock to the runner's that can be: one kernel, or measured by a machine's reader."""
    shared = {
        machine.name: ClockOffset(0, 0, "one_kernel")
        for machine in machines
        if own_boot_id and machine.boot_id == own_boot_id
    }
    measured = {name: series.clock for name, series in readers.items() if isinstance(series, ReaderSeries)}
    return measured | shared | {RECORDER_CLOCK: recorder}


def first_valid_arrival_ns(samples: Samples, since_ns: int) -> int | None:
    """Give the first arrival of a message that was published after a time, in the recorder's clock."""
    published = samples.column("published_ns")
    published = np.where(published == ABSENT, samples.column("source_ns"), published)
    published = np.where(published == ABSENT, published, published + samples.application_behind_ns)
    arrivals = samples.column("received_ns")
    valid = arrivals[np.where(published == ABSENT, arrivals, published) > since_ns]
    return int(valid.min()) if valid.size else None


def best_milestone(
    times: Sequence[PhaseTime], phase: str, clocks: Mapping[str, ClockOffset], containers: int
) -> Milestone | str:
    """Give when a phase was reached, by the best source, or why that is unknown.

    Args:
        times: All times of one pod.
        phase: The phase.
        clocks: Clocks that can be related to the runner's.
        containers: Containers of the pod: a phase that each of them reaches is reached with the last.
    """
    reason = EVENTS_EXPIRED if phase in ONLY_IN_EVENTS else NOT_SEEN
    for source in BEST_FIRST:
        found = [time for time in times if time.phase == phase and time.source == source]
        is_event = source.startswith("event")
        if not found or (is_event and phase in PER_CONTAINER and len(found) < containers):
            continue
        converted = [_in_runners_clock(time, clocks) for time in found]
        known = [milestone for milestone in converted if milestone is not None]
        if len(known) == len(found):
            return max(known, key=lambda milestone: milestone.at_ns)
        reason = CLOCK_UNPROVEN
    return reason


def _in_runners_clock(time: PhaseTime, clocks: Mapping[str, ClockOffset]) -> Milestone | None:
    if not time.clock_machine and not time.source.startswith("event"):
        return Milestone(time.at_ns, time.source, time.resolution_ns, 0)
    clock = clocks.get(time.clock_machine)
    if clock is None:
        return None
    return Milestone(clock.to_runner(time.at_ns), time.source, time.resolution_ns, clock.bound_ns)


def pod_milestone(start: Start, pod: PodIdentity, phase: str) -> Milestone | str:
    """Give a milestone of one pod, or why there is none."""
    if phase == "initialised" and pod.init_containers == 0:
        return NO_INIT_CONTAINER
    if phase == "startup_passed" and not pod.has_startup_probe:
        return NO_STARTUP_PROBE
    own = [time for time in start.times if time.pod == pod.name]
    if phase == "pulled":
        own = _before_the_last_start(own)
    return best_milestone(own, phase, start.clocks, len(pod.containers))


def _before_the_last_start(times: Sequence[PhaseTime]) -> list[PhaseTime]:
    """Leave out what the kubelet says once more of a volume's image, `already present`, after the pod has started."""
    ordered = sorted(times, key=lambda time: time.at_ns)
    started = {time.source: time.at_ns for time in ordered if time.phase == "started"}
    return [time for time in times if time.phase != "pulled" or time.at_ns <= started.get(time.source, time.at_ns)]


def pod_spans(start: Start, pod: PodIdentity) -> tuple[Span, ...]:
    """Give the length of each phase of a pod: from the phase before it, the first from the start of `pulumi up`."""
    phases = PHASES_WITH_INIT if pod.init_containers else PHASES
    ends = [(phase, pod_milestone(start, pod, phase)) for phase in phases]
    spans = _chained(pod.label, start.origin, ends)
    return spans if pod.init_containers else (*spans, Span(pod.label, "initialised", None, None, NO_INIT_CONTAINER))


def stage_spans(start: Start) -> tuple[Span, ...]:
    """Give the stages of the application's way to its first message, one after the other, as long as `ready_s` in all.

    A stage ends when the last pod has passed it, but not after the first message; what was passed before the stage in
    front of it had ended has the length 0, because nobody waited for it.
    """
    application = [time for time in start.times if time.pod == APPLICATION]
    first = best_milestone(application, "first_message", start.clocks, 0)
    ends: list[tuple[str, Milestone | str]] = []
    for stage, phase in STAGES.items():
        if phase == "first_message":
            end = first
        elif phase == "discovered":
            end = best_milestone(application, phase, start.clocks, 0)
        else:
            end = _last([pod_milestone(start, pod, phase) for pod in start.pods])
        if isinstance(end, Milestone) and isinstance(first, Milestone) and end.at_ns > first.at_ns:
            end = Milestone(first.at_ns, end.source, end.resolution_ns, end.bound_ns)
        ends.append((stage, end))
    return _chained(APPLICATION, start.origin, ends, overlapping=True)


def _last(milestones: Sequence[Milestone | str]) -> Milestone | str:
    """Give the last milestone of all pods that have one by nature; a reason where one that should be there is not."""
    reasons = [item for item in milestones if isinstance(item, str)]
    grave = [reason for reason in reasons if reason not in ABSENT_BY_NATURE]
    reached = [item for item in milestones if isinstance(item, Milestone)]
    if grave or not reached:
        return (grave or reasons or [NOT_SEEN])[0]
    return max(reached, key=lambda milestone: milestone.at_ns)


def _chained(
    pod: str, origin: Milestone, ends: Sequence[tuple[str, Milestone | str]], *, overlapping: bool = False
) -> tuple[Span, ...]:
    """Measure from each milestone to the next.

    Args:
        pod: Whose.
        origin: Where the first begins.
        ends: Milestones by stage, or reasons.
        overlapping: A milestone before the one in front of it is no contradiction (different pods reached them).
    """
    spans: list[Span] = []
    before: Milestone | None = origin
    for stage, end in ends:
        if isinstance(end, str):
            spans.append(Span(pod, stage, None, None, end))
            before = before if end in ABSENT_BY_NATURE else None
            continue
        if before is None:
            spans.append(Span(pod, stage, None, end, PRECEDING_UNKNOWN))
            before = end
            continue
        early_ns = before.at_ns - end.at_ns
        allowed_ns = WATCH_LAG_NS + before.resolution_ns + end.resolution_ns + before.bound_ns + end.bound_ns
        if early_ns > allowed_ns and not overlapping:
            spans.append(Span(pod, stage, before, end, ORDER_CONTRADICTS))
            before = end
            continue
        spans.append(Span(pod, stage, before, end if early_ns <= 0 else _at(end, before.at_ns), None))
        before = before if early_ns > 0 else end
    return tuple(spans)


def _at(milestone: Milestone, at_ns: int) -> Milestone:
    return Milestone(at_ns, milestone.source, milestone.resolution_ns, milestone.bound_ns)
