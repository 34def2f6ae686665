"""The recorder's counts as Prometheus text, made only when somebody asks."""

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from ros2bench_recorder.tally import LATENCY_BOUNDS_S, NANOSECONDS_PER_SECOND, Tally

LABELS = ('topic',)


class RecorderCollector(Collector):
    """Turns the tallies of all topics into metric families."""

    def __init__(self, tallies: Mapping[str, Tally]) -> None:
        self._tallies = tallies

    def collect(self) -> Iterator[Metric]:
        """Metric families of this moment."""
        received = CounterMetricFamily(
            'ros2bench_messages', 'Messages taken from the topic.', labels=LABELS
        )
        lost = CounterMetricFamily(
            'ros2bench_messages_lost', "Gaps in the publisher's sequence numbers.", labels=LABELS
        )
        latency = HistogramMetricFamily(
            'ros2bench_message_latency_seconds',
            'From intended time (else DDS source time) to DDS receipt.',
            labels=LABELS,
        )
        for topic, tally in self._tallies.items():
            received.add_metric([topic], tally.received)
            lost.add_metric([topic], tally.lost)
            buckets, total = [], 0
            bounds = (*(f'{bound:g}' for bound in LATENCY_BOUNDS_S), '+Inf')
            for bound, count in zip(bounds, tuple(tally.latency_counts), strict=True):
                total += count
                buckets.append((bound, total))
            latency.add_metric([topic], buckets, tally.latency_sum_ns / NANOSECONDS_PER_SECOND)
        yield from (received, lost, latency)
        yield CounterMetricFamily(
            'ros2bench_recorder_cpu_seconds',
            'Processor time of the recorder itself.',
            value=time.process_time(),
        )


def exposition(tallies: Mapping[str, Tally]) -> bytes:
    """Prometheus text of all topics."""
    registry = CollectorRegistry()
    registry.register(RecorderCollector(tallies))
    return generate_latest(registry)
