"""Machine readers never end a run: what they cannot give becomes a reason; what they give is checked."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.counters import COUNTERS, KINDS, checked, counter_rows
from probes.errors import TargetError
from probes.evidence import Cell, Readers, ReaderSeries, SeriesTable
from probes.readers import ReaderSet, connected, covering, not_idle
from probes.tables import rows_table
from tests.probes.evidences import series_of
from tests.probes.fake_readers import FakeReader, door
from tests.probes.standins import machine

MACHINES = [machine("edge"), machine("cloud")]


def capture_with(readers: Mapping[str, Any], during: Any = None) -> tuple[Readers, list[str]]:
    """Capture on both machines; `during` runs while the capture is active."""
    said: list[str] = []

    async def work() -> Readers:
        async with connected(door(readers)(None, None), MACHINES, "boot", said.append) as found:
            capturing = await found.start("c", ["edge", "cloud"], ["uid-1"], 60)
            await asyncio.sleep(0.05)
            if during:
                during()
            return await capturing.finish()

    return asyncio.run(work()), said


def test_every_kind_of_every_machine_comes_back_and_the_capture_is_freed() -> None:
    edge = FakeReader(power_w=5.0)
    found, said = capture_with({"edge": edge})
    assert found["cloud"] == "no_machine_reader"
    series = found["edge"]
    assert isinstance(series, ReaderSeries)
    assert set(series.tables) == set(KINDS)
    assert series.tables["power"].rows
    assert series.tables["gpu"].missing == "not_here"
    assert (edge.captures, said) == ({}, [])


def test_a_reader_that_dies_meanwhile_is_a_reason_said_once() -> None:
    edge = FakeReader()

    def die() -> None:
        edge.problem = TargetError("cannot be reached", reason="machine_reader_unreachable")

    found, said = capture_with({"edge": edge, "cloud": FakeReader()}, die)
    assert found["edge"] == "machine_reader_unreachable"
    assert isinstance(found["cloud"], ReaderSeries)
    assert said == ["machine reader of edge: cannot be reached"]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (ValueError("no JSON"), "machine_reader_garbled"),
        (TargetError("refused", reason="machine_reader_refused"), "machine_reader_refused"),
        (TargetError("lost", reason="something_else"), "machine_reader_unreachable"),
        (TimeoutError(), "machine_reader_unreachable"),
    ],
)
def test_every_failure_has_its_reason(problem: Exception, reason: str) -> None:
    found, _ = capture_with({"edge": FakeReader(problem=problem)})
    assert found["edge"] == reason


def test_a_reader_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.readers.FETCH_LIMIT_S", 0.05)

    class Hanging(FakeReader):
        async def series(self, capture: str, kind: str) -> SeriesTable:
            await asyncio.sleep(30)
            raise AssertionError((capture, kind))

    assert capture_with({"edge": Hanging()})[0]["edge"] == "machine_reader_unreachable"


def test_without_a_platform_every_machine_says_so() -> None:
    async def work() -> ReaderSet:
        async with connected(None, MACHINES, "boot", print) as found:
            return found

    readers = asyncio.run(work())
    assert readers.names() == ["cloud", "edge"]
    assert {readers.reason(name) for name in readers.names()} == {"no_platform"}
    assert not_idle(readers.names()) == {"edge": "idle_not_measured", "cloud": "idle_not_measured"}


def test_a_series_must_reach_over_the_window_and_have_dropped_nothing() -> None:
    series = series_of()
    first, last = series.started_ns, series.stopped_ns
    assert covering({"edge": series}, first, last) == {"edge": series}
    assert covering({"edge": series}, first - 1, last) == {"edge": "machine_reader_cut"}
    assert covering({"edge": series}, first, last + 1) == {"edge": "machine_reader_cut"}
    assert covering({"edge": "no_platform"}, first, last) == {"edge": "no_platform"}


ROW: tuple[Cell, ...] = (10, 5, "VDD_IN", 5.0, None, True)
POWER = ("time_ns", "monotonic_ns", *KINDS["power"])


@pytest.mark.parametrize(
    "rows",
    [
        [ROW, (*ROW[:3], "5.0", None, True)],
        [ROW, (*ROW[:3], float("nan"), None, True)],
        [ROW, (*ROW[:3], float("inf"), None, True)],
        [ROW, (None, *ROW[1:])],
        [ROW, (11, 4, *ROW[2:])],
        [ROW, (10, -5, *ROW[2:])],
        [ROW, (10, 2**70, *ROW[2:])],
        [ROW, (10, 5, 7, *ROW[3:])],
        [ROW, (*ROW[:5], 1)],
    ],
    ids=["text", "nan", "infinite", "no_time", "back_in_time", "negative", "too_large", "rail_7", "not_a_truth"],
)
def test_rows_that_cannot_be_make_the_kind_missing(rows: list[tuple[Cell, ...]]) -> None:
    assert checked("power", SeriesTable(POWER, (ROW,))).rows == (ROW,)
    found = checked("power", SeriesTable(POWER, tuple(rows)))
    assert (found.rows, found.missing) == ((), "machine_reader_garbled")


@given(st.lists(st.sampled_from(POWER), max_size=5, unique=True))
def test_a_column_too_few_makes_the_kind_missing(columns: list[str]) -> None:
    table = SeriesTable(tuple(columns), ((1,) * len(columns),))
    assert checked("power", table).missing == "machine_reader_garbled"


def test_raw_rows_of_all_kinds_become_one_table() -> None:
    series = series_of()
    rows = list(counter_rows(3, "window", {"edge": series, "cloud": "no_machine_reader"}))
    table = rows_table("counters", rows)
    assert table.columns == list(COUNTERS)
    assert set(table["kind"]) == set(KINDS)
    assert table.height == sum(len(own.rows) for own in series.tables.values())
    power = table.filter(kind="power")
    assert power["energy_j"].to_list() == list(series.tables["power"].column("energy_j"))
    assert power["cpu_ns"].null_count() == power.height
