"""The program tegrastats, which prints, stops printing, ends and prints nonsense: here a stand-in of it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.standins import boards
from probes.evidence import SeriesTable
from probes.power_series import machine_power
from probes.samples import Window
from tests.images.in_cluster import module
from tests.images.test_tegrastats import RECORDED

process = module("ros2bench_machine_reader.tegrastats_process")
tegrastats_source = module("ros2bench_machine_reader.tegrastats_source")
tegrastats = module("ros2bench_machine_reader.tegrastats")
sources = module("ros2bench_machine_reader.sources")

STANDIN = str(boards.PROGRAM)
INTERVAL_S = 0.02
ORIN_NANO = RECORDED[7]
Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the stand-in with a scenario."""
    started: list[Any] = []

    def run(**scenario: Any) -> Any:
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps({"line": ORIN_NANO, "then": "again", **scenario}), encoding="utf-8")
        monkeypatch.setenv("TEGRASTATS_STANDIN", str(path))
        made = process.TegrastatsProcess([STANDIN], INTERVAL_S, first_pause_s=0.05, least_silence_s=0.1)
        started.append(made)
        return made

    yield run
    for made in started:
        made.close()


def until(condition: Callable[[], Any], limit_s: float = 10.0) -> Any:
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def rows_of(source: Any) -> list[Any]:
    found = source.read(0, 0)
    return [] if isinstance(found, sources.Missing) else list(found)


def test_energy_from_the_program_to_the_joule(start: Start) -> None:
    source = tegrastats_source.TegrastatsSource("power", start(steps=[{"s": 60, "rails": {"VDD_IN": 5000}}]))
    rows: list[Any] = []

    until(lambda: rows.extend(rows_of(source)) or len(rows) > 3 * 30)
    window = Window(rows[0][0], rows[-1][0])
    table = SeriesTable(("time_ns", "monotonic_ns", *sources.COLUMNS["power"]), tuple(rows))
    # How even the lines come is this machine's affair; that the joules are right is ours.
    found = machine_power(table, window, period_s=10.0)
    assert found.total == pytest.approx(5.0)
    assert found.total_rails == ("VDD_IN",)
    assert set(found.rails) == {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"}


def test_no_line_is_given_twice(start: Start) -> None:
    source = tegrastats_source.TegrastatsSource("gpu", start(steps=[{"s": 60, "gpu_percent": 30}]))
    rows: list[Any] = []
    until(lambda: rows.extend(rows_of(source)) or len(rows) > 5)
    assert [row[1] for row in rows] == sorted({row[1] for row in rows})
    assert rows[0][2:] == ("gpu0", 0.3, None, None, 49.031, None)


def test_end_is_a_reason_and_is_followed_by_a_restart(start: Start) -> None:
    running = start(steps=[{"s": 0.06}], then="end")
    until(lambda: running.problems.get(process.ENDED, 0) >= 2)
    assert running.after(0)
    until(lambda: running.missing == process.ENDED)


def test_silence_is_a_reason_and_ends_in_a_restart(start: Start) -> None:
    running = start(steps=[{"s": 0.06}], then="hang")
    until(lambda: running.after(0))
    until(lambda: running.missing == process.SILENT)
    until(lambda: running.problems.get(process.SILENT, 0) >= 1)
    last = running.after(0)[-1].number
    until(lambda: running.after(last))


def test_garbage_is_left_out_and_counted(start: Start) -> None:
    scenario = {"steps": [{"s": 60, "rails": {"VDD_IN": 7000}}], "garbage_every": 3}
    source = tegrastats_source.TegrastatsSource("power", start(**scenario))
    rows: list[Any] = []

    def enough() -> bool:
        rows.extend(rows_of(source))
        return source.problems.get(tegrastats_source.IRREGULAR, 0) > 4 and len(rows) > 9

    until(enough)
    assert {row[3] for row in rows if row[2] == "VDD_IN"} == {7.0}


def test_program_that_cannot_start_is_a_reason(tmp_path: Path) -> None:
    running = process.TegrastatsProcess([str(tmp_path / "none")], INTERVAL_S)
    until(lambda: running.missing == process.NOT_STARTED)
    running.close()


def test_close_ends_the_program_and_what_it_started(start: Start) -> None:
    running = start(steps=[{"s": 60}])
    until(lambda: running.after(0))
    folder = Path("/proc/self/task")
    children = " ".join(file.read_text() for file in folder.glob("*/children")).split()
    assert children
    running.close()
    assert not any(STANDIN.encode() in _command(number) for number in children)


def _command(number: str) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_lines_are_the_same_however_the_bytes_arrive(chunks: list[bytes], longest: int) -> None:
    whole = b"".join(chunks)
    cutter = process.LineCutter(longest)
    lines = [line for chunk in chunks for line in cutter.feed(chunk)]
    complete = whole.split(b"\n")[:-1]
    kept = [line.decode("utf-8", errors="replace").rstrip("\r") for line in complete if len(line) <= longest]
    assert lines == kept
    assert cutter.too_long == len(complete) - len(kept)


def test_pauses_grow_to_half_a_minute() -> None:
    pauses = [process.FIRST_PAUSE_S]
    while len(pauses) < 10:
        pauses.append(process.next_pause_s(pauses[-1]))
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == process.LONGEST_PAUSE_S


def test_guard_needs_the_same_rails_twice() -> None:
    guard = tegrastats_source.LineGuard()
    whole, cut = tegrastats.parse_line(ORIN_NANO), tegrastats.parse_line(ORIN_NANO[:-12])
    assert whole.shape != cut.shape
    assert [guard.is_regular(line) for line in (cut, whole, whole, cut, whole, whole)] == [
        False, False, True, False, True, True,
    ]  # fmt: skip


def test_guard_sees_a_clock_that_stands_still() -> None:
    guard = tegrastats_source.LineGuard()
    line = tegrastats.parse_line(ORIN_NANO)
    seconds = (0, 1, 4, 6)
    assert [guard.is_frozen(line, at * 10**9) for at in seconds] == [False, False, False, True]
    assert not guard.is_frozen(tegrastats.parse_line(ORIN_NANO.replace("11:25:24", "11:25:31")), 7 * 10**9)
    assert not any(guard.is_frozen(tegrastats.parse_line(RECORDED[0]), at * 10**9) for at in (8, 99))


def test_rails_that_share_a_name_are_left_out() -> None:
    line = tegrastats.parse_line("NC 0mW/0mW VDD_IN 5mW/5mW NC 0mW/0mW VDD_SOC 1mW/1mW VDD_SOC 2mW/2mW")
    assert tegrastats_source.power_rows(line, 1, 2) == [(1, 2, "VDD_IN", 0.005, None, True)]


@pytest.mark.parametrize(
    ("number", "totals"),
    [
        (1, {"VDD_IN"}),
        (2, {"VDD_IN"}),
        (3, {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}),
        (4, {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"}),
        (7, {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"}),
        (8, {"VDD_IN"}),
    ],
)
def test_total_of_each_board(number: int, totals: set[str]) -> None:
    rows = tegrastats_source.power_rows(tegrastats.parse_line(RECORDED[number - 1]), 0, 0)
    assert {row[2] for row in rows if row[5]} == totals
