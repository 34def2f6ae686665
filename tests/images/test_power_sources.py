"""Where power and GPU figures come from: sysfs trees and a driver's library, both stand-ins; which source is taken."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.standins import boards
from tests.images.in_cluster import module
from tests.images.nvml_standin import StandInGpu, StandInLibrary

hwmon = module("ros2bench_machine_reader.hwmon")
rapl = module("ros2bench_machine_reader.rapl")
nvml = module("ros2bench_machine_reader.nvml")
power = module("ros2bench_machine_reader.power")
tegra_gpu = module("ros2bench_machine_reader.tegra_gpu")
sources = module("ros2bench_machine_reader.sources")
configuration = module("ros2bench_machine_reader.configuration")

NOW = (10, 20)
STANDIN = str(boards.PROGRAM)


def tree(root: Path, files: Mapping[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="ascii")
    return root


def ina3221(number: int, *rails: tuple[str, int, int]) -> dict[str, object]:
    folder = f"class/hwmon/hwmon{number}"
    files: dict[str, object] = {f"{folder}/name": "ina3221", f"{folder}/in7_label": "sum of shunt voltages"}
    for channel, (rail, millivolts, milliamperes) in enumerate(rails, 1):
        files[f"{folder}/in{channel}_label"] = rail
        files[f"{folder}/in{channel}_input"] = millivolts
        files[f"{folder}/curr{channel}_input"] = milliamperes
    return files


def zone(name: str, label: str, microjoules: int, largest: int = 10**9) -> dict[str, object]:
    folder = f"class/powercap/{name}"
    files = {"name": label, "energy_uj": microjoules, "max_energy_range_uj": largest}
    return {f"{folder}/{file}": content for file, content in files.items()}


AGX_ORIN = {
    **ina3221(3, ("VDD_GPU_SOC", 843, 6170), ("VDD_CPU_CV", 780, 3437), ("VIN_SYS_5V0", 4968, 953)),
    **ina3221(4, ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 1800, 341), ("NC", 0, 0)),
    "class/hwmon/hwmon0/name": "acpitz",
}
TWO_PACKAGES = {
    **zone("intel-rapl:0", "package-0", 1_000_000),
    **zone("intel-rapl:0:0", "core", 600_000),
    **zone("intel-rapl:0:1", "dram", 300_000),
    **zone("intel-rapl:1", "package-1", 2_000_000),
    **zone("intel-rapl:1:0", "dram", 500_000),
    **zone("intel-rapl:2", "psys", 9_000_000),
    **zone("intel-rapl-mmio:0", "package-0", 1_000_000),
    "class/powercap/intel-rapl/enabled": 1,
}


def settings(root: Path, **chosen: Any) -> Any:
    """What the sources read of the machine reader's settings."""
    return SimpleNamespace(sys_root=root, period_s=0.05, power=chosen)


def driver(monkeypatch: pytest.MonkeyPatch, library: StandInLibrary | None) -> None:
    """Puts a stand-in, or nothing, where the driver's library would be loaded."""

    def load(name: str) -> StandInLibrary:
        if library is None:
            raise OSError(f"{name}: cannot open shared object file")
        return library

    monkeypatch.setattr(nvml.ctypes, "CDLL", load)


def test_hwmon_multiplies_volts_and_amperes(tmp_path: Path) -> None:
    rows = hwmon.open_hwmon(tree(tmp_path, AGX_ORIN)).read(*NOW)
    assert [(row[2], row[4], row[5]) for row in rows] == [
        ("VDD_GPU_SOC", None, True),
        ("VDD_CPU_CV", None, True),
        ("VIN_SYS_5V0", None, True),
        ("VDDQ_VDD2_1V8AO", None, True),
    ]
    assert [row[3] for row in rows] == pytest.approx([0.843 * 6.170, 0.780 * 3.437, 4.968 * 0.953, 1.8 * 0.341])
    assert {row[:2] for row in rows} == {NOW}


