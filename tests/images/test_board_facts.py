"""Temperatures, throttled GPUs and power limits: shown where the machine tells them, absent elsewhere."""

import ctypes
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.images.in_cluster import module
from tests.images.nvml_standin import StandInGpu, StandInLibrary

board_facts = module("ros2bench_machine_reader.board_facts")
exposition = module("ros2bench_machine_reader.exposition")
nvml = module("ros2bench_machine_reader.nvml")
tegrastats_source = module("ros2bench_machine_reader.tegrastats_source")
tegrastats_process = module("ros2bench_machine_reader.tegrastats_process")

ORIN = (
    "RAM 18207/62841MB (lfb 466x4MB) CPU [14%@2188,off,100%@729] EMC_FREQ 3%@2133 GR3D_FREQ 0%@[0,0] APE 174 "
    "cpu@52.562C gpu@-256C tj@52.5C soc@40C soc@41C "
    "VDD_GPU_SOC 2412mW/2412mW VDD_CPU_CV 1607mW/1607mW VIN_SYS_5V0 4707mW/4707mW"
)


def tree(root: Path, files: Mapping[str, object]) -> Path:
    for name, content in files.items():
        path = root / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="ascii")
    return root


def text(*facts: Any, now_ns: int = 1_000) -> list[str]:
    """Lines without comments of what Prometheus reads."""
    lines = exposition.exposition(board_facts.rows_of(facts, now_ns), 0).decode().splitlines()
    return [line for line in lines if line.startswith("ros2bench_machine_") and "reader" not in line]


def test_sysfs_of_a_jetson_that_throttles(tmp_path: Path) -> None:
    files = {
        "thermal/thermal_zone0/type": "cpu-thermal",
        "thermal/thermal_zone0/temp": 52562,
        "thermal/thermal_zone1/type": "gpu-thermal",
        "thermal/thermal_zone1/temp": -256000,
        "thermal/cooling_device0/type": "pwm-fan",
        "thermal/cooling_device0/cur_state": 3,
        "thermal/cooling_device1/type": "gpu-throttle-alert",
        "thermal/cooling_device1/cur_state": 1,
    }
    assert text(board_facts.sysfs_facts(tree(tmp_path, files), 1, 2)) == [
        'ros2bench_machine_gpu_throttled{gpu="gpu0"} 1.0',
        'ros2bench_machine_temperature_celsius{sensor="cpu-thermal"} 52.562',
    ]


def test_sysfs_of_a_server_has_limits_and_sensors_of_one_name(tmp_path: Path) -> None:
    zone = "powercap/intel-rapl:0"
    files = {
        **{f"thermal/thermal_zone{number}/type": "acpitz" for number in (2, 10)},
        "thermal/thermal_zone2/temp": 20000,
        "thermal/thermal_zone10/temp": 30000,
        f"{zone}/name": "package-0",
        f"{zone}/energy_uj": 1,
        f"{zone}/max_energy_range_uj": 10,
        f"{zone}/constraint_0_power_limit_uw": 125_000_000,
    }
    assert text(board_facts.sysfs_facts(tree(tmp_path, files), 1, 2)) == [
        'ros2bench_machine_temperature_celsius{sensor="acpitz-2"} 20.0',
        'ros2bench_machine_temperature_celsius{sensor="acpitz-10"} 30.0',
        'ros2bench_machine_power_limit_watts{rail="package-0"} 125.0',
    ]


@pytest.mark.parametrize("content", ["", "x", "9000000", "-900000"])
def test_sensors_that_tell_nothing_sensible_are_absent(tmp_path: Path, content: str) -> None:
    files = {"thermal/thermal_zone0/type": "t", "thermal/thermal_zone0/temp": content}
    assert text(board_facts.sysfs_facts(tree(tmp_path, files), 1, 2)) == []
    assert text(board_facts.sysfs_facts(tmp_path / "none", 1, 2)) == []


def test_a_machine_without_any_of_it_tells_nothing(tmp_path: Path) -> None:
    assert text(None, board_facts.sysfs_facts(tmp_path, 1, 2)) == []


def test_a_source_comes_before_sysfs_and_old_facts_are_left_out() -> None:
    of_source = board_facts.Facts(1, 2, temperatures_c={"tj": 50.0})
    of_sysfs = board_facts.Facts(1, 2, temperatures_c={"tj-thermal": 50.0}, limits_w={"a": 1.0})
    assert text(of_source, of_sysfs) == [
        'ros2bench_machine_temperature_celsius{sensor="tj"} 50.0',
        'ros2bench_machine_power_limit_watts{rail="a"} 1.0',
    ]
    assert text(of_source, now_ns=3_000_000_000) == []


