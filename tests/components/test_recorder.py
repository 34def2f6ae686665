"""What a stack tells its recorder is what the recorder in the image reads."""

from dataclasses import replace
from pathlib import Path

from components.participant import Participant
from components.perception import perception
from components.recorder import CAPTURES_FOLDER, CAPTURES_VOLUME, recorder_container, recorder_settings
from tests.images.in_cluster import module
from tests.support import values

configuration = module("ros2bench_recorder.configuration")


def test_the_recorder_reads_its_settings() -> None:
    topics = perception(values.load()).measured_topics()
    read = configuration.parse_configuration(recorder_settings(topics, 8080, values.OPERATOR))
    assert [topic.name for topic in read.topics] == [topic.name for topic in topics]
    assert read.captures_folder == Path(CAPTURES_FOLDER)


def test_samples_fit_into_the_volume_with_room_for_the_rest() -> None:
    settings = recorder_settings([], 8080, values.OPERATOR)
    size_bytes = int(CAPTURES_VOLUME["emptyDir"]["sizeLimit"].removesuffix("Mi")) * 1024 * 1024
    assert 0.9 * size_bytes < settings["captures"]["limit_bytes"] < 0.95 * size_bytes


def test_the_recorder_reads_rates_nodes_and_mappings() -> None:
    mappings = [{"topic": "/battery", "preset": "battery", "type": "sensor_msgs/msg/BatteryState"}]
    topics = perception(values.load()).measured_topics()
    settings = recorder_settings(topics, 8080, values.OPERATOR, nodes=["camera"], mappings=mappings)
    read = configuration.parse_configuration(settings)
    assert (read.nodes, list(read.mappings)) == (("camera",), mappings)
    assert read.topics[0].expected_rate_hz == topics[0].expected_rate_hz


def test_what_was_sent_before_is_asked_for_where_the_publisher_keeps_it() -> None:
    usual = perception(values.load()).measured_topics()[0]
    kept = replace(usual, name="/stop", durability="transient_local")
    settings = recorder_settings([usual, kept], 8080, values.OPERATOR)
    assert "durability" not in settings["topics"][0]
    read = configuration.parse_configuration(settings).topics
    assert [each.durability for each in read] == ["volatile", "transient_local"]


def test_its_metrics_are_found_by_name_and_annotation_and_its_health_beside_them() -> None:
    participant = Participant(domain_id=1, rmw="rmw_fastrtps_cpp", socket_buffer_bytes=4096, health_port=8080)
    container = recorder_container("image@sha256:0", participant, values.node("n").resources)
    assert container["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "metrics"
