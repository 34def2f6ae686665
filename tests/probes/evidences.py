"""Evidence in many shapes, for tests that every measurement must pass: nothing there, all there, everything broken."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from probes.clock import ClockOffset
from probes.counters import KINDS
from probes.evidence import (
    Cell,
    ContainerIdentity,
    PhaseTime,
    PodIdentity,
    ReaderSeries,
    RegimeEvidence,
    SeriesTable,
)
from probes.measurement import Deployment, Evidence, RunContext
from probes.metrics import IDLE_NOT_MEASURED, NO_MACHINE_READER, NO_PLATFORM, READER_GARBLED
from probes.recorder import CaptureStatus
from probes.samples import NO_SAMPLES, Samples, Window
from tests.probes.standins import LATENCY_NS, RATE_HZ, TOPIC, machine, outputs_of

SECOND = 10**9
BEGIN = 1_800_000_000 * SECOND
WINDOW = Window(BEGIN + 10 * SECOND, BEGIN + 12 * SECOND)
PERIOD_NS = SECOND // 10
POD = PodIdentity("application-x", "uid-1", "edge", "application", (ContainerIdentity("main", "c1"),))
ONE_KERNEL = ClockOffset(0, 0, "one_kernel")
PHASES = ("created", "scheduled", "pulled", "started", "ready")


def run_context() -> RunContext:
    """Context of a run with one machine."""
    return RunContext(outputs_of(), (machine(),), (machine(),), lambda _text: None)


def capture_of(count: int) -> CaptureStatus:
    """How a capture ended that reached over the window."""
    return CaptureStatus(
        capture="c",
        active=False,
        started_ns=BEGIN,
        stopped_ns=BEGIN + 20 * SECOND,
        samples={TOPIC: count},
        first={TOPIC: None},
        last={TOPIC: None},
        dropped={TOPIC: 0},
        cpu_ns=SECOND // 10,
    )


def samples_of() -> Samples:
    """Every frame of the window and some around it, each 4 ms late."""
    frames = np.arange(0, int(4 * RATE_HZ))
    due = BEGIN + 9 * SECOND + (frames * (SECOND / RATE_HZ)).astype(np.int64)
    received = due + LATENCY_NS
    shift = time.time_ns() - time.monotonic_ns()
    columns = [frames, due, due + 2_000_000, due + 2_500_000, received, received + 100_000, received - shift, frames]
    return Samples(np.stack(columns, axis=1).astype(np.int64))


def series_of(*, empty: bool = False, missing: str | None = None, constant: bool = False) -> ReaderSeries:
    """What a reader captured from a second before the window until a second after it.

    Args:
        empty: No row of any kind.
        missing: Reason of every kind.
        constant: The same numbers again and again, as of an instrument that has stopped.
    """
    times = range(WINDOW.start_ns - SECOND, WINDOW.end_ns + SECOND + 1, PERIOD_NS)
    tables: dict[str, SeriesTable] = {}
    for kind, columns in KINDS.items():
        rows = [] if empty else [_row(columns, at, 0 if constant else at - times[0]) for at in times]
        tables[kind] = SeriesTable(("time_ns", "monotonic_ns", *columns), tuple(rows), missing)
    return ReaderSeries("edge", tables, times[0] - 1, times[-1] + 1, ONE_KERNEL)


def _row(columns: tuple[str, ...], at_ns: int, since_ns: int) -> tuple[Cell, ...]:
    values: Mapping[str, Cell] = {
        "pod_uid": POD.uid,
        "container_id": "c1",
        "pid": 7,
        "name": "camera",
        "rail": "VDD_IN",
        "gpu": "0",
        "is_total": True,
        "cpu_ns": since_ns // 2,
        "cpu_busy_ns": since_ns,
        "cpu_total_ns": 2 * since_ns,
        "cpu_stolen_ns": 0,
        "load_1m": 0.5,
        "power_w": 5.0,
        "energy_j": since_ns / SECOND * 5.0,
        "busy_ratio": 0.25,
        "temperature_c": 40.0,
        "clock_hz": 1e9,
    }
    return (at_ns, at_ns - BEGIN, *(values.get(column, since_ns // 1000) for column in columns))


def timeline_of() -> tuple[PhaseTime, ...]:
    """A pod that came up within five seconds."""
    found: list[PhaseTime] = []
    for index, phase in enumerate(PHASES, start=1):
        source, writer = ("event_name", "edge") if phase == "pulled" else ("watch", "")
        found.append(PhaseTime(POD.name, "edge", phase, BEGIN + index * SECOND, source, 1, writer))
    return tuple(found)


def whole() -> Evidence:
    """Everything is there."""
    deployment = Deployment(BEGIN, BEGIN + 5 * SECOND, BEGIN + 6 * SECOND)
    outputs = outputs_of()
    assert outputs.application is not None
    samples = samples_of()
    return Evidence(
        repetition=0,
        outputs=outputs,
        topic=outputs.application.topics[0],
        samples=samples,
        window=WINDOW,
        capture=capture_of(len(samples)),
        clock=ONE_KERNEL,
        is_one_clock=True,
        deployment=deployment,
        pods=(POD,),
        readers={"edge": series_of()},
        idle={"edge": series_of()},
        timeline=timeline_of(),
        own_boot_id=machine().boot_id,
        machines=(machine(),),
        regime=RegimeEvidence("image_cold", {}, {"edge": 1_000}, ("pulled",), None),
    )


def _nothing() -> Evidence:
    return replace(
        whole(),
        samples=NO_SAMPLES,
        capture=capture_of(0).model_copy(update={"stopped_ns": None}),
        is_one_clock=False,
        deployment=None,
        pods=(),
        readers={},
        idle={},
        timeline=(),
        machines=(),
        regime=None,
    )


def _with(**changes: object) -> Callable[[], Evidence]:
    return lambda: replace(whole(), **changes)  # type: ignore[arg-type]


VARIATIONS: Mapping[str, Callable[[], Evidence]] = {
    "whole": whole,
    "nothing": _nothing,
    "no_platform": _with(
        readers={"edge": NO_PLATFORM}, idle={"edge": IDLE_NOT_MEASURED}, regime=RegimeEvidence("warm", {}, {}, (), None)
    ),
    "no_reader_on_the_machine": _with(readers={"edge": NO_MACHINE_READER}, idle={"edge": NO_MACHINE_READER}),
    "machine_unknown_to_the_readers": _with(readers={}, idle={}),
    "no_rows": _with(readers={"edge": series_of(empty=True)}, idle={"edge": series_of(empty=True)}),
    "garbled": _with(readers={"edge": series_of(empty=True, missing=READER_GARBLED)}),
    "stopped_instrument": _with(readers={"edge": series_of(constant=True)}),
    "two_clocks": _with(is_one_clock=False, own_boot_id="another", clock=ClockOffset(0, 10**12, "four_timestamps")),
    "no_messages": _with(samples=NO_SAMPLES),
    "events_expired": _with(timeline=tuple(time for time in timeline_of() if time.source == "watch")),
}