def of_line(line: str) -> list[str]:
    """What Prometheus reads of a machine whose tegrastats prints a line."""
    lines = [tegrastats_process.TimedLine(number, 10, 20, line) for number in (1, 2)]

    def after(number: int) -> list[Any]:
        return [line for line in lines if line.number > number]

    process: Any = SimpleNamespace(after=after, missing=None)
    source = tegrastats_source.TegrastatsSource("gpu", process)
    assert source.facts is None
    source.read(1, 2)
    # Power and GPU tell the same.
    return text(source.facts, source.facts)


def test_tegrastats_tells_temperatures_clocks_and_loads_with_its_lines() -> None:
    assert of_line(ORIN) == [
        'ros2bench_machine_temperature_celsius{sensor="cpu"} 52.562',
        'ros2bench_machine_temperature_celsius{sensor="tj"} 52.5',
        'ros2bench_machine_cpu_clock_hertz{core="0"} 2188000000.0',
        'ros2bench_machine_cpu_clock_hertz{core="2"} 729000000.0',
        'ros2bench_machine_cpu_busy_ratio{core="0"} 0.14',
        'ros2bench_machine_cpu_busy_ratio{core="2"} 1.0',
        "ros2bench_machine_memory_controller_clock_hertz 2133000000.0",
        "ros2bench_machine_memory_controller_busy_ratio 0.03",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("EMC_FREQ 0% VDD_IN 1mW", ["ros2bench_machine_memory_controller_busy_ratio 0.0"]),
        ("EMC_FREQ off VDD_IN 1mW", []),
        ("CPU [off,off] VDD_IN 1mW", []),
        ("CPU [101%@5] VDD_IN 1mW", ['ros2bench_machine_cpu_clock_hertz{core="0"} 5000000.0']),
    ],
)
def test_clocks_and_loads_that_a_line_does_not_tell_are_absent(line: str, told: list[str]) -> None:
    assert of_line(line) == told


@pytest.mark.parametrize(
    ("reasons", "throttled"),
    [(0x0, 0), (0x1, 0), (0x2, 0), (0x4, 1), (0x8, 1), (0x21, 1), (0x40, 1), (0x80, 1), (0x100, 0)],
)
def test_nvml_tells_why_a_clock_is_low(monkeypatch: pytest.MonkeyPatch, reasons: int, throttled: int) -> None:
    lines = text(facts_of(monkeypatch, StandInLibrary([StandInGpu(throttle_reasons=reasons)])))
    assert lines == [
        f'ros2bench_machine_gpu_throttled{{gpu="gpu0"}} {throttled}.0',
        'ros2bench_machine_power_limit_watts{rail="gpu0"} 700.0',
    ]


def test_what_a_gpu_does_not_support_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    old = StandInLibrary(missing_calls=frozenset({"nvmlDeviceGetCurrentClocksThrottleReasons"}))
    assert text(facts_of(monkeypatch, old)) == ['ros2bench_machine_power_limit_watts{rail="gpu0"} 700.0']
    lost = StandInLibrary([StandInGpu(is_lost=True), StandInGpu(limit_mw=None)])
    assert text(facts_of(monkeypatch, lost)) == ['ros2bench_machine_gpu_throttled{gpu="gpu1"} 0.0']


def facts_of(monkeypatch: pytest.MonkeyPatch, library: StandInLibrary) -> Any:
    """What a source of GPU figures has learned with its first reading."""

    def load(_: str) -> StandInLibrary:
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    source = nvml.NvmlSource("gpu", *nvml.load_nvml(), is_total=True)
    source.read(1, 2)
    return source.facts


def test_gpu_memory_and_clock_are_told() -> None:
    rows = {"gpu": [(1, 2, "gpu0", 0.5, 10, 20, 40.0, 1_300_000_000)]}
    lines = exposition.exposition(rows, 0).decode().splitlines()
    assert 'ros2bench_machine_gpu_memory_total_bytes{gpu="gpu0"} 20.0' in lines
    assert 'ros2bench_machine_gpu_clock_hertz{gpu="gpu0"} 1300000000.0' in lines
