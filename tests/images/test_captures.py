"""Captures: every sample kept in order, limits honoured, states as the contract says."""

import errno
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

captures = module("ros2bench_recorder.captures")
capture = module("ros2bench_recorder.capture")
sample = module("ros2bench_recorder.sample")
topic_recorder = module("ros2bench_recorder.topic_recorder")
tally = module("ros2bench_recorder.tally")
configuration = module("ros2bench_recorder.configuration")

TOPIC = "/results"
TOPICS = [TOPIC, "/other"]
LIMIT_BYTES = 10_000_000
VALUE = st.integers(-(2**63), 2**63 - 1)
STEPS = st.lists(st.tuples(st.sampled_from(TOPICS), st.tuples(*[VALUE] * 8), st.booleans()), max_size=40)


def made(folder: Path, limit_bytes: int = LIMIT_BYTES) -> Any:
    return captures.Captures(folder, limit_bytes, TOPICS, real_clock_ns=lambda: 42, effort=lambda: capture.Effort(7, 3))


def fetched(store: Any, topic: str = TOPIC, *span: int) -> list[tuple[int, ...]]:
    size_bytes, parts = store.samples("a", topic, *span)
    content = b"".join(parts)
    assert len(content) == size_bytes
    return list(struct.iter_unpack("<8q", content))


@pytest.fixture
def store(tmp_path: Path) -> Any:
    return made(tmp_path)


@given(STEPS, st.integers(1, 30), st.integers(0, 40), st.integers(0, 40))
def test_every_sample_of_every_topic_comes_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], limit: int, offset: int, count: int
) -> None:
    store = made(tmp_path_factory.mktemp("captures"))
    store.start("a", limit)
    for topic, row, is_flushed in steps:
        store.add(TOPICS.index(topic), sample.Sample(*row))
        if is_flushed:
            store.flush()
    for topic in TOPICS:
        sent = [row for name, row, _ in steps if name == topic]
        assert fetched(store, topic) == sent[:limit]
        assert fetched(store, topic, offset, count) == sent[:limit][offset : offset + count]
        assert store.state("a")["dropped"][topic] == len(sent[limit:])
    store.close()


def test_fetching_goes_on_where_it_ended(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "READ_BYTES", 3 * sample.ROW_BYTES)
    store.start("a", 1000)
    got: list[int] = []
    for number in range(100):
        store.add(number % 2, sample.Sample(frame_number=number))
        if number % 7 == 0:
            store.flush()
            got += [row[0] for row in fetched(store, TOPIC, len(got))]
    got += [row[0] for row in fetched(store, TOPIC, len(got))]
    assert got == list(range(0, 100, 2))
    assert [row[0] for row in fetched(store, TOPIC, 10, 3)] == [20, 22, 24]
    assert fetched(store, TOPIC, 1000) == []


def test_a_full_folder_is_counted_and_nothing_is_overwritten(tmp_path: Path) -> None:
    store = made(tmp_path, 3 * sample.ROW_BYTES)
    store.start("a", 1000)
    for number in range(5):
        store.add(0, sample.Sample(frame_number=number))
    store.stop("a")
    assert store.state("a")["dropped"] == {TOPIC: 2, "/other": 0}
    assert [row[0] for row in fetched(store)] == [0, 1, 2]
    store.delete("a")
    assert store.budget.used_bytes == 0
    store.start("a", 1000)
    store.add(0, sample.Sample())
    assert store.state("a")["dropped"] == {TOPIC: 0, "/other": 0}


def test_a_disk_that_cannot_be_written_refuses_the_start(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(captures.CaptureError, match="cannot be stored") as refused:
        store.start("a", 10)
    assert refused.value.status == 507
    assert store.active_identifier is None

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(capture, "write_state", full)
        with pytest.raises(captures.CaptureError, match="No space left on device"):
            store.start("b", 10)
    assert not (tmp_path / "b").exists()
    store.start("b", 10)


def test_only_an_active_capture_keeps_samples(store: Any) -> None:
    store.add(0, sample.Sample(frame_number=1))
    store.start("a", 10)
    store.add(0, sample.Sample(frame_number=2))
    store.stop("a")
    store.add(0, sample.Sample(frame_number=3))
    state = store.state("a")
    assert state["samples"] == {TOPIC: 1, "/other": 0}
    assert state["first"] == {TOPIC: (2, *[-1] * 7), "/other": None}
    assert (state["active"], state["started_ns"], state["stopped_ns"]) == (False, 42, 42)
    assert (state["cpu_ns"], state["drain_busy_ns"], state["gaps"], state["disk_error"]) == (0, 0, [], None)


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
    first, last = sample.Sample(*first), sample.Sample(*last)
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
