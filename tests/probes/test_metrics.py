"""Every metric of the catalogue is in every record: measured, or missing with a reason."""

import pytest

from probes.measurement import all_measurements
from probes.metrics import BY_NAME, METRICS, derive, summarise
from probes.readings import Reading

FIFTEEN = {
    "S_img", "T_install", "T_ready", "T_inf", "f_FPS", "J_inf", "U_CPU", "U_GPU", "L_IO", "P_avg", "E_inf", "L_net",
    "T_sched", "C_cfg", "T_CI",
}  # fmt: skip


def test_the_catalogue_names_each_metric_once_and_all_fifteen_symbols() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert {metric.symbol for metric in METRICS if metric.symbol} == FIFTEEN
    assert {"startup_efficiency", "energy_efficiency", "deployment_overhead_ratio"} <= BY_NAME.keys()


def test_without_readings_everything_is_missing_with_a_reason() -> None:
    values = summarise((), platform=None, seed=1)
    assert set(values) == BY_NAME.keys()
    assert {value.missing for value in values.values()} == {
        "not_measured",
        "not_implemented_in_this_version",
        "no_platform",
    }
    assert summarise((), platform="platform", seed=1)["power_w"].missing == "not_implemented_in_this_version"


def test_repetitions_become_a_mean_with_an_interval() -> None:
    readings = [Reading("install_s", value, repetition=number) for number, value in enumerate((1.0, 2.0, 3.0))]
    record = summarise(readings, platform=None, seed=1)["install_s"].as_record()
    assert (record["value"], record["unit"], record["n"], record["confidence"]) == (2.0, "s", 3, 0.95)
    interval = record["interval"]
    assert isinstance(interval, list)
    assert 1.0 <= interval[0] <= 2.0 <= interval[1] <= 3.0


def test_counts_are_summed_and_extremes_are_kept() -> None:
    readings = [
        Reading("frames_lost", 2.0, repetition=0),
        Reading("frames_lost", 3.0, repetition=1),
        Reading("inference_s", 0.5, labels={"statistic": "max"}, repetition=0),
        Reading("inference_s", 0.4, labels={"statistic": "max"}, repetition=1),
    ]
    values = summarise(readings, platform=None, seed=1)
    assert (values["frames_lost"].value, values["frames_lost"].interval) == (5.0, None)
    assert (values["inference_s{statistic=max}"].value, values["inference_s{statistic=max}"].interval) == (0.5, None)


def test_a_missing_repetition_does_not_pull_a_value_to_zero() -> None:
    readings = [Reading("ready_s", 4.0, repetition=0), Reading("ready_s", missing="no_valid_message", repetition=1)]
    value = summarise(readings, platform=None, seed=1)["ready_s"]
    assert (value.value, value.n, value.missing) == (4.0, 1, None)


def test_a_reading_of_the_run_has_no_interval() -> None:
    value = summarise([Reading("image_bytes_wire", 10.0)], platform=None, seed=1)["image_bytes_wire"]
    assert (value.value, value.interval, value.n) == (10.0, None, 1)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="catalogue does not have: invented"):
        summarise([Reading("invented", 1.0)], platform=None, seed=1)


def test_a_reading_is_a_value_or_a_reason() -> None:
    for value, missing in ((None, None), (1.0, "reason")):
        with pytest.raises(ValueError, match="needs a value or a reason"):
            Reading("install_s", value, missing)


def test_indicators_follow_from_their_parts() -> None:
    found = {reading.name: reading for reading in derive((Reading("install_s", 2.0), Reading("ready_s", 8.0)))}
    assert found["startup_efficiency"].value == pytest.approx(0.1)
    assert found["deployment_overhead_ratio"].value == pytest.approx(0.25)
    without = derive((Reading("install_s", 2.0), Reading("ready_s", missing="clock_unproven")))
    assert {reading.missing for reading in without} == {"clock_unproven"}


def test_each_file_in_the_folder_is_a_measurement() -> None:
    names = {type(measurement).__module__.rpartition(".")[2] for measurement in all_measurements()}
    assert {"images", "install", "latency"} <= names
