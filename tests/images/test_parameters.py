"""Parameters of the nodes: defaults, refusals, and sentences that say what to write."""

from typing import Any

import pytest

from tests.images.in_cluster import module

parameters = module("ros2bench_nodes.parameters")


def test_defaults_are_those_of_the_contract() -> None:
    assert parameters.checked("detector", {}) == {
        "health_port": 0,
        "silence_limit_s": 5.0,
        "input_width_px": 320,
        "input_height_px": 224,
        "threads": 1,
        "score_threshold": 0.5,
        "model": "pp-ocr",
        "repeat": 1,
    }
    assert parameters.checked("reader", {})["max_boxes"] == 8
    assert set(parameters.checked("monitor", {})) == {"health_port", "silence_limit_s"}


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
