"""Parameters of the nodes: defaults, refusals, and sentences that say what to write."""

import array
from typing import Any

import pytest

from tests.images.in_cluster import module

parameters = module("ros2bench_nodes.parameters")
NO_FAULTS = {
    "fault_delays_s": (0.0,),
    "fault_stall_s": 0.0,
    "fault_stall_frame": 0,
    "fault_drop_ratio": 0.0,
    "fault_seed": 0,
}


def test_defaults_are_those_of_the_contract() -> None:
    assert parameters.checked("detector", {}) == {
        "health_port": 0,
        "silence_limit_s": 5.0,
        "stream": 0,
        **NO_FAULTS,
        "inference": "onnx",
        "cost_s": 0.02,
        "input_width_px": 320,
        "input_height_px": 224,
        "threads": 1,
        "score_threshold": 0.5,
        "model": "pp-ocr",
        "repeat": 1,
    }
    assert parameters.checked("reader", {})["max_boxes"] == 8
    own = {"health_port", "silence_limit_s", "stream", "report_frames"}
    assert set(parameters.checked("monitor", {})) == own | NO_FAULTS.keys()


def test_the_reader_is_silent_for_as_long_as_its_triggers_are_apart() -> None:
    assert parameters.checked("reader", {})["silence_limit_s"] == 8.0
    assert parameters.checked("reader", {"trigger_period_s": 20})["silence_limit_s"] == 65.0
    assert parameters.checked("reader", {"trigger_period_s": 20, "silence_limit_s": 30})["silence_limit_s"] == 30.0


def test_whole_number_is_a_rate() -> None:
    rate = parameters.checked("camera", {"rate_hz": 30})["rate_hz"]
    assert rate == 30.0
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        ("camera", "rate_hz", 0.0, "greater than 0"),
        ("camera", "rate_hz", float("nan"), "greater than 0"),
        ("camera", "rate_hz", "fast", "greater than 0"),
        ("camera", "rate_hz", True, "greater than 0"),
        ("camera", "width_px", 15, "from 16 to 8192"),
        ("camera", "height_px", 8193, "from 16 to 8192"),
        ("camera", "width_px", 640.0, "whole number"),
        ("camera", "source", "", "folder"),
        ("camera", "burst", 0, "at least 1"),
        ("camera", "seed", "one", "whole number"),
        ("detector", "input_width_px", 300, "multiple of 32"),
        ("detector", "score_threshold", 1.5, "from 0 to 1"),
        ("reader", "trigger_period_s", -1, "greater than 0"),
        ("monitor", "health_port", 65536, "from 0 to 65535"),
        ("detector", "silence_limit_s", 0, "greater than 0"),
        ("camera", "encoding", "yuv422", '"jpeg"'),
        ("camera", "stream", -1, "from 0 to 1024"),
        ("detector", "inference", "guess", '"synthetic"'),
        ("detector", "cost_s", 0, "greater than 0"),
        ("monitor", "report_frames", 1.5, "whole number"),
        ("monitor", "fault_delays_s", 0.001, "list of numbers"),
        ("monitor", "fault_delays_s", [], "list of numbers"),
        ("monitor", "fault_delays_s", [0.0, -1.0], "list of numbers"),
        ("monitor", "fault_delays_s", [True], "list of numbers"),
        ("camera", "fault_stall_s", float("inf"), "at least 0"),
        ("camera", "fault_drop_ratio", 1.01, "from 0 to 1"),
    ],
)
def test_refusal_names_parameter_value_and_rule(kind: str, name: str, value: Any, words: str) -> None:
    with pytest.raises(parameters.ParameterError) as refused:
        parameters.checked(kind, {name: value})
    sentence = str(refused.value)
    assert f'"{name}" of the {kind}' in sentence
    assert repr(value) in sentence
    assert words in sentence
    assert "\n" not in sentence


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(parameters.ParameterError, match=r'no parameter "rate"; it has .*rate_hz'):
        parameters.checked("camera", {"rate": 10.0})


def test_delays_come_as_any_kind_of_list() -> None:
    for delays in ([0, 0.005], (0.0, 0.005), array.array("d", [0.0, 0.005])):
        assert parameters.checked("camera", {"fault_delays_s": delays})["fault_delays_s"] == (0.0, 0.005)


def from_environment(kind: str, **variables: str) -> dict[str, Any]:
    return parameters.from_environment(kind, parameters.RULES[kind], variables)


def test_environment_gives_numbers_lists_and_text() -> None:
    found = from_environment(
        "camera",
        ROS2BENCH_CAMERA_RATE_HZ="20",
        ROS2BENCH_CAMERA_SOURCE="/dev/video0",
        ROS2BENCH_CAMERA_FAULT_DELAYS_S="[0, 0.1]",
        ROS2BENCH_DETECTOR_THREADS="2",
        ROS2BENCH_MACHINE="edge",
        PATH="/bin",
    )
    assert found == {"rate_hz": 20, "source": "/dev/video0", "fault_delays_s": [0, 0.1]}
    values = parameters.checked("camera", found | {"rate_hz": 5.0})
    assert (values["rate_hz"], values["source"]) == (5.0, "/dev/video0")


def test_environment_is_refused_like_a_parameter() -> None:
    with pytest.raises(parameters.ParameterError, match=r"ROS2BENCH_CAMERA_RATE stands .*ROS2BENCH_CAMERA_RATE_HZ"):
        from_environment("camera", ROS2BENCH_CAMERA_RATE="20")
    with pytest.raises(parameters.ParameterError, match="'fast' but must be a number greater than 0"):
        parameters.checked("camera", from_environment("camera", ROS2BENCH_CAMERA_RATE_HZ="fast"))
    assert from_environment("detector", ROS2BENCH_DETECTOR_MODEL="null") == {"model": "null"}
