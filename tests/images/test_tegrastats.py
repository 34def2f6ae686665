"""The grammar of tegrastats: the recorded lines, generated ones, and whatever else a pipe may hold."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.standins.boards import recorded_lines
from tests.images.in_cluster import module

tegrastats = module("ros2bench_machine_reader.tegrastats")
tegrastats_source = module("ros2bench_machine_reader.tegrastats_source")

RECORDED = recorded_lines()
# AGX Xavier, JetPack 4.2; from https://github.com/martinkersner/gtop.
XAVIER = (
    "RAM 1903/15692MB (lfb 3240x4MB) CPU [0%@1190,0%@1190,0%@1190,0%@1190,off,off,off,off] EMC_FREQ 0% GR3D_FREQ 0% "
    "AO@36C GPU@37C Tboard@38C Tdiode@41C AUX@36C CPU@38C thermal@36.9C PMIC@100C "
    "GPU 463/463 CPU 618/618 SOC 2936/2936 CV 0/0 VDDRQ 309/309 SYS5V 3306/3306"
)
KNOWN = (*RECORDED, XAVIER)
MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("number", "rails"),
    [
        (1, [182, 730, 0, 5297, 1917, 1241]),
        (2, [3757, 197, 1066]),
        (3, [467, 467, 1245, 0, 311, 2768]),
        (4, [2390, 796, 3522, 0, 301, 0]),
        (5, [3150, 14312, 4968, 1091]),
        (6, [1592, -398, 2624, 403]),
        (7, [2412, 1607, 4707]),
        (8, [4824, 518, 1475]),
        (9, [5139, 3268, 5500]),
    ],
)
def test_recorded_lines_are_understood_to_the_last_piece(number: int, rails: list[int]) -> None:
    line = tegrastats.parse_line(RECORDED[number - 1])
    assert line.unknown == ()
    assert [rail.power_mw for rail in line.rails] == rails
    assert line.engine("GR3D") is not None


def test_xavier_has_a_rail_named_as_its_cores() -> None:
    line = tegrastats.parse_line(XAVIER)
    assert line.unknown == ()
    assert {rail.name: (rail.power_mw, rail.average_mw) for rail in line.rails} == {
        "GPU": (463, 463),
        "CPU": (618, 618),
        "SOC": (2936, 2936),
        "CV": (0, 0),
        "VDDRQ": (309, 309),
        "SYS5V": (3306, 3306),
    }
    rows = tegrastats_source.power_rows(line, 1, 2)
    assert [row[5] for row in rows] == [True] * 6
    assert sum(row[3] for row in rows) == pytest.approx(7.632)


def test_tx2_says_everything() -> None:
    line = tegrastats.parse_line(RECORDED[0])
    assert line.stamp is None
    assert line.ram == tegrastats.Memory(3276 * MEBIBYTE, 7859 * MEBIBYTE)
    assert line.swap == tegrastats.Memory(1626 * MEBIBYTE, 12122 * MEBIBYTE)
    assert line.cores[0] == tegrastats.Core(44, 1421)
    assert len(line.cores) == 6
    assert [engine.name for engine in line.engines] == ["EMC", "GR3D", "APE", "MTS fg", "MTS bg"]
    assert line.temperature("gpu").celsius == 39.5
    assert not any(rail.has_unit for rail in line.rails)


def test_cores_that_are_off_are_not_idle() -> None:
    assert tegrastats.parse_line(RECORDED[1]).cores[2:] == (None,) * 4
    assert tegrastats.parse_line(RECORDED[5]).cores[8:] == (None,) * 4


def test_sensor_without_power_has_no_temperature() -> None:
    line = tegrastats.parse_line(RECORDED[3])
    assert line.temperature("GPU").celsius is None
    assert line.temperature("CPU").celsius == 41.437
    assert [rail.name for rail in line.rails].count("NC") == 2


def test_clocks_in_brackets_alone_and_switched_off() -> None:
    assert tegrastats.parse_line(RECORDED[4]).engine("GR3D").clocks_mhz == (407, 407)
    assert tegrastats.parse_line(RECORDED[4]).engine("NVDLA0") == tegrastats.Engine(
        "NVDLA0", is_on=True, clocks_mhz=(1600,)
    )
    assert tegrastats.parse_line(RECORDED[6]).engine("NVENC") == tegrastats.Engine(
        "NVENC", is_on=True, load_percent=79, clocks_mhz=(166,)
    )
    assert tegrastats.parse_line(RECORDED[6]).engine("PVA0") == tegrastats.Engine("PVA0", is_on=False)


def test_three_power_numbers_and_two_temperatures() -> None:
    line = tegrastats.parse_line(RECORDED[8])
    assert line.rails[0] == tegrastats.Rail("VDD_GPU_SOC", 5139, 5139, 5139)
    assert line.temperature("gpu") == tegrastats.Temperature("gpu", 47.625, 47.625)


def test_power_without_an_average_and_internal_memory() -> None:
    line = tegrastats.parse_line("IRAM 0/252kB(lfb 252kB) VDD_GPU_SOC 2171mW")
    assert line == tegrastats.Line(iram=tegrastats.Memory(0, 252 << 10), rails=(tegrastats.Rail("VDD_GPU_SOC", 2171),))


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("RAM 1728/7763", ("RAM", "1728/7763")),
        ("VDD_IN 52", ()),
        ("VDD_IN 5297/5297m", ("VDD_IN", "5297/5297m")),
        ("VDD_IN 5297mW/5297", ("VDD_IN", "5297mW/5297")),
        ("VDD_IN 1mW/2mW/3mW/4mW", ("VDD_IN", "1mW/2mW/3mW/4mW")),
        ("VDD_IN 99999999999999999mW/1mW", ("VDD_IN", "99999999999999999mW/1mW")),
        ("VDD_IN NaNmW/0mW", ("VDD_IN", "NaNmW/0mW")),
        ("EMC_FREQ 3/4", ("EMC_FREQ", "3/4")),
        ("CPU 5/6", ("CPU", "5/6")),
        ("CPU 5/6 CPU [1%@1]", ("CPU", "5/6")),
        ("CPU [1%@1] CPU 5", ("CPU", "5")),
        ("GPU@51", ("GPU@51",)),
        ("GR3D_FREQ 0%@[407,", ("GR3D_FREQ", "0%@[407,")),
        ("CPU [0%@1728,off", ("CPU", "[0%@1728,off")),
        ("CPU [0%@1728] CPU [1%@1]", ("CPU", "[1%@1]")),
        ("GR3D_FREQ ", ("GR3D_FREQ",)),
        ("\x00\x01 VDD", ("\x00\x01", "VDD")),
    ],
)
def test_what_is_not_certain_is_no_power(text: str, unknown: tuple[str, ...]) -> None:
    line = tegrastats.parse_line(text)
    assert line.rails == ()
    assert line.unknown == unknown


def test_huge_line_is_left_out() -> None:
    assert tegrastats.parse_line("VDD_IN 1mW/1mW " * 10_000).rails == ()


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: name not in tegrastats.NEVER_RAIL_NOR_ENGINE and not name.endswith("_FREQ")
)
PERCENT = st.integers(0, 100)
CLOCK = st.integers(0, 9_999)
POWER = st.integers(-9_999, 999_999)
CELSIUS = st.integers(-99_000, 150_000).map(lambda value: value / 1000)


@st.composite
def cores(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    drawn = draw(st.lists(st.none() | st.tuples(PERCENT, CLOCK), min_size=1, max_size=16))
    text = ",".join("off" if core is None else f"{core[0]}%@{core[1]}" for core in drawn)
    return f"CPU [{text}]", {"cores": tuple(core and tegrastats.Core(*core) for core in drawn)}


@st.composite
def memory(draw: st.DrawFn, name: str, tail: str) -> tuple[str, dict[str, Any]]:
    used, total = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
    text = f"{name} {used}/{total}MB" + draw(st.sampled_from(["", tail]))
    return text, {name.lower(): tegrastats.Memory(used * MEBIBYTE, total * MEBIBYTE)}


@st.composite
def engine(draw: st.DrawFn) -> tuple[str, Any]:
    name, suffix = draw(NAMES), draw(st.sampled_from(["", "_FREQ"]))
    load, clocks = draw(PERCENT), draw(st.lists(CLOCK, min_size=1, max_size=4))
    bracket = f"@[{','.join(map(str, clocks))}]"
    text, made = draw(
        st.sampled_from(
            [
                ("off", (False, None, ())),
                (f"{clocks[0]}", (True, None, (clocks[0],))),
                (f"{load}%", (True, load, ())),
                (f"{load}%@{clocks[0]}", (True, load, (clocks[0],))),
                (f"{load}%{bracket}", (True, load, tuple(clocks))),
                (f"@{clocks[0]}", (True, None, (clocks[0],))),
                (bracket, (True, None, tuple(clocks))),
            ]
        )
    )
    return f"{name}{suffix} {text}", tegrastats.Engine(name, *made)


@st.composite
def temperature(draw: st.DrawFn) -> tuple[str, Any]:
    name, now, largest = draw(NAMES), draw(CELSIUS | st.just(-256.0)), draw(st.none() | CELSIUS)
    text = f"{name}@{now:g}C" + ("" if largest is None else f"/{largest:g}C")
    return text, tegrastats.Temperature(
        name, None if now == -256 else float(f"{now:g}"), largest and float(f"{largest:g}")
    )


@st.composite
def rail(draw: st.DrawFn) -> tuple[str, Any]:
    name, has_unit = draw(NAMES), draw(st.booleans())
    numbers = draw(st.lists(POWER, min_size=1 if has_unit else 2, max_size=3))
    unit = "mW" if has_unit else ""
    text = f"{name} {'/'.join(f'{number}{unit}' for number in numbers)}"
    return text, tegrastats.Rail(name, *(*numbers, None, None)[:3], has_unit=has_unit)


def lists(pieces: Any) -> Any:
    return st.lists(pieces, max_size=6)


@given(
    st.tuples(memory("RAM", " (lfb 5x4MB)"), memory("SWAP", " (cached 3MB)"), cores()),
    lists(engine()),
    lists(temperature()),
    lists(rail()),
    st.booleans(),
)
def test_generated_lines_come_back(
    single: Any, engines: list[Any], temperatures: list[Any], rails: list[Any], has_stamp: bool
) -> None:
    stamp = "07-25-2026 09:08:28" if has_stamp else None
    pieces = [*([stamp] if stamp else []), *(text for text, _ in (*single, *engines, *temperatures, *rails))]
    expected = {key: value for _, made in single for key, value in made.items()}
    assert tegrastats.parse_line(" ".join(pieces)) == tegrastats.Line(
        stamp=stamp,
        engines=tuple(made for _, made in engines),
        temperatures=tuple(made for _, made in temperatures),
        rails=tuple(made for _, made in rails),
        **expected,
    )


@given(st.text() | st.text("RAMCPU_VD 0123456789%@[]/,.-mWCoff()"))
@example("")
@example("\n\r\t")
def test_any_text_is_taken_without_an_exception(text: str) -> None:
    line = tegrastats.parse_line(text)
    assert all(abs(rail.power_mw) < 10**7 for rail in line.rails)


@given(st.sampled_from(KNOWN), st.data())
def test_cut_line_tells_no_other_power(text: str, data: st.DataObject) -> None:
    whole = tegrastats.parse_line(text)
    cut = tegrastats.parse_line(text[: data.draw(st.integers(0, len(text)))])
    assert len(cut.rails) <= len(whole.rails)
    for got, right in zip(cut.rails, whole.rails, strict=False):
        # A cut in the middle of a number changes the form, or leaves the present power as it was.
        assert got.power_mw == right.power_mw or got.shape != right.shape


@given(st.sampled_from(KNOWN), st.data())
def test_garbled_bytes_never_raise(text: str, data: st.DataObject) -> None:
    garbled = bytearray(text.encode())
    for place in data.draw(st.lists(st.integers(0, len(garbled) - 1), max_size=5)):
        garbled[place] = data.draw(st.integers(0, 255))
    tegrastats.parse_line(bytes(garbled).decode("utf-8", errors="replace"))
