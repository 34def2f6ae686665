"""How often messages are read, which of them, and what becomes of a failure that nobody foresaw."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module
from tests.images.message_standins import find

mappings = module("ros2bench_recorder.mappings")
mapped_topic = module("ros2bench_recorder.mapped_topic")


class Float:
    """A message of one number, which its bytes spell."""

    def __init__(self, serialised: bytes) -> None:
        self.data = float(serialised)


def topic_of(rate_hz: float = 10.0, deserialise: Any = Float) -> Any:
    item = {"topic": "/progress", "preset": "mission", "maxRateHz": rate_hz}
    (mapped,) = mappings.choose([item], {}, find).topics.values()
    return mapped_topic.MappedTopic(mapped, deserialise, 0.0)


def value_of(topic: Any, now_s: float) -> float:
    ((_, (line,), _, _),) = topic.metrics(now_s)
    return float(line.rpartition(" ")[2])


def test_the_newest_messages_are_read_where_there_are_more_than_may_be() -> None:
    topic = topic_of()
    for number in range(30):
        topic.offer(str(number).encode())
    assert topic.turn(0.0) == 10
    for number in range(30, 33):
        topic.offer(str(number).encode())
    assert topic.turn(0.05) == 0
    assert topic.turn(0.1) == 1
    assert value_of(topic, 0.1) == 32


def test_a_short_burst_after_a_silence_is_read_whole() -> None:
    topic = topic_of()
    for second in range(5):
        for number in range(8):
            topic.offer(str(second * 8 + number).encode())
        assert topic.turn(float(second)) == 8


@given(
    st.floats(0.1, 20.0),
    st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(0, 60)), min_size=1, max_size=20),
)
def test_no_more_is_read_than_the_rate_allows(rate_hz: float, turns: list[tuple[float, int]]) -> None:
    topic = topic_of(rate_hz)
    now_s, read = 0.0, 0
    for pause_s, count in turns:
        now_s += pause_s
        for _ in range(count):
            topic.offer(b"1")
        read += topic.turn(now_s)
    assert read <= now_s * rate_hz + max(1, -(-rate_hz // 1)) + 1e-6


def test_a_failure_that_nobody_foresaw_ends_that_topic_alone_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    def fails(_: bytes) -> Any:
        raise KeyError("surprise")

    broken, well = topic_of(100.0, fails), topic_of(100.0)
    reader = mapped_topic.MappingReader([broken, well])
    broken.offer(b"1")
    reader.start()
    deadline_s = time.monotonic() + 10
    while not (broken.problem and well.messages_read) and time.monotonic() < deadline_s:
        well.offer(b"0.5")
        time.sleep(0.01)
    reader.stop(5.0)
    assert broken.status() == {"topic": "/progress", "problem": "reading ended: KeyError: 'surprise'", "series": 0}
    assert value_of(well, 0.0) == 0.5
    assert "reading ended" in capfd.readouterr().err


def test_without_mappings_there_is_no_thread() -> None:
    reader = mapped_topic.MappingReader([])
    reader.start()
    reader.stop(0.0)
