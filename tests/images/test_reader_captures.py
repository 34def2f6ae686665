"""Captures of the machine reader: rows on disk, restarts, limits, and the thread that fills them."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images import machine_files as files
from tests.images.in_cluster import module

captures = module("ros2bench_machine_reader.captures")
rows_file = module("ros2bench_machine_reader.rows_file")
reading = module("ros2bench_machine_reader.reading")
routing = module("ros2bench_machine_reader.routing")
sources = module("ros2bench_machine_reader.sources")
ByteBudget = module("ros2bench_service.capture_file").ByteBudget
SECOND_NS = 1_000_000_000
START: dict[str, Any] = {"capture": "c", "pods": [files.UID], "period_s": 0.1, "max_s": 60}


class Clock:
    """A clock that is set by hand, in ns."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * SECOND_NS

    def __call__(self) -> int:
        """Time."""
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Any]:
    """Take up the folder as a process that starts now."""

    def made(limit_bytes: int = 1_000_000, absent: Sequence[Any] = ()) -> Any:
        return captures.Captures(tmp_path, limit_bytes, 0.1, absent, real_clock_ns=clock, cpu_clock_ns=clock)

    return made


def row(pod: str, number: int) -> list[Any]:
    return [number, number, pod, files.ID, number, 0, 0, 0, 0, 0, None]


def fetched(found: Any, kind: str = "containers", offset: int = 0, limit: int = 1000) -> list[Any]:
    return [json.loads(line) for line in found.series("c", kind, offset, limit)[0]]


@given(count=st.integers(0, 700), offset=st.integers(0, 800), limit=st.integers(1, 800))
def test_any_part_of_the_rows_comes_back(
    tmp_path_factory: pytest.TempPathFactory, count: int, offset: int, limit: int
) -> None:
    file = rows_file.RowsFile(tmp_path_factory.mktemp("rows") / "x", ByteBudget(10**7))
    file.add([[number, "x" * (number % 7)] for number in range(count)])
    wanted = list(range(count))[offset : offset + limit]
    assert [json.loads(line)[0] for line in file.lines(offset, limit)] == wanted
    file.close()


def test_a_torn_row_is_cut_off_and_rows_are_counted_anew(tmp_path: Path) -> None:
    path = tmp_path / "x"
    file = rows_file.RowsFile(path, ByteBudget(10**6))
    file.add([[number] for number in range(600)])
    file.close()
    path.write_bytes(path.read_bytes() + b"[600, ")
    again = rows_file.RowsFile(path, ByteBudget(10**6))
    again.add([[601]])
    assert again.count == 601
    assert [json.loads(line)[0] for line in again.lines(598, 10)] == [598, 599, 601]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_row_that_is_no_number_is_dropped_and_counted(tmp_path: Path, value: float) -> None:
    file = rows_file.RowsFile(tmp_path / "x", ByteBudget(10**6))
    file.add([[1.0], [value], [2.0]])
    assert (file.count, file.dropped) == (2, 1)


def test_a_capture_gets_the_rows_of_its_pods_alone(make: Callable[..., Any]) -> None:
    found = make()
    capture = found.start(START)
    found.add(capture, "containers", [row(files.UID, 1), row(files.OTHER_UID, 2), row(files.UID, 3)])
    found.add(capture, "machine", [[1, 2, 3]])
    assert [each[0] for each in fetched(found)] == [1, 3]
    assert fetched(found, "machine") == [[1, 2, 3]]
    assert found.state("c")["rows"] == {"containers": 2, "processes": 0, "machine": 1, "power": 0, "gpu": 0}


def test_a_capture_goes_on_after_a_restart_with_a_gap(make: Callable[..., Any], clock: Clock) -> None:
    first = make()
    capture = first.start(START)
    first.note_columns(capture, "containers", {"io_write_bytes": "cgroup_v1_buffered"})
    first.add(capture, "containers", [row(files.UID, 1)])
    clock.now_ns += SECOND_NS
    first.flush()
    clock.now_ns += 3 * SECOND_NS
    again = make()
    (active,) = again.active()
    again.add(active, "containers", [row(files.UID, 2)])
    state = again.stop("c")
    assert state["gaps"] == [[1_001 * SECOND_NS, 1_004 * SECOND_NS]]
    assert [each[0] for each in fetched(again)] == [1, 2]
    assert again.series("c", "containers", 0, 1)[2] == {"io_write_bytes": "cgroup_v1_buffered"}
    # What a restarted process is told of its own processor time is added to what the first had.
    assert state["cpu_ns"] == SECOND_NS


