"""The recorder's counts as Prometheus text, made only when somebody asks. Needs no ROS.

What is not known is left out: a publisher that numbers nothing has no count of losses.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ros2bench_recorder.cdr import MISSING
from ros2bench_recorder.mapped_topic import MappedTopic
from ros2bench_recorder.mapping import MappedValue, Problem
from ros2bench_recorder.tally import LATENCY_BOUNDS_S, NANOSECONDS_PER_SECOND, Tally
from ros2bench_service.exposition import (
    HistogramLines,
    Number,
    document,
    family,
    head,
    labels_text,
)

LATENCY = 'ros2bench_message_latency_seconds'
LATENCY_MEANING = (
    'From intended time (else DDS source time) to DDS receipt; between two machines it contains '
    'the offset of their clocks.'
)
UUID = r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
# The name of a run's capture is the run's and the number of the repetition.
CAPTURE_OF_RUN = re.compile(rf'({UUID})-\d+')
NO_METRIC = 'unknown'


@dataclass(frozen=True)
class Watched:
    """A topic as it is counted.

    Attributes:
        name: of the topic.
        tally: its counts.
        expected_rate_hz: what its source intends to send; None where nobody says it.
    """

    name: str
    tally: Tally
    expected_rate_hz: float | None = None


@dataclass(frozen=True)
class Moment:
    """What is known of now beside the counts.

    Attributes:
        publishers: matched publishers by topic; topics of which it is unknown are left out.
        nodes: by name whether a node is there: those that are, and those that should be.
        capture: name of the active capture; None while there is none.
        cpu_ns: processor time of this process.
        memory_bytes: what it occupies.
        monotonic_s: CLOCK_MONOTONIC.
    """

    publishers: Mapping[str, int]
    nodes: Mapping[str, bool]
    capture: str | None
    cpu_ns: int
    memory_bytes: int
    monotonic_s: float


@dataclass(frozen=True)
class Mapped:
    """What comes from fields of messages.

    Attributes:
        topics: those that are read.
        problems: mappings that cannot be used.
    """

    topics: Sequence[MappedTopic] = ()
    problems: Sequence[Problem] = field(default=())


def run_of(capture: str | None) -> str | None:
    """The run that a capture belongs to; None for captures that a person or a proof has begun."""
    match = CAPTURE_OF_RUN.fullmatch(capture or '')
    return match[1] if match else None


class Exposition:
    """Makes the text. What never changes is made once."""

    def __init__(self, watched: Sequence[Watched], mapped: Mapped) -> None:
        """Prepare it.

        Args:
            watched: every topic that is subscribed to.
            mapped: metrics from fields of messages.
        """
        self._watched = [(each, labels_text({'topic': each.name})) for each in watched]
        self._latencies = [
            (each.tally, HistogramLines(LATENCY, LATENCY_BOUNDS_S, {'topic': each.name}))
            for each in watched
        ]
        self._mapped = mapped

    def text(self, moment: Moment) -> bytes:
        """The text as of now."""
        lines = [*self._counts(), *self._topics(moment), *_own(moment)]
        return document((*lines, *_mapped(self._mapped, moment.monotonic_s)))

    def _counts(self) -> Iterable[str]:
        tallies = [(labels, each.tally) for each, labels in self._watched]
        yield from family(
            'ros2bench_messages_total',
            'counter',
            'Messages taken from the topic.',
            ((labels, tally.received) for labels, tally in tallies),
        )
        yield from family(
            'ros2bench_message_bytes_total',
            'counter',
            'Serialised size of the messages taken from the topic.',
            ((labels, tally.size_bytes) for labels, tally in tallies),
        )
        yield from family(
            'ros2bench_messages_lost_total',
            'counter',
            "Gaps in the publisher's sequence numbers.",
            _known((labels, tally.lost) for labels, tally in tallies),
        )
        yield from family(
            'ros2bench_messages_late_total',
            'counter',
            'Messages whose latency was above one period of the expected rate.',
            _known((labels, tally.late) for labels, tally in tallies),
        )
        yield from family(
            'ros2bench_messages_from_the_future_total',
            'counter',
            'Messages with a latency below zero: the clocks of source and recorder differ.',
            _known((labels, tally.from_the_future) for labels, tally in tallies),
        )
        if self._latencies:
            yield from head(LATENCY, 'histogram', LATENCY_MEANING)
        for tally, latency in self._latencies:
            total_s = tally.latency_sum_ns / NANOSECONDS_PER_SECOND
            yield from latency.lines(tuple(tally.latency_counts), total_s)

    def _topics(self, moment: Moment) -> Iterable[str]:
        yield from family(
            'ros2bench_topic_last_message_timestamp_seconds',
            'gauge',
            'Receipt of the last message, Unix time.',
            (
                (labels, each.tally.arrived_ns / NANOSECONDS_PER_SECOND)
                for each, labels in self._watched
                if each.tally.arrived_ns != MISSING
            ),
        )
        yield from family(
            'ros2bench_topic_expected_rate_hertz',
            'gauge',
            'Rate at which the source intends to send.',
            _known((labels, each.expected_rate_hz) for each, labels in self._watched),
        )
        yield from family(
            'ros2bench_topic_publishers',
            'gauge',
            'Publishers that are matched.',
            _known((labels, moment.publishers.get(each.name)) for each, labels in self._watched),
        )


def _own(moment: Moment) -> Iterable[str]:
    yield from family(
        'ros2bench_node_up',
        'gauge',
        'Whether a node is in the ROS graph.',
        ((labels_text({'node': name}), int(up)) for name, up in moment.nodes.items()),
    )
    run = run_of(moment.capture)
    yield from family(
        'ros2bench_run_info',
        'gauge',
        'The run whose capture is active.',
        [(labels_text({'run': run}), 1)] if run else [],
    )
    yield from family(
        'ros2bench_recorder_cpu_seconds_total',
        'counter',
        'Processor time of the recorder itself.',
        [('', moment.cpu_ns / NANOSECONDS_PER_SECOND)],
    )
    yield from family(
        'ros2bench_recorder_memory_bytes',
        'gauge',
        'Memory that the recorder itself occupies.',
        [('', moment.memory_bytes)],
    )


def _mapped(mapped: Mapped, now_s: float) -> Iterable[str]:
    """Mapped metrics: a name that several topics have is one metric with the series of all."""
    if not mapped.topics and not mapped.problems:
        return
    found: dict[str, tuple[MappedValue, list[str]]] = {}
    errors: dict[str, int] = {}
    dropped: dict[str, int] = {}
    for topic in mapped.topics:
        for value, lines, failed, beyond in topic.metrics(now_s):
            found.setdefault(value.name, (value, []))[1].extend(lines)
            errors[value.name] = errors.get(value.name, 0) + failed
            dropped[value.name] = dropped.get(value.name, 0) + beyond
    for problem in mapped.problems:
        for name in problem.metrics or (NO_METRIC,):
            errors[name] = errors.get(name, 0) + 1
    for name, (value, lines) in found.items():
        if lines:
            yield from head(name, TYPES[value.kind], value.help)
            yield from lines
    yield from family(
        'ros2bench_mapping_errors_total',
        'counter',
        'Values that could not be read, and mappings that cannot be used.',
        ((labels_text({'metric': name}), count) for name, count in errors.items()),
    )
    yield from family(
        'ros2bench_mapping_series_dropped_total',
        'counter',
        'Values of label sets above the limit of a mapping.',
        ((labels_text({'metric': name}), count) for name, count in dropped.items()),
    )


TYPES = {
    'gauge': 'gauge',
    'state': 'gauge',
    'counter': 'counter',
    'events': 'counter',
    'histogram': 'histogram',
}


def _known(samples: Iterable[tuple[str, Number | None]]) -> Iterable[tuple[str, Number]]:
    return ((labels, value) for labels, value in samples if value is not None)
