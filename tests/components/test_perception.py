"""The reference application as a graph: streams, faults and what reaches the nodes."""

from typing import Any

import pytest

from components import patterns, perception
from components.graph import Application
from stacks.load import Load
from tests.images.in_cluster import module

RULES = module("ros2bench_nodes.parameters")


def application(**load: Any) -> Application:
    return perception.perception(perception.Load(**Load(**load).model_dump()))


def test_one_stream_has_plain_names() -> None:
    one = application()
    assert [node.name for node in one.nodes] == ["camera", "detector", "reader", "monitor"]
    assert (one.measured, one.result) == (("/results",), "/results")
    assert all("stream" not in node.parameters for node in one.nodes)
    assert not any(name.startswith("fault") for node in one.nodes for name in node.parameters)


@pytest.mark.parametrize("pattern", ["monolithic", "microservices", "composition", "overlay"])
def test_streams_are_the_whole_application_as_often_in_every_pattern(pattern: str) -> None:
    three = application(streams=3, seed=10)
    assert len(three.nodes) == 12
    assert three.measured == ("/stream_1/results", "/stream_2/results", "/stream_3/results")
    assert three.result == "/stream_1/results"
    by_name = {node.name: node for node in three.nodes}
    assert by_name["detector_2"].subscribes == ("/stream_2/frames",)
    assert by_name["monitor_3"].subscribes == ("/stream_3/detections", "/stream_3/readings")
    assert by_name["camera_2"].command == ("ros2bench-node", "camera")
    assert [by_name[f"camera_{number}"].parameters["seed"] for number in (1, 2, 3)] == [10, 11, 12]
    assert all(node.parameters["stream"] == int(node.name[-1]) for node in three.nodes)
    pods = patterns.placement(pattern, three)
    assert len(pods) == (12 if pattern == "microservices" else 1)


def test_faults_reach_the_node_that_is_named_and_no_other() -> None:
    faulty = application(fault_node="detector", fault_delays_s=[0.0, 0.005], fault_drop_ratio=0.1, fault_seed=3)
    found = {
        node.name: {name: value for name, value in node.parameters.items() if name.startswith("fault")}
        for node in faulty.nodes
    }
    assert found["detector"]["fault_delays_s"] == (0.0, 0.005)
    assert found["detector"]["fault_drop_ratio"] == 0.1
    assert found["camera"] == found["reader"] == found["monitor"] == {}


@pytest.mark.parametrize(
    "load",
    [
        {},
        {"streams": 2, "encoding": "jpeg", "source": "/dev/video0"},
        {"detector_inference": "synthetic", "detector_cost_s": 0.001, "report_frames": 50},
        {"detector_model": "/models/own.onnx.base64", "reader_model": "/models/read.onnx"},
        {"fault_node": "camera", "fault_stall_s": 2.0, "fault_stall_frame": 100},
    ],
)
def test_every_parameter_is_one_that_its_node_accepts(load: dict[str, Any]) -> None:
    for node in application(**load).nodes:
        kind = node.command[1]
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in node.parameters.items()}
        values = RULES.checked(kind, given)
        assert given.keys() <= values.keys()
