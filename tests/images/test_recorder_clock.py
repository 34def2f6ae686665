"""A recorder whose clock is shifted looks like one on another machine, and shifts nothing but its own times."""

import time
from typing import Any

import pytest

from tests.images.in_cluster import module

clock = module("ros2bench_recorder.clock")
configuration = module("ros2bench_recorder.configuration")
sample = module("ros2bench_recorder.sample")
topic_recorder = module("ros2bench_recorder.topic_recorder")
OFFSET_NS = 5_000_000_000


class Kept:
    """Takes samples instead of a capture."""

    def __init__(self) -> None:
        self.samples: list[Any] = []

    def number(self, topic: str) -> int:
        """Number of the only topic."""
        assert topic == "/results"
        return 0

    def add(self, topic: int, row: Any) -> None:
        """Keep a sample."""
        assert topic == 0
        self.samples.append(sample.Sample(*row))


def sample_with(offset_ns: int) -> Any:
    topic, kept = configuration.Topic("/results", "std_msgs/msg/Empty", "reliable", 1, "none"), Kept()
    recorder = topic_recorder.TopicRecorder(topic, kept, offset_ns)
    recorder.record(b"", {"source_timestamp": 10, "received_timestamp": 30})
    return kept.samples[0]


def test_only_the_recorders_own_times_move() -> None:
    plain, shifted = sample_with(0), sample_with(OFFSET_NS)
    assert plain.source_ns == shifted.source_ns == 10
    assert shifted.received_ns - plain.received_ns == OFFSET_NS
    assert abs(shifted.taken_ns - plain.taken_ns - OFFSET_NS) < 10**9
    assert abs(shifted.monotonic_ns - plain.monotonic_ns) < 10**9


def test_what_has_no_time_gets_none() -> None:
    topic, kept = configuration.Topic("/results", "std_msgs/msg/Empty", "reliable", 1, "none"), Kept()
    topic_recorder.TopicRecorder(topic, kept, OFFSET_NS).record(b"", {})
    assert kept.samples[0].received_ns == -1


def test_a_shifted_clock_is_another_machines() -> None:
    plain, shifted = clock.RecorderClock(0), clock.RecorderClock(-7)
    assert abs(clock.RecorderClock(OFFSET_NS).real_time_ns() - time.time_ns() - OFFSET_NS) < 10**9
    assert shifted.boot_id() == f"{plain.boot_id()}-7"
    assert clock.RecorderClock(7).boot_id() == f"{plain.boot_id()}+7"


def test_environment_gives_the_offset_or_is_refused() -> None:
    assert clock.offset_of({}) == 0
    assert clock.offset_of({clock.VARIABLE: "-2000000000"}) == -2_000_000_000
    for text in ("1 ms", "1e6", "9" * 30):
        with pytest.raises(configuration.ConfigurationError, match="must be whole nanoseconds"):
            clock.offset_of({clock.VARIABLE: text})
