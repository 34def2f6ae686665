"""Every metric of the catalogue is in every record: measured, or missing with a reason."""

import pytest

from probes.catalogue import SYMBOLS, catalogue
from probes.measurement import all_measurements
from probes.measurements.indicators import Measured
from probes.readings import Reading
from probes.summary import summarise


def test_the_catalogue_has_all_fifteen_symbols_and_three_indicators() -> None:
    assert {metric.symbol for metric in catalogue().values() if metric.symbol} == set(SYMBOLS)
    assert {"startup_efficiency", "energy_efficiency", "deployment_overhead_ratio"} <= catalogue().keys()


def test_without_readings_everything_is_missing_with_a_reason() -> None:
    values = summarise((), seed=1)
    assert set(values) == catalogue().keys()
    assert {value.missing for value in values.values()} == {"not_measured"}


def test_repetitions_become_a_mean_with_an_interval() -> None:
    readings = [Reading("install_s", value, repetition=number) for number, value in enumerate((1.0, 2.0, 3.0))]
    record = summarise(readings, seed=1)["install_s"].as_record()
    assert (record["value"], record["unit"], record["n"], record["confidence"]) == (2.0, "s", 3, 0.95)
    # Student's t of three values: 2 ± 4.303 / √3, and no time is below 0.
    assert record["interval"] == pytest.approx([0.0, 4.484], abs=1e-3)
    assert record["method"] == "student_t"


def test_counts_are_summed_and_extremes_are_kept() -> None:
    readings = [
        Reading("frames_lost", 2.0, repetition=0),
        Reading("frames_lost", 3.0, repetition=1),
        Reading("inference_s", 0.5, labels={"statistic": "max"}, repetition=0),
        Reading("inference_s", 0.4, labels={"statistic": "max"}, repetition=1),
    ]
    values = summarise(readings, seed=1)
    assert (values["frames_lost"].value, values["frames_lost"].interval) == (5.0, None)
    assert (values["inference_s{statistic=max}"].value, values["inference_s{statistic=max}"].interval) == (0.5, None)


def test_a_missing_repetition_does_not_pull_a_value_to_zero() -> None:
    readings = [Reading("ready_s", 4.0, repetition=0), Reading("ready_s", missing="no_valid_message", repetition=1)]
    value = summarise(readings, seed=1)["ready_s"]
    assert (value.value, value.n, value.missing) == (4.0, 1, None)


def test_a_reading_of_the_run_has_no_interval() -> None:
    value = summarise([Reading("image_bytes_wire", 10.0)], seed=1)["image_bytes_wire"]
    assert (value.value, value.interval, value.n) == (10.0, None, 1)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="catalogue does not have: invented"):
        summarise([Reading("invented", 1.0)], seed=1)


def test_a_reading_is_a_value_or_a_reason() -> None:
    for value, missing in ((None, None), (1.0, "reason")):
        with pytest.raises(ValueError, match="needs a value or a reason"):
            Reading("install_s", value, missing)


def test_indicators_follow_from_their_parts() -> None:
    parts = (Reading("install_s", 2.0), Reading("ready_s", 8.0), Reading("frames_hz", 30.0), Reading("power_w", 0.0))
    found = {reading.name: reading for reading in Measured().derive(parts)}
    assert found["startup_efficiency"].value == pytest.approx(0.1)
    assert found["deployment_overhead_ratio"].value == pytest.approx(0.25)
    assert found["energy_efficiency"].missing == "part_is_zero"


def test_a_missing_part_passes_its_reason_on() -> None:
    parts = (Reading("install_s", 2.0), Reading("ready_s", missing="clock_unproven"))
    found = {reading.name: reading.missing for reading in Measured().derive(parts)}
    assert found["startup_efficiency"] == found["deployment_overhead_ratio"] == "clock_unproven"
    assert found["energy_efficiency"] == "part_missing"
    own_reason = (Reading("frames_hz", 1.0), Reading("power_w", missing="a_reason_of_power_alone"))
    assert {reading.missing for reading in Measured().derive(own_reason)} == {"part_missing"}


def test_each_file_in_the_folder_is_a_measurement() -> None:
    names = {type(measurement).__module__.rpartition(".")[2] for measurement in all_measurements()}
    assert {"images", "install", "latency"} <= names