def test_a_capture_whose_time_passes_while_nobody_runs_has_ended(make: Callable[..., Any], clock: Clock) -> None:
    make().start(START)
    clock.now_ns += 100 * SECOND_NS
    again = make()
    state = again.state("c")
    assert (state["active"], state["stopped_ns"]) == (False, 1_060 * SECOND_NS)
    assert state["gaps"] == [[1_000 * SECOND_NS, 1_060 * SECOND_NS]]


def test_a_capture_ends_itself_and_takes_nothing_more(make: Callable[..., Any], clock: Clock) -> None:
    found = make()
    capture = found.start(START)
    clock.now_ns += 61 * SECOND_NS
    assert found.active() == []
    found.add(capture, "containers", [row(files.UID, 1)])
    assert found.state("c")["rows"]["containers"] == 0
    found.flush()
    assert json.loads((capture.folder / "capture.json").read_text())["stopped_ns"] == 1_060 * SECOND_NS


def test_what_does_not_fit_is_counted_never_overwritten(make: Callable[..., Any]) -> None:
    found = make(limit_bytes=400)
    capture = found.start(START)
    found.add(capture, "containers", [row(files.UID, number) for number in range(10)])
    state = found.state("c")
    kept = state["rows"]["containers"]
    assert 0 < kept < 10
    assert state["dropped"]["containers"] == 10 - kept
    assert [each[0] for each in fetched(found)] == list(range(kept))


def test_room_of_a_deleted_capture_is_free_again(make: Callable[..., Any], tmp_path: Path) -> None:
    found = make(limit_bytes=400)
    for _ in range(5):
        capture = found.start(START)
        found.add(capture, "containers", [row(files.UID, 1)])
        assert found.stop("c")["rows"]["containers"] == 1
        found.delete("c")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_state_is_removed_and_the_others_stay(make: Callable[..., Any], tmp_path: Path) -> None:
    make().start(START)
    for name, text in (("torn", "{"), ("old", "{}"), ("other", "[]")):
        files.write(tmp_path / name, {"capture.json": text, "machine.jsonl": "[1]\n"})
    assert [capture.identifier for capture in make().active()] == ["c"]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("capture", "../x", "letters, digits"),
        ("capture", 5, "letters, digits"),
        ("pods", "all", "list of at most"),
        ("pods", ["x"], "UIDs"),
        ("pods", [files.UID] * 257, "at most 256"),
        ("period_s", 0.01, "from 0.1 to"),
        ("period_s", True, "must be a number"),
        ("period_s", float("nan"), "must be a number"),
        ("max_s", 10**9, "to 86400"),
        ("max_s", None, "must be a number"),
    ],
)
def test_what_cannot_be_captured_is_refused(make: Callable[..., Any], key: str, value: object, said: str) -> None:
    with pytest.raises(routing.CallRefused, match=said) as refused:
        make().start(START | {key: value})
    assert refused.value.status == 400


def test_a_name_is_used_once_and_an_active_capture_is_not_deleted(make: Callable[..., Any]) -> None:
    found = make()
    found.start(START)
    for call, status in (
        (lambda: found.start(START), 409),
        (lambda: found.delete("c"), 409),
        (lambda: found.stop("d"), 404),
    ):
        with pytest.raises(routing.CallRefused) as refused:
            call()
        assert refused.value.status == status


def test_a_kind_that_the_machine_lacks_is_missing_in_every_capture(make: Callable[..., Any]) -> None:
    found = make(absent=[sources.Absent("power", "no_power_source")])
    found.start(START)
    assert found.series("c", "power", 0, 10) == ([], "no_power_source", {})
    with pytest.raises(routing.CallRefused, match="choices"):
        found.series("c", "weather", 0, 10)


def test_a_reading_late_moves_no_later_reading_and_is_counted() -> None:
    schedule = reading.Schedule(100, 1000)
    assert (schedule.begun(1000), schedule.due_ns) == (0, 1100)
    assert (schedule.begun(1140), schedule.due_ns) == (0, 1200)
    assert (schedule.begun(1260), schedule.due_ns) == (1, 1300)
    assert (schedule.begun(1530), schedule.due_ns) == (2, 1600)


