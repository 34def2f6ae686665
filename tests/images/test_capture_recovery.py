"""A capture outlives its recorder: what was flushed is there, the gap is marked, and memory does not grow."""

import gc
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images.in_cluster import WORKSPACE, module

captures = module("ros2bench_recorder.captures")
capture = module("ros2bench_recorder.capture")
sample = module("ros2bench_recorder.sample")
gaps = module("ros2bench_recorder.gaps")

TOPIC, OTHER = "/results", "/other"
SECOND_NS = 1_000_000_000


class Recorder:
    """Captures with a clock that tests set; a new one on the same folder is the recorder after a restart."""

    def __init__(self, folder: Path, now_s: int, topics: tuple[str, ...] = (TOPIC, OTHER)) -> None:
        self.now_s, self.cpu_ns, self.behind_ns = now_s, 0, 0
        self.captures = captures.Captures(
            folder,
            10_000_000,
            topics,
            real_clock_ns=lambda: self.now_s * SECOND_NS,
            heard_until_ns=lambda: self.now_s * SECOND_NS - self.behind_ns,
            effort=lambda: capture.Effort(self.cpu_ns, self.cpu_ns // 2),
        )

    def hear(self, number: int, topic: str = TOPIC) -> None:
        """Take a message now."""
        self.captures.add(
            self.captures.number(topic), sample.Sample(frame_number=number, taken_ns=self.now_s * SECOND_NS)
        )

    def numbers(self, topic: str = TOPIC) -> list[int]:
        """Frame numbers that were kept."""
        _, parts = self.captures.samples("a", topic)
        return [row[0] for row in struct.iter_unpack("<8q", b"".join(parts))]

    def state(self) -> dict[str, Any]:
        """State of the capture, gaps in seconds."""
        state = self.captures.state("a")
        return state | {"gaps": [[start // SECOND_NS, end // SECOND_NS] for start, end in state["gaps"]]}


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """An active capture switches the collector off; a crash in a test leaves it so."""
    yield
    gc.enable()


def test_after_a_crash_the_capture_goes_on_with_a_marked_gap(tmp_path: Path) -> None:
    first = Recorder(tmp_path, 100)
    first.captures.start("a", 1000)
    first.hear(1)
    first.hear(1, OTHER)
    first.now_s, first.cpu_ns = 101, 500
    first.captures.flush()
    first.hear(2)  # never flushed: lost with the process
    second = Recorder(tmp_path, 107)
    assert second.captures.active_identifier == "a"
    assert second.state()["gaps"] == [[101, 107]]
    second.now_s = 108
    second.hear(9)
    assert second.state()["gaps"] == [[101, 108]], "one topic is still silent"
    second.now_s, second.cpu_ns = 109, 20
    second.hear(7, OTHER)
    second.now_s = 120
    second.hear(10)
    assert second.captures.stop("a").stopped_ns == 120 * SECOND_NS
    state = second.state()
    assert (second.numbers(), second.numbers(OTHER)) == ([1, 9, 10], [1, 7])
    assert state["gaps"] == [[101, 109]]
    assert (state["started_ns"], state["cpu_ns"], state["drain_busy_ns"]) == (100 * SECOND_NS, 520, 260)
    assert state["first"][TOPIC][0] == 1
    assert state["last"][TOPIC][0] == 10


def test_a_gap_begins_with_what_may_have_waited_to_be_taken_but_not_before_the_capture(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 100)
    recorder.behind_ns = 2 * SECOND_NS
    recorder.captures.start("a", 1000)
    recorder.now_s = 101
    recorder.captures.flush()
    assert Recorder(tmp_path, 109).state()["gaps"] == [[100, 109]]
    recorder.now_s = 105
    recorder.captures.flush()
    assert Recorder(tmp_path, 110).state()["gaps"] == [[103, 110]]


def test_every_restart_is_a_gap_and_a_stopped_capture_has_none_more(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 100)
    recorder.captures.start("a", 1000)
    for start_s in (110, 120):
        recorder.now_s += 1
        recorder.captures.flush()
        recorder = Recorder(tmp_path, start_s)
        recorder.hear(start_s)
    recorder.now_s = 130
    recorder.captures.stop("a")
    assert Recorder(tmp_path, 140).state()["gaps"] == recorder.state()["gaps"] == [[101, 110], [111, 120]]
    assert Recorder(tmp_path, 150).captures.active_identifier is None


def test_a_clean_stop_of_the_process_keeps_every_sample(tmp_path: Path) -> None:
    first = Recorder(tmp_path, 100)
    first.captures.start("a", 1000)
    for number in range(5):
        first.hear(number)
    first.now_s = 104
    first.captures.close()
    second = Recorder(tmp_path, 106)
    assert second.numbers() == list(range(5))
    assert second.state()["gaps"] == [[104, 106]]


def test_a_gap_in_which_nobody_spoke_again_lasts_until_the_end(tmp_path: Path) -> None:
    first = Recorder(tmp_path, 100)
    first.captures.start("a", 1000)
    first.hear(1)
    first.captures.flush()
    second = Recorder(tmp_path, 105)
    second.now_s = 130
    second.captures.stop("a")
    assert second.state()["gaps"] == [[100, 130]]


def test_drops_and_limits_survive(tmp_path: Path) -> None:
    first = Recorder(tmp_path, 100)
    first.captures.start("a", 2)
    for number in range(3):
        first.hear(number)
    first.captures.flush()
    second = Recorder(tmp_path, 105)
    second.hear(9)
    assert second.numbers() == [0, 1]
    assert second.state()["dropped"][TOPIC] == 2
    assert second.captures.budget.used_bytes == first.captures.budget.used_bytes


def test_a_torn_last_row_is_cut_off(tmp_path: Path) -> None:
    first = Recorder(tmp_path, 100)
    first.captures.start("a", 1000)
    for number in range(4):
        first.hear(number)
    first.captures.flush()
    rows = tmp_path / "a" / capture.ROWS_FILE
    rows.write_bytes(rows.read_bytes()[:-10])
    second = Recorder(tmp_path, 105)
    second.hear(9)
    assert second.numbers() == [0, 1, 2, 9]


def test_a_capture_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / capture.ROWS_FILE).write_bytes(bytes(720))
    recorder = Recorder(tmp_path, 100)
    assert list(tmp_path.iterdir()) == []
    assert recorder.captures.budget.used_bytes == 0


def test_other_topics_after_a_restart_end_the_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Recorder(tmp_path, 100)
    first.captures.start("a", 1000)
    first.hear(1)
    first.captures.flush()
    second = Recorder(tmp_path, 105, topics=("/new",))
    assert second.captures.active_identifier is None
    assert second.numbers() == [1]
    assert "capture a is ended" in capsys.readouterr().err


def test_without_earlier_samples_any_message_ends_a_gap() -> None:
    found = gaps.Gaps([(1, 2)])
    found.begin(10, ())
    found.hear(3, 15)
    found.end(99)
    assert found.listed(100) == [[1, 2], [10, 15]]


GROWING = """
import os, sys
from pathlib import Path
from ros2bench_recorder.captures import Captures
from ros2bench_recorder.sample import Sample

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

store = Captures(Path(sys.argv[1]), 10**9, ["/results", "/other"])
store.start("a", 10_000_000)
offset, sizes = 0, []
for number in range(400_000):
    store.add(0, Sample(number, *range(7)))
    if number % 10_000 == 0:
        store.flush()
        size, parts = store.samples("a", "/results", offset)
        offset += sum(len(part) for part in parts) // 64
        sizes.append(resident())
print(sizes[4], sizes[-1], offset, flush=True)
sys.stdin.read()
"""


def test_memory_does_not_grow_with_the_capture_and_a_killed_process_loses_one_second_at_most(tmp_path: Path) -> None:
    paths = [str(WORKSPACE / name) for name in ("ros2bench_recorder", "ros2bench_service", "ros2bench_telemetry")]
    process = subprocess.Popen(
        [sys.executable, "-c", GROWING, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        early, late, fetched = map(int, process.stdout.readline().split())
        process.send_signal(signal.SIGKILL)
    stored_bytes = (tmp_path / "a" / capture.ROWS_FILE).stat().st_size
    assert stored_bytes > 25_000_000
    assert late - early < 6_000_000, "what is on the disk is not in memory"
    assert fetched == 390_001
    recovered = Recorder(tmp_path, 100, topics=(TOPIC, OTHER))
    assert recovered.state()["samples"] == {TOPIC: 390_001, OTHER: 0}
