"""The reference application is the one of the contract."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import values


def test_topics_have_the_quality_of_service_of_the_contract() -> None:
    topics = {topic.name: (topic.type, topic.reliability, topic.depth) for topic in values.application().topics}
    assert topics == {
        "/frames": ("ros2bench_interfaces/msg/Frame", "best_effort", 10),
        "/detections": ("ros2bench_interfaces/msg/Detections", "reliable", 10),
        "/readings": ("ros2bench_interfaces/msg/Reading", "reliable", 10),
        "/results": ("ros2bench_interfaces/msg/Result", "reliable", 10),
    }


def test_the_application_fits_a_machine_with_one_processor() -> None:
    assert sum(node.resources.cpu_request_millicores for node in values.application().nodes) <= 400


def test_every_topic_that_is_read_is_written_by_one_node() -> None:
    application = values.application()
    written = [topic for node in application.nodes for topic in node.publishes]
    assert sorted(written) == sorted({topic.name for topic in application.topics})
    assert {topic for node in application.nodes for topic in node.subscribes} <= set(written)


def test_numbers_that_ros_reads_as_floating_point_are_written_so() -> None:
    parameters = {node.name: node.parameters for node in values.application().nodes}
    assert isinstance(parameters["camera"]["rate_hz"], float)
    assert isinstance(parameters["reader"]["trigger_period_s"], float)
    assert isinstance(parameters["camera"]["width_px"], int)


def test_only_the_result_is_measured_and_its_rate_is_known() -> None:
    (topic,) = values.application().measured_topics()
    assert (topic.name, topic.expected_rate_hz, topic.stamp) == ("/results", 10.0, "ros2bench")


def test_a_graph_with_two_nodes_of_one_name_is_refused() -> None:
    application = values.application()
    with pytest.raises(ValueError, match="same name"):
        replace(application, nodes=(*application.nodes, application.nodes[0]))


def test_a_graph_with_an_unknown_topic_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without a definition: /result$"):
        replace(values.application(), result="/result")


def test_queues_of_the_graph_are_those_that_the_nodes_make() -> None:
    source = (Path(__file__).parents[2] / "images/workspace/src/ros2bench_nodes/ros2bench_nodes/topics.py").read_text()
    made = {name: int(depth) for name, depth in re.findall(r"(\w+)_QOS = QoSProfile\(depth=(\d+)", source)}
    depths = {topic.name: topic.depth for topic in values.application().topics}
    assert depths.pop("/frames") == made["FRAMES"]
    assert set(depths.values()) == {made["EVENTS"]}