@given(lateness=st.lists(st.integers(0, 500), min_size=1, max_size=50))
def test_readings_are_always_due_at_whole_periods_and_never_in_the_past(lateness: list[int]) -> None:
    schedule, now = reading.Schedule(100, 0), 0
    for late in lateness:
        now = max(now, schedule.due_ns) + late
        schedule.begun(now)
        assert schedule.due_ns % 100 == 0
        assert now < schedule.due_ns <= now + 100


@given(period=st.integers(1, 20), steps=st.lists(st.integers(1, 5), min_size=20, max_size=80))
def test_a_capture_with_a_longer_period_gets_as_many_readings_as_it_asked_for(period: int, steps: list[int]) -> None:
    """Whole readings of 100, each up to 5 late; the number of readings is that of whole periods."""
    capture = captures.Capture("c", Path(), frozenset(), period_ns=period * 100, started_ns=0, ends_ns=0)
    taken = sum(capture.falls_due(number * 100 + step, 50) for number, step in enumerate(steps))
    assert taken == 1 + (len(steps) - 1) // period


def test_a_source_that_hangs_delays_no_other(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = make()
    release, read = threading.Event(), threading.Event()

    def hang(_: Sequence[Any]) -> None:
        release.wait(5)

    def count(_: Sequence[Any]) -> None:
        read.set()

    threads = [reading.Reading("hung", found, 0.01, hang), reading.Reading("other", found, 0.01, count)]
    found.start(START)
    try:
        for thread in threads:
            thread.start()
        assert read.wait(5)
    finally:
        release.set()
        for thread in threads:
            thread.stop()


def test_the_machine_is_read_when_its_row_says_however_long_its_pods_take(make: Callable[..., Any]) -> None:
    class Pods:
        missing: Mapping[str, Any] = {"containers": {}, "processes": {}}

        def read(self, wanted: frozenset[str]) -> dict[str, list[Any]]:
            del wanted
            time.sleep(0.05)
            return {"containers": [], "processes": []}

    class Machine:
        kind = "machine"
        missing: Mapping[str, Any] = {}

        def read(self, time_ns: int, monotonic_ns: int) -> list[Any]:
            return [[time_ns, monotonic_ns, time.monotonic_ns() - monotonic_ns, 0, 0, 0, 0, 0]]

    found = make()
    found.start(START)
    reading.read_kernel(found, Pods(), Machine(), 0.1)(found.active())
    ((_, _, age_ns, *_),) = fetched(found, "machine")
    assert 0 <= age_ns < 0.04 * SECOND_NS


def test_a_source_that_fails_or_tells_why_not_is_noted_and_read_again(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found, done = make(), threading.Event()
    answers: list[Any] = [OSError("broken"), sources.Missing("tegrastats_silent"), [[1, 2, "VDD_IN", 5.0, None, True]]]

    class Source:
        """Breaks, has nothing, then answers."""

        kind, name = "power", "stand-in"

        def read(self, *_times: int) -> Any:
            answer = answers.pop(0) if answers else []
            if not answers:
                done.set()
            if isinstance(answer, Exception):
                raise answer
            return answer

    newest = reading.Newest()
    thread = reading.Reading("power-stand-in", found, 0.01, reading.read_source(found, Source(), newest))
    found.start(START)
    thread.start()
    assert done.wait(5)
    thread.stop()
    assert found.series("c", "power", 0, 10)[1] == "tegrastats_silent"
    assert fetched(found, "power") == [[1, 2, "VDD_IN", 5.0, None, True]]
    assert found.state("c")["failed_reads"] == {"power-stand-in": 1}
    assert "broken" in capsys.readouterr().err
    assert [list(row) for row in newest.rows("power")] == [[1, 2, "VDD_IN", 5.0, None, True]]


def test_old_rows_are_told_to_nobody() -> None:
    now_s = [100.0]
    newest = reading.Newest(lambda: now_s[0])
    newest.note("power", [[1, 2, "VDD_IN", 5.0, None, True]])
    assert not newest.is_asked()
    assert len(newest.rows("power")) == 1
    assert newest.is_asked()
    now_s[0] += 3
    assert newest.rows("power") == []
    now_s[0] += 100
    assert not newest.is_asked()
