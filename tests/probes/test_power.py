"""Power, energy per frame and GPU use of a repetition, from plain rows of machine readers."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from probes.clock import ClockOffset
from probes.evidence import Cell, ContainerIdentity, PodIdentity, ReaderSeries, SeriesTable
from probes.measurement import Evidence, undeclared
from probes.measurements import gpu, power
from probes.metrics import NO_APPLICATION, NO_PLATFORM
from probes.readings import Reading
from probes.samples import Samples, Window
from tests.images.in_cluster import module
from tests.probes.standins import machine, outputs_of

START_NS = 1_790_000_000_000_000_000
WINDOW = Window(START_NS, START_NS + 10_000_000_000)
COLUMNS = ("time_ns", "monotonic_ns", "rail", "power_w", "energy_j", "is_total")
GPU_COLUMNS = ("time_ns", "monotonic_ns", "gpu", "busy_ratio", "memory_used_bytes", "memory_total_bytes",
               "temperature_c", "clock_hz")  # fmt: skip
FRAMES = 50


def instants(window: Window, offset_ns: int = 0) -> Iterable[tuple[int, int]]:
    for at_ns in range(window.start_ns, window.end_ns + 1, 100_000_000):
        yield at_ns + offset_ns, at_ns - START_NS + 7_000_000_000_000


def power_table(window: Window, watts: Mapping[str, float], totals: set[str], offset_ns: int = 0) -> SeriesTable:
    rows: list[tuple[Cell, ...]] = [
        (time_ns, monotonic_ns, rail, value, None, rail in totals)
        for time_ns, monotonic_ns in instants(window, offset_ns)
        for rail, value in watts.items()
    ]
    return SeriesTable(COLUMNS, tuple(rows))


def counter_table(window: Window, watts: Mapping[str, float]) -> SeriesTable:
    rows: list[tuple[Cell, ...]] = [
        (time_ns, monotonic_ns, rail, None, 1000 + value * (time_ns - START_NS) / 1e9, True)
        for time_ns, monotonic_ns in instants(window)
        for rail, value in watts.items()
    ]
    return SeriesTable(COLUMNS, tuple(rows))


def gpu_table(window: Window, busy: Mapping[str, float | None], memory: int | None = 1 << 30) -> SeriesTable:
    rows: list[tuple[Cell, ...]] = [
        (time_ns, monotonic_ns, name, value, memory, memory and 8 << 30, 40.0, None)
        for time_ns, monotonic_ns in instants(window)
        for name, value in busy.items()
    ]
    return SeriesTable(GPU_COLUMNS, tuple(rows))


def captured(tables: Mapping[str, SeriesTable], window: Window = WINDOW, offset_ns: int = 0) -> ReaderSeries:
    started_ns, stopped_ns = window.start_ns + offset_ns, window.end_ns + offset_ns
    return ReaderSeries("edge", tables, started_ns, stopped_ns, ClockOffset(offset_ns, 0, "four_timestamps"))


def evidence(
    readers: Mapping[str, ReaderSeries | str],
    idle: Mapping[str, ReaderSeries | str] | None = None,
    *,
    machines: tuple[Any, ...] = (),
    frames: int = FRAMES,
) -> Evidence:
    rows = np.full((frames, 8), -1, dtype=np.int64)
    for number in range(frames):
        due_ns = START_NS + number * 200_000_000
        rows[number] = (number, due_ns, due_ns, due_ns, due_ns + 1000, due_ns + 2000, due_ns, number)
    outputs = outputs_of()
    assert outputs.application is not None
    containers = (ContainerIdentity("camera", "c1"),)
    pods = tuple(PodIdentity(name, f"u-{name}", name, name, containers) for name in readers)
    nothing: Any = None  # the recorder's own status is of no use here
    topic = outputs.application.topics[0].model_copy(update={"expected_rate_hz": 5.0})
    return Evidence(
        repetition=0, outputs=outputs, topic=topic, samples=Samples(rows), window=WINDOW, capture=nothing,
        clock=ClockOffset(0, 0, "one_kernel"), is_one_clock=True, deployment=None, pods=pods, readers=readers,
        idle=dict.fromkeys(readers, "idle_not_measured") if idle is None else idle, machines=machines,
    )  # fmt: skip


def gathered(made: Evidence, kind: Any = power) -> dict[str, Reading]:
    measurement = kind.Measured()
    readings = asyncio.run(measurement.gather(made))
    assert undeclared(measurement, readings) == []
    return {reading.key: reading for reading in readings}


NANO = {"VDD_IN": 8.0, "VDD_CPU_GPU_CV": 3.0, "VDD_SOC": 1.0}
QUIET = Window(START_NS - 20_000_000_000, START_NS - 10_000_000_000)


def test_power_and_energy_of_one_machine() -> None:
    loaded = captured({"power": power_table(WINDOW, NANO, {"VDD_IN"})})
    idle = captured({"power": power_table(QUIET, {**NANO, "VDD_IN": 5.0}, {"VDD_IN"})}, QUIET)
    found = gathered(evidence({"edge": loaded}, {"edge": idle}))
    assert found["power_w"].value == pytest.approx(8.0)
    assert found["power_w{part=idle}"].value == pytest.approx(5.0)
    assert found["power_w{machine=edge,rail=VDD_CPU_GPU_CV}"].value == pytest.approx(3.0)
    assert found["energy_per_frame_j"].value == pytest.approx((8 - 5) * 10 / FRAMES)
    assert found["energy_per_frame_j{part=gross}"].value == pytest.approx(8 * 10 / FRAMES)


def test_parts_of_a_board_without_a_total_rail_add_up_and_are_named() -> None:
    rails = {"VDD_GPU_SOC": 3.0, "VDD_CPU_CV": 2.0, "VIN_SYS_5V0": 5.0, "VDD_EXTRA": 50.0}
    said: list[str] = []
    made = evidence({"edge": captured({"power": power_table(WINDOW, rails, set(rails) - {"VDD_EXTRA"})})})
    total = gathered(replace(made, note=said.append))["power_w"]
    assert total.value == pytest.approx(10.0)
    assert total.source == "edge: VDD_CPU_CV + VDD_GPU_SOC + VIN_SYS_5V0"
    assert said == ["edge has no rail for its total: power_w adds up VDD_CPU_CV, VDD_GPU_SOC, VIN_SYS_5V0."]


def test_counters_and_samples_add_up() -> None:
    both = counter_table(WINDOW, {"package-0": 20.0, "dram-0": 4.0})
    board = power_table(WINDOW, {"gpu0": 60.0}, {"gpu0"})
    found = gathered(evidence({"edge": captured({"power": SeriesTable(COLUMNS, (*both.rows, *board.rows))})}))
    assert found["power_w"].value == pytest.approx(84.0)


def test_clock_of_another_machine_is_related() -> None:
    hour_ns = 3_600_000_000_000
    table = power_table(WINDOW, NANO, {"VDD_IN"}, offset_ns=hour_ns)
    found = gathered(evidence({"edge": captured({"power": table}, offset_ns=hour_ns)}))
    assert found["power_w"].value == pytest.approx(8.0)


def test_machines_add_up_but_a_kernel_counts_once() -> None:
    series = captured({"power": power_table(WINDOW, NANO, {"VDD_IN"})})
    two = evidence({"a": series, "b": series}, machines=(machine("a", "boot-1"), machine("b", "boot-2")))
    assert gathered(two)["power_w"].value == pytest.approx(16.0)
    shared = evidence({"a": "no_machine_reader", "b": series}, machines=(machine("a", "boot"), machine("b", "boot")))
    assert gathered(shared)["power_w"].value == pytest.approx(8.0)
    assert "power_w{machine=a,rail=VDD_IN}" not in gathered(shared)


@pytest.mark.parametrize(
    ("readers", "reason"),
    [
        ({"edge": NO_PLATFORM}, NO_PLATFORM),
        ({}, NO_APPLICATION),
        ({"edge": captured({})}, "no_rows"),
        ({"edge": captured({"power": SeriesTable(COLUMNS, (), "tegrastats_silent")})}, "tegrastats_silent"),
        ({"edge": captured({"power": SeriesTable(COLUMNS, (), "what_is_this")})}, "no_rows"),
        ({"edge": captured({"power": power_table(WINDOW, {"gpu0": 9.0}, set())})}, "no_total_rail"),
    ],
)
def test_what_cannot_be_had_is_a_reason(readers: dict[str, ReaderSeries | str], reason: str) -> None:
    found = gathered(evidence(readers))
    assert found["power_w"].missing == reason
    assert found["energy_per_frame_j"].missing == reason
    assert found["energy_per_frame_j{part=gross}"].missing == reason


def test_gap_has_the_readers_reason() -> None:
    table = power_table(Window(START_NS, START_NS + 5_000_000_000), NANO, {"VDD_IN"})
    gap = SeriesTable(table.columns, table.rows, "tegrastats_ended")
    assert gathered(evidence({"edge": captured({"power": gap})}))["power_w"].missing == "tegrastats_ended"
    assert gathered(evidence({"edge": captured({"power": table})}))["power_w"].missing == "coverage"


def test_without_idle_only_gross_energy_is_known() -> None:
    found = gathered(evidence({"edge": captured({"power": power_table(WINDOW, NANO, {"VDD_IN"})})}))
    assert found["power_w{part=idle}"].missing == "idle_not_measured"
    assert found["energy_per_frame_j"].missing == "idle_not_measured"
    assert found["energy_per_frame_j{part=gross}"].value == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("seconds", "rails", "reason"),
    [(3, {"VDD_IN"}, "idle_too_short"), (10, {"VDD_IN", "VDD_SOC"}, "other_rails_than_idle")],
)
def test_idle_that_does_not_fit_is_not_subtracted(seconds: int, rails: set[str], reason: str) -> None:
    loaded = captured({"power": power_table(WINDOW, NANO, {"VDD_IN"})})
    quiet = Window(QUIET.start_ns, QUIET.start_ns + seconds * 1_000_000_000)
    idle = captured({"power": power_table(quiet, NANO, rails)}, quiet)
    assert gathered(evidence({"edge": loaded}, {"edge": idle}))["energy_per_frame_j"].missing == reason


def test_no_frame_and_no_number_of_a_frame() -> None:
    loaded = {"edge": captured({"power": power_table(WINDOW, NANO, {"VDD_IN"})})}
    assert gathered(evidence(loaded, frames=0))["energy_per_frame_j"].missing == power.NO_FRAME_NUMBER
    powers = {"edge": power.MachinePower(8.0, ("VDD_IN",))}
    assert {reading.missing for reading in power.energy_readings(powers, powers, 10.0, 0)} == {"no_samples"}


def test_gpus_are_averaged_and_their_memory_added() -> None:
    found = gathered(evidence({"edge": captured({"gpu": gpu_table(WINDOW, {"gpu0": 0.5, "gpu1": 0.1})})}), gpu)
    assert found["gpu_ratio"].value == pytest.approx(0.3)
    assert found["gpu_ratio{statistic=max}"].value == pytest.approx(0.5)
    assert found["gpu_ratio{gpu=gpu1,machine=edge}"].value == pytest.approx(0.1)
    assert found["gpu_memory_bytes"].value == pytest.approx(2 << 30)
    assert found["gpu_memory_bytes{statistic=max}"].value == pytest.approx(1 << 30)


@pytest.mark.parametrize(
    ("table", "load", "memory"),
    [
        (SeriesTable(GPU_COLUMNS, (), "no_nvml"), "no_nvml", "no_nvml"),
        (SeriesTable(GPU_COLUMNS, ()), "no_rows", "no_rows"),
        (gpu_table(WINDOW, {"gpu0": 0.2}, memory=None), None, "not_told"),
        (gpu_table(WINDOW, {"gpu0": None}), "not_told", None),
        (gpu_table(WINDOW, {"gpu0": 1.2}), "garbage", None),
    ],
)
def test_gpu_that_does_not_tell_is_a_reason(table: SeriesTable, load: str | None, memory: str | None) -> None:
    found = gathered(evidence({"edge": captured({"gpu": table})}), gpu)
    assert found["gpu_ratio"].missing == load
    assert found["gpu_memory_bytes"].missing == memory


def test_gpu_without_an_application_or_a_reader() -> None:
    assert gathered(evidence({}), gpu)["gpu_ratio"].missing == NO_APPLICATION
    assert gathered(evidence({"edge": NO_PLATFORM}), gpu)["gpu_ratio"].missing == NO_PLATFORM


def test_every_reason_of_the_machine_reader_is_explained() -> None:
    names = ("hwmon", "rapl", "nvml", "power", "tegra_gpu", "tegrastats_source", "tegrastats_process")
    modules = [module(f"ros2bench_machine_reader.{name}") for name in names]
    counted_only = {"irregular_line", "unknown_piece", "line_too_long", "line_not_read"}
    reasons = {
        value
        for found in modules
        for name, value in vars(found).items()
        if name.isupper() and isinstance(value, str) and "_" in value and value.islower() and value.isascii()
    }
    assert reasons - counted_only <= {*power.SOURCE_REASONS, *gpu.SOURCE_REASONS}
