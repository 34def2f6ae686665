"""Swaps of one node again and again: by calls or by rollout, with what each leaves behind."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from probes import endurance
from probes.clock import ClockOffset
from probes.endurance import Endurance, endure, swap_readings, total_memory
from probes.errors import ExitCode, TargetError, UsageError
from probes.evidence import ReaderSeries, SeriesTable
from probes.measurement import undeclared
from probes.measurements.service import Measured as Gap
from probes.measurements.swap import Measured
from probes.resume import needs_resuming, resume_run
from probes.update_evidence import Turn
from tests.probes.campaigning import Epochs, Outside, outside, shorten
from tests.probes.standins import StandInRecorder, outputs_of
from tests.probes.test_update import COMPOSITION, Container

COLUMNS = ("time_ns", "monotonic_ns", "pod_uid", "container_id", "memory_bytes")


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Outside]:
    shorten(monkeypatch, tmp_path)
    monkeypatch.setattr(endurance, "SETTLE_S", 0.0)
    monkeypatch.setattr(endurance, "MEMORY_S", 0.0)
    application = Epochs(down_s=0.1)
    with StandInRecorder(application) as recorder:
        found = outside(tmp_path, recorder, application, monolithic=outputs_of(), composition=COMPOSITION)
        application.start()
        yield found


def go(around: Outside, stack: str = "monolithic", cycles: int = 2) -> ExitCode:
    return endure(Endurance(stack, cycles, None, 5.0, None), around.world())


def manifest(around: Outside) -> dict[str, Any]:
    return around.folders()[-1].read_json("sealed/manifest.json")


def with_detector() -> Any:
    known = outputs_of().application
    assert known is not None
    pods = [known.pods[0].model_copy(update={"processes": [["camera"], ["detector"]]})]
    return outputs_of(application=known.model_copy(update={"pods": pods}))


def test_elsewhere_a_node_is_swapped_by_its_parameter_there_and_back(around: Outside) -> None:
    around.target.known = {"monolithic": with_detector()}
    assert go(around, cycles=3) == ExitCode.COMMITTED, around.shown.getvalue()
    metrics = manifest(around)["metrics"]
    assert metrics["swap_s"]["n"] == 3
    assert metrics["swap_s"]["value"] > 0.1
    assert metrics["service_gap_s{part=swap}"]["value"] > 0.1
    assert metrics["memory_leak"] == {"missing": "pods_replaced"}
    # An odd number of swaps is brought back: the stack ends as its file says.
    assert [bool(files) for files in around.target.overridden] == [True, False, True, False]
    assert around.recorder.captures == {}


def test_a_component_is_swapped_by_calls_and_memory_is_asked_for(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, memory = Container(around.application), iter(range(100, 200))

    @asynccontextmanager
    async def client(_world: Any, _stack: str, _name: str) -> AsyncGenerator[Container]:
        yield container

    async def used(_bench: Any, _capture: str) -> float:
        return float(next(memory))

    monkeypatch.setattr(endurance, "container_client", client)
    monkeypatch.setattr(endurance, "_memory", used)
    assert go(around, "composition", cycles=3) == ExitCode.COMMITTED, around.shown.getvalue()
    found = manifest(around)
    assert found["plan"]["swaps"] == 3
    assert found["plan"]["node"] == "detector"
    assert found["metrics"]["memory_trend_bytes_per_swap"]["value"] == 1
    assert found["metrics"]["memory_after_swap_bytes"]["value"] == 101
    assert found["metrics"]["memory_leak"] == {"missing": "too_few_samples"}
    assert [dict(wanted.parameters) for wanted in container.loaded] == [{"score_threshold": 0.5, "threads": 1}] * 3
    assert around.target.switched == []


def test_without_machine_readers_memory_is_missing_with_the_reason(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(around.application)

    @asynccontextmanager
    async def client(*_arguments: Any) -> AsyncGenerator[Container]:
        yield container

    monkeypatch.setattr(endurance, "container_client", client)
    assert go(around, "composition", cycles=1) == ExitCode.COMMITTED
    metrics = manifest(around)["metrics"]
    assert metrics["memory_after_swap_bytes"] == metrics["memory_leak"] == {"missing": "no_platform"}


def test_a_failure_half_way_keeps_the_swaps_that_were_made(around: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    around.target.known = {"monolithic": with_detector()}
    made: list[int] = []
    turn = endurance.turn

    async def fails_later(*arguments: Any) -> Turn:
        made.append(1)
        if len(made) == 2:
            raise TargetError("gone", next_step="look", reason="pod_gone")
        return await turn(*arguments)

    monkeypatch.setattr(endurance, "turn", fails_later)
    assert go(around, cycles=5) == ExitCode.TARGET
    found = manifest(around)
    assert (found["state"], found["reason"]) == ("failed", "pod_gone")
    assert found["metrics"]["swap_s"]["n"] == 1


def killed(_world: Any, record: Any, _end: Any) -> ExitCode:
    """Seal nothing, and hold the journal no longer."""
    record.journal.__exit__(None, None, None)
    return ExitCode.COMMITTED


def test_a_killed_command_loses_none_of_its_swaps(around: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    around.target.known = {"monolithic": with_detector()}
    monkeypatch.setattr(endurance, "finish_record", killed)
    go(around, cycles=2)
    folder = around.folders()[-1]
    assert not folder.is_sealed
    assert needs_resuming(folder)
    resume_run(folder, f"dir:{around.root.parent / 'elsewhere'}")
    found = manifest(around)
    assert (found["state"], found["reason"]) == ("aborted", "process_ended")
    assert found["metrics"]["swap_s"]["n"] == 2


def test_a_parked_stack_and_wrong_numbers_are_refused(around: Outside) -> None:
    around.target.known = {"monolithic": with_detector()}
    with pytest.raises(UsageError, match="--cycles is 0"):
        go(around, cycles=0)
    around.application.stop()
    assert go(around) == ExitCode.TARGET
    assert "0 of 1 application pods" in around.shown.getvalue()
    assert manifest(around)["reason"]


def test_an_application_without_a_defined_update_says_what_to_write(around: Outside) -> None:
    known = outputs_of().application
    assert known is not None
    around.target.known = {"monolithic": outputs_of(application=known.model_copy(update={"name": "mine"}))}
    with pytest.raises(UsageError, match="No update of a parameter is defined for the application mine"):
        go(around)


def series(*rows: tuple[int, str, str, int | None], machine: str = "edge") -> ReaderSeries:
    table = SeriesTable(COLUMNS, tuple((at, at, uid, container, used) for at, uid, container, used in rows))
    return ReaderSeries(machine, {"containers": table}, 0, 10, ClockOffset(0, 0, "one_kernel"))


def test_the_last_memory_of_every_container_is_added_up() -> None:
    one = series((1, "u1", "a", 5), (2, "u1", "a", 7), (2, "u1", "b", 10), (2, "other", "c", 1000))
    two = series((1, "u2", "d", 100))
    assert total_memory({"edge": one, "cloud": two}, ["u1", "u2"]) == 117


def test_memory_that_is_not_told_is_a_reason_never_a_smaller_sum() -> None:
    one = series((1, "u1", "a", 5), (1, "u2", "b", None))
    assert total_memory({"edge": one}, ["u1", "u2"]) == "memory_not_told"
    assert total_memory({"edge": one, "cloud": "no_machine_reader"}, ["u1"]) == "no_machine_reader"
    assert total_memory({}, ["u1"]) == "memory_not_told"


def test_every_reading_and_reason_is_declared() -> None:
    heard = Turn(0, 10, 20, 0.5, 0)
    silent = Turn(0, 10, None, None, 0)
    for turn in (heard, silent):
        for memory in (5.0, "no_platform", "memory_not_told", "pods_replaced"):
            readings = swap_readings(3, turn, memory)
            gaps = [reading for reading in readings if reading.name == "service_gap_s"]
            assert undeclared(Measured(), [reading for reading in readings if reading not in gaps]) == []
            assert undeclared(Gap(), gaps) == []
            assert {reading.repetition for reading in readings} == {3}


def test_a_single_run_says_that_it_does_not_swap() -> None:
    readings = asyncio.run(Measured().conclude(None))  # type: ignore[arg-type]
    assert {reading.missing for reading in readings} == {"not_requested"}
