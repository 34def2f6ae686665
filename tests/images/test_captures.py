"""Capture buffers: every sample kept in order, limits honoured, states as the contract says."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

captures = module("ros2bench_recorder.captures")
topic_recorder = module("ros2bench_recorder.topic_recorder")
tally = module("ros2bench_recorder.tally")
configuration = module("ros2bench_recorder.configuration")

TOPIC = "/results"
VALUE = st.integers(-(2**63), 2**63 - 1)
SAMPLES = st.lists(st.tuples(*[VALUE] * 8), max_size=50)


@pytest.fixture
def store() -> Any:
    return captures.Captures([TOPIC, "/other"], real_clock_ns=lambda: 42, cpu_clock_ns=lambda: 7)


@given(SAMPLES, st.integers(1, 40))
def test_buffer_gives_back_what_it_took(samples: list[tuple[int, ...]], limit: int) -> None:
    buffer = captures.SampleBuffer(limit)
    for sample in samples:
        buffer.add(captures.Sample(*sample))
    kept = samples[:limit]
    content = b"".join(buffer.parts(buffer.count))
    assert list(struct.iter_unpack("<8q", content)) == kept
    assert buffer.dropped == len(samples) - len(kept)
    assert [buffer.sample(index) for index in range(buffer.count)] == kept


def test_buffer_grows_over_chunks() -> None:
    count = captures.ROWS_PER_CHUNK * 2 + 3
    buffer = captures.SampleBuffer(count)
    for number in range(count):
        buffer.add(captures.Sample(frame_number=number))
    content = b"".join(buffer.parts(count))
    assert len(content) == count * 64
    assert [row[0] for row in struct.iter_unpack("<8q", content)] == list(range(count))


def test_only_an_active_capture_keeps_samples(store: Any) -> None:
    store.add(TOPIC, captures.Sample(frame_number=1))
    store.start("a", 10)
    store.add(TOPIC, captures.Sample(frame_number=2))
    store.stop("a")
    store.add(TOPIC, captures.Sample(frame_number=3))
    state = store.state("a")
    assert state["samples"] == {TOPIC: 1, "/other": 0}
    assert state["first"] == {TOPIC: (2, *[-1] * 7), "/other": None}
    assert (state["active"], state["started_ns"], state["stopped_ns"], state["cpu_ns"]) == (False, 42, 42, 0)


def test_stopping_again_changes_nothing(store: Any) -> None:
    store.start("a", 10)
    assert store.active_identifier == "a"
    store.stop("a")
    store.stop("a")
    assert store.active_identifier is None


@pytest.mark.parametrize(
    ("identifier", "max_samples", "status"),
    [("a", 10, 409), ("b", 10, 409), ("", 10, 400), ("../x", 10, 400), (3, 10, 400), ("c", 0, 400), ("c", True, 400)],
)
def test_refusals_beside_an_active_capture(store: Any, identifier: Any, max_samples: Any, status: int) -> None:
    store.start("a", 10)
    with pytest.raises(captures.CaptureError) as refused:
        store.start(identifier, max_samples)
    assert refused.value.status == status


def test_active_capture_cannot_be_deleted_and_a_deleted_one_is_gone(store: Any) -> None:
    store.start("a", 10)
    with pytest.raises(captures.CaptureError, match="stop it first"):
        store.delete("a")
    store.stop("a")
    store.delete("a")
    with pytest.raises(captures.CaptureError, match="no capture 'a'"):
        store.state("a")
    store.start("a", 10)


def test_number_of_kept_captures_is_limited(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "CAPTURES_KEPT", 3)
    for number in range(captures.CAPTURES_KEPT):
        store.start(f"c{number}", 1)
        store.stop(f"c{number}")
    with pytest.raises(captures.CaptureError, match="delete one"):
        store.start("more", 1)


def test_message_becomes_a_sample_and_a_count(store: Any) -> None:
    topic = configuration.Topic(TOPIC, "p/msg/T", "reliable", 10, "ros2bench")
    recorder = topic_recorder.TopicRecorder(topic, store)
    store.start("a", 10)
    message = b"\x00\x01\x00\x00" + struct.pack("<iIQiI", 1, 0, 9, 1, 500)
    info = {"source_timestamp": 1_000_001_000, "received_timestamp": 1_020_000_000, "publication_sequence_number": 4}
    recorder.record(message, info)
    recorder.record(b"\x00\x01", {"source_timestamp": 1, "received_timestamp": 2})
    first, last = store.state("a")["first"][TOPIC], store.state("a")["last"][TOPIC]
    assert first[:5] == (9, 1_000_000_000, 1_000_000_500, 1_000_001_000, 1_020_000_000)
    assert first.sequence_number == 4
    assert first.taken_ns > 0
    assert first.monotonic_ns > 0
    assert last[:3] == (-1, -1, -1)
    assert last.sequence_number == -1
    assert (recorder.tally.received, recorder.unreadable) == (2, 1)
    assert recorder.tally.latency_sum_ns == 20_000_000 + 1


def test_latency_bounds_are_those_of_the_contract() -> None:
    assert tally.LATENCY_BOUNDS_S[0] == pytest.approx(20e-6)
    assert tally.LATENCY_BOUNDS_S[-1] == pytest.approx(10)
    assert list(tally.LATENCY_BOUNDS_S) == sorted(tally.LATENCY_BOUNDS_S)


@given(st.lists(st.integers(1, 500), unique=True, min_size=1))
def test_losses_of_one_publisher_are_its_gaps(numbers: list[int]) -> None:
    gaps = tally.SequenceGaps()
    for number in sorted(numbers):
        gaps.add(number)
    assert gaps.lost == max(numbers) - min(numbers) + 1 - len(numbers)


def test_two_publishers_and_a_restart_are_no_losses() -> None:
    gaps = tally.SequenceGaps()
    for number in (1000, 1, 1001, 2, 1002, 3, -1, 4, 1003):
        gaps.add(number)
    assert gaps.lost == 0
    gaps.add(1006)
    assert gaps.lost == 2