def test_hwmon_takes_power_where_the_driver_has_it(tmp_path: Path) -> None:
    thor = {"class/hwmon/hwmon5/name": "ina238", "class/hwmon/hwmon5/power1_input": 31_250_000}
    assert hwmon.open_hwmon(tree(tmp_path, thor)).read(*NOW) == [(*NOW, "VIN", 31.25, None, True)]


def test_hwmon_of_jetpack_4(tmp_path: Path) -> None:
    folder = "bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    files = {f"{folder}/rail_name_0": "POM_5V_IN", f"{folder}/in_power0_input": 4520}
    nano = files | {f"{folder}/rail_name_1": "POM_5V_GPU", f"{folder}/in_power1_input": 0}
    rows = hwmon.open_hwmon(tree(tmp_path, nano)).read(*NOW)
    assert [(row[2], row[5]) for row in rows] == [("POM_5V_IN", True), ("POM_5V_GPU", False)]
    assert [row[3] for row in rows] == pytest.approx([4.52, 0.0])


@pytest.mark.parametrize("content", ["", "garbage", "1e9", "999999999999"])
def test_hwmon_rail_that_gives_no_number_has_no_row(tmp_path: Path, content: str) -> None:
    source = hwmon.open_hwmon(tree(tmp_path, AGX_ORIN))
    (tmp_path / "class/hwmon/hwmon3/curr2_input").write_text(content)
    assert [row[2] for row in source.read(*NOW)] == ["VDD_GPU_SOC", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]
    assert source.problems == {hwmon.UNREADABLE: 1}


def test_hwmon_that_vanishes_is_a_reason(tmp_path: Path) -> None:
    source = hwmon.open_hwmon(tree(tmp_path, ina3221(0, ("VDD_IN", 5000, 1000))))
    (tmp_path / "class/hwmon/hwmon0/in1_input").unlink()
    assert source.read(*NOW) == sources.Missing(hwmon.UNREADABLE)
    assert hwmon.open_hwmon(tmp_path / "none") == sources.Missing(hwmon.NO_SENSOR)


def test_unknown_board_has_rails_and_no_total(tmp_path: Path) -> None:
    source = hwmon.open_hwmon(tree(tmp_path, ina3221(0, ("VDD_A", 5000, 1000), ("VDD_B", 5000, 100))))
    assert [row[5] for row in source.read(*NOW)] == [False, False]


def test_rapl_counts_nothing_twice(tmp_path: Path) -> None:
    rows = rapl.open_rapl(tree(tmp_path, TWO_PACKAGES)).read(*NOW)
    assert {row[2]: row[4] for row in rows if row[5]} == {
        "package-0": 1.0, "dram-0": 0.3, "package-1": 2.0, "dram-1": 0.5,
    }  # fmt: skip
    assert {row[2] for row in rows if not row[5]} == {"core-0", "psys"}
    assert all(row[3] is None for row in rows)


def test_rapl_goes_on_where_the_counter_begins_anew(tmp_path: Path) -> None:
    source = rapl.open_rapl(tree(tmp_path, zone("intel-rapl:0", "package-0", 900, largest=999)))
    seen = [source.read(*NOW)[0][4]]
    for shown in (990, 50, 40, 950, 10):
        (tmp_path / "class/powercap/intel-rapl:0/energy_uj").write_text(str(shown))
        seen.append(source.read(*NOW)[0][4])
    # 40 after 50 is no end of the range: it shows as a step back, which the runner takes out.
    assert seen == pytest.approx([count * 1e-6 for count in (900, 990, 1050, 1040, 1950, 2010)])


@given(st.lists(st.integers(0, 400), max_size=50), st.integers(0, 999))
def test_unwrapped_counter_follows_what_was_added(steps: list[int], begin: int) -> None:
    counter, true = rapl.Unwrapped(999), begin
    assert counter.add(true % 1000) == begin
    for step in steps:
        true += step
        assert counter.add(true % 1000) == true


