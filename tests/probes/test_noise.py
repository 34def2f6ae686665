"""Guards against noise: foreign load, stepping clocks, and the floor below which a difference means nothing."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from probes.evidence import ReaderSeries, RegimeEvidence, SeriesTable
from probes.foreign_load import ForeignLoad, foreign_loads
from probes.gate_text import passed_text
from probes.gates import no_clock_step, quiet_machine, regime_proved
from probes.measurements.disturbance import Measured as Disturbance
from probes.measurements.disturbance import worst
from probes.noise_floor import interval_of_ratio, ratios
from probes.readings import Reading
from probes.samples import NO_SAMPLES
from tests.probes.evidences import series_of, whole

ARMS = 6


def with_busy(series: ReaderSeries, per_second_ns: float) -> ReaderSeries:
    """Change how busy the machine was."""
    table = series.tables["machine"]
    index = table.columns.index("cpu_busy_ns")
    begin = int(str(table.rows[0][0]))
    rows = tuple(
        (*row[:index], round((int(str(row[0])) - begin) * per_second_ns), *row[index + 1 :]) for row in table.rows
    )
    return replace(series, tables={**series.tables, "machine": SeriesTable(table.columns, rows)})


@pytest.mark.parametrize(("busy_cores", "foreign"), [(0.5, 0.0), (0.7, 0.1), (1.5, 0.5), (2.0, 0.75)])
def test_foreign_load_is_what_neither_pods_nor_probes_used(busy_cores: float, foreign: float) -> None:
    evidence = replace(whole(), readers={"edge": with_busy(series_of(), busy_cores)})
    (share,) = foreign_loads(replace(evidence, recorder_machine="elsewhere")).values()
    assert isinstance(share, ForeignLoad)
    assert share.used == pytest.approx(foreign, abs=0.001)
    assert quiet_machine({"edge": share}).passed == (foreign <= 0.4)


def test_the_recorder_and_the_reader_are_not_foreign() -> None:
    series = replace(with_busy(series_of(), 0.605), cpu_ns=series_of().stopped_ns - series_of().started_ns)
    evidence = replace(whole(), readers={"edge": replace(series, cpu_ns=series.cpu_ns // 10)})
    for machine, used in (("edge", 0.0), ("elsewhere", 0.0025)):
        load = foreign_loads(replace(evidence, recorder_machine=machine))["edge"]
        assert isinstance(load, ForeignLoad)
        assert load.used == pytest.approx(used, abs=1e-4)


def test_what_a_host_takes_away_is_told_and_counts() -> None:
    series = with_busy(series_of(), 0.7)
    table = series.tables["machine"]
    index, begin = table.columns.index("cpu_stolen_ns"), int(str(table.rows[0][0]))
    rows = tuple((*row[:index], (int(str(row[0])) - begin) // 2, *row[index + 1 :]) for row in table.rows)
    robbed = replace(series, tables={**series.tables, "machine": SeriesTable(table.columns, rows)})
    evidence = replace(whole(), readers={"edge": robbed})
    found = {reading.key: reading for reading in asyncio.run(Disturbance().gather(evidence))}
    assert found["foreign_cpu_ratio"].value == pytest.approx(0.1, abs=0.001)
    assert found["stolen_cpu_ratio"].value == found["stolen_cpu_ratio{machine=edge}"].value == pytest.approx(0.25)
    (load,) = foreign_loads(evidence).values()
    gate = quiet_machine({"edge": load})
    assert gate.passed
    assert gate.detail == "edge 10% foreign load, 25% stolen by its host"
    assert not quiet_machine({"edge": ForeignLoad(0.2, 0.25)}).passed


def test_of_several_machines_the_most_disturbed_one_counts() -> None:
    assert worst((ForeignLoad(0.1, 0.0), ForeignLoad(0.0, 0.2))) == ForeignLoad(0.1, 0.2)
    assert worst((ForeignLoad(0.1, 0.0), "machine_reader_cut")) == "machine_reader_cut"


def test_what_nobody_watched_is_said() -> None:
    evidence = replace(whole(), readers={"edge": "no_platform"})
    gate = quiet_machine(foreign_loads(evidence))
    assert (gate.passed, gate.watched, gate.detail) == (True, False, "edge not watched: no_platform")
    watched = quiet_machine({"edge": ForeignLoad(0.1, 0.0)})
    said = passed_text([each.as_record() for each in (watched, gate)])
    assert said == "1 passed, 1 not watched: quiet_machine (edge not watched: no_platform)"
    older = {"name": "quiet_machine", "passed": True, "detail": "edge 10% foreign load", "repetition": 0}
    assert passed_text([older]) == "all 1 passed"
    empty = replace(whole(), readers={"edge": series_of(empty=True)})
    assert foreign_loads(empty) == {"edge": "too_few_samples"}


def test_a_clock_step_on_any_machine_is_found() -> None:
    series = series_of()
    assert no_clock_step(NO_SAMPLES, {"edge": series, "cloud": "no_platform"}).passed
    table = series.tables["machine"]
    stepped = tuple(
        (int(str(row[0])) + (20_000_000 if index > 5 else 0), *row[1:]) for index, row in enumerate(table.rows)
    )
    moved = replace(series, tables={"machine": SeriesTable(table.columns, stepped)})
    gate = no_clock_step(NO_SAMPLES, {"edge": moved})
    assert (gate.passed, "20.000 ms at most (edge)" in gate.detail) == (False, True)
    assert no_clock_step(NO_SAMPLES, {"edge": replace(series, tables={})}).passed


def test_a_regime_is_proved_or_says_why_not() -> None:
    proved = RegimeEvidence("image_cold", {}, {"edge": 10}, ("pulled",), None)
    assert regime_proved(proved).passed
    gate = regime_proved(replace(proved, problem="edge still holds sha256:1"))
    assert (gate.passed, gate.detail) == (False, "edge still holds sha256:1")


def readings(factor: float, seed: int) -> list[Reading]:
    noise = np.random.default_rng(seed).normal(1.0, 0.01, ARMS)
    return [Reading("install_s", float(factor * noise[number]), repetition=number) for number in range(ARMS)]


def test_the_floor_is_the_median_of_pair_ratios_with_an_interval() -> None:
    found = ratios(readings(2.0, 1), readings(2.0, 2), seed=1)
    assert set(found) == {"install_s"}
    low, high = found["install_s"]["interval"]
    assert low <= found["install_s"]["median_ratio"] <= high
    assert low <= 1.0 <= high
    assert found == ratios(readings(2.0, 1), readings(2.0, 2), seed=1)
    assert ratios(readings(1.0, 1), readings(1.5, 2), seed=1)["install_s"]["interval"][0] > 1.4


def test_two_pairs_have_no_interval_and_a_missing_value_makes_no_pair() -> None:
    assert interval_of_ratio([1.0, 1.1], 1) is None
    one = [Reading("install_s", 1.0, repetition=0), Reading("install_s", missing="not_requested", repetition=1)]
    assert ratios(one, one, 1)["install_s"]["n"] == 1
    # Five values of one spread: the interval is Student's, wider than all of them.
    low, high = interval_of_ratio([0.98, 0.99, 1.0, 1.01, 1.02], 1) or [1.0, 1.0]
    assert (low, high) == pytest.approx((0.98047, 1.01972), abs=2e-4)
    zero = [Reading("frames_hz", 0.0, repetition=0)]
    assert ratios(zero, zero, 1) == {}
