"""Energy of rails as counters: exact for what was seen, silent about what was not, never going back."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.evidence import SeriesTable
from probes.power_series import machine_power
from probes.samples import Window
from tests.images.in_cluster import module

energy_counter = module("ros2bench_machine_reader.energy_counter")
reading = module("ros2bench_machine_reader.reading")
sources = module("ros2bench_machine_reader.sources")

SECOND_NS = 1_000_000_000
REAL_NS = 1_700_000_000 * SECOND_NS


def row(at_s: float, power_w: float | None, rail: str = "VDD_IN", energy_j: float | None = None) -> tuple[Any, ...]:
    at_ns = round(at_s * SECOND_NS)
    return (REAL_NS + at_ns, at_ns, rail, power_w, energy_j, rail == "VDD_IN")


def counted(rows: list[tuple[Any, ...]], now_s: float | None = None) -> dict[str, tuple[float, float]]:
    """Joules and seconds of each rail after these rows."""
    counters = energy_counter.EnergyCounters()
    counters.note(rows)
    now_ns = rows[-1][1] if now_s is None else round(now_s * SECOND_NS)
    return {name: (joules, seconds) for _, _, name, _, joules, seconds in counters.rows(now_ns)}


def test_power_is_integrated_by_the_trapezoid_rule() -> None:
    joules, seconds = counted([row(0, 2.0), row(1, 4.0), row(1.5, 4.0)])["VDD_IN"]
    assert (joules, seconds) == pytest.approx((3.0 + 2.0, 1.5))


def test_a_gap_adds_neither_joules_nor_seconds() -> None:
    rows = [row(0, 5.0), row(1, 5.0), row(4, 5.0), row(5, 5.0)]
    assert counted(rows)["VDD_IN"] == pytest.approx((10.0, 2.0))


def test_a_counter_is_passed_on_and_covers_all_time() -> None:
    rows = [row(0, None, energy_j=100.0), row(60, None, energy_j=400.0)]
    assert counted(rows)["VDD_IN"] == pytest.approx((400.0, 60.0))


def test_a_rail_that_is_no_longer_told_is_not_shown_as_one_without_power() -> None:
    rows = [row(0, 5.0), row(0, 1.0, "VDD_SOC"), row(1, 5.0), row(2, 5.0), row(3, 5.0)]
    assert set(counted(rows)) == {"VDD_IN"}
    assert counted(rows, now_s=5.1) == {}


def test_which_rails_are_the_total_is_told_with_them() -> None:
    counters = energy_counter.EnergyCounters()
    counters.note([row(0, 5.0), row(0, 1.0, "VDD_SOC")])
    found = {each[2]: each[3] for each in counters.rows(0)}
    assert found == {"VDD_IN": True, "VDD_SOC": False}


def of_packages(at_s: float, *rails: str, is_total: bool = True) -> list[tuple[Any, ...]]:
    """One reading of rails that make up the total together."""
    return [(*row(at_s, 5.0, rail)[:5], is_total) for rail in rails]


def test_a_total_without_one_of_its_rails_is_none() -> None:
    counters = energy_counter.EnergyCounters()

    def totals(now_s: float) -> list[bool]:
        return [each[3] for each in counters.rows(round(now_s * SECOND_NS))]

    counters.note(of_packages(0, "package-0", "gpu0"))
    assert totals(0) == [True, True]
    # A single reading without it is bridged, as its joules are.
    counters.note(of_packages(1, "package-0", is_total=False))
    assert totals(1) == [True, True]
    counters.note(of_packages(3, "package-0"))
    assert totals(3) == [False]
    counters.note(of_packages(4, "package-0", "gpu0"))
    assert totals(4) == [True, True]


def test_the_newest_power_is_no_total_without_one_of_its_rails() -> None:
    now_s = 100.0
    newest = reading.Newest(lambda: now_s)
    newest.note("power", of_packages(0, "package-0", "gpu0"))
    now_s += 1.5
    newest.note("power", of_packages(1.5, "package-0", is_total=False))
    assert [each[5] for each in newest.rows("power")] == [True, True]
    now_s += 1.5
    newest.note("power", of_packages(3, "package-0"))
    assert [each[2:] for each in newest.rows("power")] == [("package-0", 5.0, None, False)]


def test_a_rail_that_is_no_longer_part_of_the_total_is_not_waited_for() -> None:
    counters = energy_counter.EnergyCounters()
    counters.note(of_packages(0, "A", "B"))
    counters.note([*of_packages(1, "VDD_IN"), *of_packages(1, "A", "B", is_total=False)])
    assert {each[2]: each[3] for each in counters.rows(SECOND_NS)} == {"A": False, "B": False, "VDD_IN": True}


@given(st.lists(st.floats(-3, 30), min_size=2, max_size=60))
def test_it_never_goes_back_and_ends_at_the_highest_integral(powers: list[float]) -> None:
    counters, shown, integral, highest = energy_counter.EnergyCounters(), [0.0], 0.0, 0.0
    for number, power in enumerate(powers):
        if number:
            integral += (powers[number - 1] + power) / 2 * 0.1
            highest = max(highest, integral)
        counters.note([row(number * 0.1, power)])
        shown.append(counters.rows(round(number * 0.1 * SECOND_NS))[0][4])
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(highest, abs=1e-9)


@given(st.lists(st.floats(0.5, 30), min_size=20, max_size=80), st.integers(1, 9))
def test_counters_and_the_record_of_the_same_rows_agree(powers: list[float], tenths: int) -> None:
    # Rows come a little unevenly, as they do.
    rows = [row(number * 0.1 + (number % 3) * tenths * 0.001, power) for number, power in enumerate(powers)]
    joules, seconds = counted(rows)["VDD_IN"]
    table = SeriesTable(("time_ns", "monotonic_ns", *sources.COLUMNS["power"]), tuple(rows))
    of_record = machine_power(table, Window(rows[0][0], rows[-1][0]), period_s=0.1)
    assert isinstance(of_record.total, float)
    assert math.isclose(joules / seconds, of_record.total, rel_tol=1e-3)