@pytest.mark.parametrize("content", ["", "x", "-5", "99999999999999"])
def test_rapl_garbage_has_no_row(tmp_path: Path, content: str) -> None:
    source = rapl.open_rapl(tree(tmp_path, zone("intel-rapl:0", "package-0", 5)))
    (tmp_path / "class/powercap/intel-rapl:0/energy_uj").write_text(content)
    assert source.read(*NOW) == sources.Missing(rapl.UNREADABLE)


def test_rapl_that_is_not_there_or_not_readable(tmp_path: Path) -> None:
    assert rapl.open_rapl(tmp_path) == sources.Missing(rapl.NO_POWERCAP)
    tree(tmp_path, {**zone("intel-rapl:0", "package-0", 5), "class/powercap/intel-rapl:0/max_energy_range_uj": "much"})
    assert rapl.open_rapl(tmp_path) == sources.Missing(rapl.UNREADABLE)


def test_nvml_reads_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    library = StandInLibrary([StandInGpu(), StandInGpu(energy_mj=None, memory=None, clock_mhz=None)])
    driver(monkeypatch, library)
    begun, gpus = nvml.load_nvml()
    assert nvml.NvmlSource("power", begun, gpus, is_total=False).read(*NOW) == [
        (*NOW, "gpu0", None, 1000.0, False),
        (*NOW, "gpu1", 61.5, None, False),
    ]
    load = nvml.NvmlSource("gpu", begun, gpus, is_total=False)
    assert load.read(*NOW) == [
        (*NOW, "gpu0", 0.4, 2 << 30, 8 << 30, 31.0, 1_980_000_000),
        (*NOW, "gpu1", 0.4, None, None, 31.0, None),
    ]
    load.close()
    load.close()
    assert not library.is_open


def test_nvml_of_an_old_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = frozenset({"nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetTotalEnergyConsumption"})
    driver(monkeypatch, StandInLibrary(missing_calls=missing))
    begun, gpus = nvml.load_nvml()
    assert begun.energy_j(gpus[0]) is None
    assert begun.memory_bytes(gpus[0]) == (3 << 30, 8 << 30)


def test_lost_gpu_leaves_a_gap_in_its_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    library = StandInLibrary([StandInGpu(), StandInGpu()])
    driver(monkeypatch, library)
    begun, gpus = nvml.load_nvml()
    source = nvml.NvmlSource("power", begun, gpus, is_total=True)
    library.gpus[0].is_lost = True
    assert [row[2] for row in source.read(*NOW)] == ["gpu1"]
    library.gpus[1].is_lost = True
    assert source.read(*NOW) == sources.Missing(nvml.UNREADABLE)
    assert source.problems == {nvml.UNREADABLE: 3}


@pytest.mark.parametrize(
    ("library", "reason"),
    [(None, "no_nvml"), (StandInLibrary(init_code=9), "nvml_unreadable"), (StandInLibrary([]), "no_gpu")],
)
def test_absent_gpu_is_a_reason(monkeypatch: pytest.MonkeyPatch, library: StandInLibrary | None, reason: str) -> None:
    driver(monkeypatch, library)
    assert nvml.load_nvml() == sources.Missing(reason)


def test_gpu_of_a_jetson_from_sysfs(tmp_path: Path) -> None:
    device = "devices/platform/bus@0/17000000.gpu"
    files = {f"{device}/load": 257, f"{device}/devfreq/17000000.gpu/cur_freq": 306_000_000}
    heat = {"class/thermal/thermal_zone1/type": "gpu-thermal", "class/thermal/thermal_zone1/temp": 49_031}
    source = tegra_gpu.open_tegra_gpu(tree(tmp_path, {**files, **heat}))
    assert source.read(*NOW) == [(*NOW, "gpu0", 0.257, None, None, 49.031, 306_000_000)]
    tree(tmp_path, {"class/thermal/thermal_zone1/temp": -256_000})
    assert source.read(*NOW)[0][6] is None
    tree(tmp_path, {f"{device}/load": 4_294_967_295})
    assert source.read(*NOW) == sources.Missing(tegra_gpu.UNREADABLE)
    assert tegra_gpu.open_tegra_gpu(tmp_path / "none") == sources.Missing(tegra_gpu.NO_GPU)


def offered(config: Any) -> dict[str, str]:
    found = power.open_sources(config)
    for source in found:
        if not isinstance(source, sources.Absent):
            source.close()
    return {each.kind: each.reason if isinstance(each, sources.Absent) else each.name for each in found}


def test_auto_takes_the_first_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "TEGRASTATS_PLACES", ())
    driver(monkeypatch, None)
    assert offered(settings(tmp_path)) == {"power": "no_power_source", "gpu": "no_nvml"}
    driver(monkeypatch, StandInLibrary())
    assert offered(settings(tmp_path)) == {"power": "nvml", "gpu": "nvml"}
    tree(tmp_path, TWO_PACKAGES)
    assert offered(settings(tmp_path)) == {"power": "rapl+nvml", "gpu": "nvml"}
    tree(tmp_path, {**AGX_ORIN, "devices/gpu.0/load": 1})
    assert offered(settings(tmp_path)) == {"power": "hwmon", "gpu": "tegra-sysfs"}
    monkeypatch.setattr(power, "TEGRASTATS_PLACES", (STANDIN,))
    assert offered(settings(tmp_path)) == {"power": "tegrastats", "gpu": "tegrastats"}


def test_processors_and_gpus_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(monkeypatch, StandInLibrary())
    [source, *_] = power.open_sources(settings(tree(tmp_path, TWO_PACKAGES), source="rapl"))
    rails = {row[2] for row in source.read(*NOW) if row[5]}
    assert rails == {"package-0", "dram-0", "package-1", "dram-1", "gpu0"}


def test_a_sum_without_one_of_its_rails_is_no_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = StandInLibrary([StandInGpu(is_lost=True), StandInGpu()])
    driver(monkeypatch, library)
    [source, *_] = power.open_sources(settings(tree(tmp_path, TWO_PACKAGES), source="rapl"))

    def totals() -> set[str]:
        return {row[2] for row in source.read(*NOW) if row[5]}

    counted = {"package-0", "dram-0", "package-1", "dram-1"}
    assert totals() == set()
    library.gpus[0].is_lost = False
    assert totals() == {*counted, "gpu0", "gpu1"}
    package = tmp_path / "class/powercap/intel-rapl:1/energy_uj"
    package.write_text("")
    assert totals() == set()
    package.write_text("2000001")
    assert totals() == {*counted, "gpu0", "gpu1"}
    for gpu in library.gpus:
        gpu.is_lost = True
    assert {row[2] for row in source.read(*NOW)} == {*counted, "core-0", "psys"}
    assert totals() == set()


def test_a_gpu_that_cannot_tell_its_power_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(monkeypatch, StandInLibrary([StandInGpu(), StandInGpu(energy_mj=None, power_mw=None)]))
    [source, *_] = power.open_sources(settings(tree(tmp_path, TWO_PACKAGES), source="rapl"))
    assert "gpu0" in {row[2] for row in source.read(*NOW) if row[5]}


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"source": "tegrastats", "tegrastats": "/nowhere/tegrastats"}, "no_tegrastats"),
        ({"source": "hwmon"}, "no_power_sensor"),
        ({"source": "rapl"}, "no_rapl"),
        ({"source": "nvml"}, "no_nvml"),
        ({"source": "none"}, "power_switched_off"),
    ],
)
def test_what_was_asked_for_and_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], reason: str
) -> None:
    driver(monkeypatch, None)
    assert offered(settings(tmp_path, **chosen)) == {"power": reason, "gpu": "no_nvml"}


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"source": "meter"}, "power.source is 'meter'; choices: auto, tegrastats, hwmon, rapl, nvml, none"),
        ({"rail": "x"}, "power has unknown keys"),
        ({"tegrastats": "tegrastats"}, "must be an absolute path"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, chosen: dict[str, str], sentence: str) -> None:
    with pytest.raises(configuration.ConfigurationError, match=sentence):
        power.open_sources(settings(tmp_path, **chosen))
