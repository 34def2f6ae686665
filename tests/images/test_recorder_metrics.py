"""The recorder's text for Prometheus: every series of the contract, and none for what is not known."""

import re
from typing import Any

import pytest

from tests.images.in_cluster import module
from tests.images.message_standins import Float32, find

metrics = module("ros2bench_recorder.metrics")
tally = module("ros2bench_recorder.tally")
mappings = module("ros2bench_recorder.mappings")
mapped_topic = module("ros2bench_recorder.mapped_topic")
graph_view = module("ros2bench_recorder.graph_view")

RUN = "0192f0aa-1111-7abc-8def-0123456789ab"
TOPIC = '{topic="/results"}'
MILLISECOND_NS = 1_000_000


def moment(**more: Any) -> Any:
    known: dict[str, Any] = {
        "publishers": {"/results": 1},
        "nodes": {"/camera": True, "/monitor": False},
        "capture": f"{RUN}-003",
        "cpu_ns": 1_500_000_000,
        "memory_bytes": 4096,
        "monotonic_s": 10.0,
    }
    return metrics.Moment(**known | more)


def text(counted: Any, rate_hz: float | None = 10.0, mapped: Any = None, **more: Any) -> list[str]:
    watched = [metrics.Watched("/results", counted, rate_hz)]
    exposed = metrics.Exposition(watched, mapped or metrics.Mapped())
    return exposed.text(moment(**more)).decode().splitlines()


def counted(*latencies_ns: int | None, rate_hz: float | None = 10.0, number: int = 1) -> Any:
    found = tally.Tally(rate_hz)
    for position, latency_ns in enumerate(latencies_ns):
        found.add(latency_ns, -1 if number < 0 else number + 2 * position, 100, 1_700_000_000_500_000_000)
    return found


def test_every_series_of_a_topic_that_tells_everything() -> None:
    lines = text(counted(20 * MILLISECOND_NS, 150 * MILLISECOND_NS))
    for line in (
        f"ros2bench_messages_total{TOPIC} 2",
        f"ros2bench_message_bytes_total{TOPIC} 200",
        f"ros2bench_messages_lost_total{TOPIC} 1",
        f"ros2bench_messages_late_total{TOPIC} 1",
        f"ros2bench_messages_from_the_future_total{TOPIC} 0",
        'ros2bench_message_latency_seconds_bucket{topic="/results",le="0.01"} 0',
        'ros2bench_message_latency_seconds_bucket{topic="/results",le="0.02"} 1',
        'ros2bench_message_latency_seconds_bucket{topic="/results",le="+Inf"} 2',
        f"ros2bench_message_latency_seconds_sum{TOPIC} 0.17",
        f"ros2bench_message_latency_seconds_count{TOPIC} 2",
        f"ros2bench_topic_last_message_timestamp_seconds{TOPIC} 1700000000.5",
        f"ros2bench_topic_expected_rate_hertz{TOPIC} 10.0",
        f"ros2bench_topic_publishers{TOPIC} 1",
        'ros2bench_node_up{node="/camera"} 1',
        'ros2bench_node_up{node="/monitor"} 0',
        f'ros2bench_run_info{{run="{RUN}"}} 1',
        "ros2bench_recorder_cpu_seconds_total 1.5",
        "ros2bench_recorder_memory_bytes 4096",
    ):
        assert line in lines
    assert sum(line.startswith("ros2bench_message_latency_seconds_bucket") for line in lines) == 19


@pytest.mark.parametrize(
    ("counted_so_far", "rate_hz", "absent"),
    [
        (counted(), 10.0, ("last_message_timestamp", "messages_lost", "messages_late", "messages_from_the_future")),
        (counted(5, number=-1), 10.0, ("messages_lost",)),
        (counted(5, rate_hz=None), None, ("messages_late", "expected_rate")),
        (counted(None), 10.0, ("messages_late", "messages_from_the_future")),
        (counted(-5), 10.0, ("messages_late",)),
    ],
)
def test_what_is_not_known_is_absent_and_never_0(
    counted_so_far: Any, rate_hz: float | None, absent: tuple[str, ...]
) -> None:
    lines = text(counted_so_far, rate_hz)
    assert any(line.startswith("ros2bench_messages_total{") for line in lines)
    for name in absent:
        assert not [line for line in lines if name in line]


def test_a_message_from_the_future_is_counted_and_changes_no_latency() -> None:
    before, after = (
        text(counted(*latencies_ns))
        for latencies_ns in ((20 * MILLISECOND_NS,), (20 * MILLISECOND_NS, -1, -5 * MILLISECOND_NS))
    )
    of_latency = [line for line in before if line.startswith("ros2bench_message_latency_seconds")]
    assert of_latency == [line for line in after if line.startswith("ros2bench_message_latency_seconds")]
    assert f"ros2bench_messages_from_the_future_total{TOPIC} 2" in after
    assert f"ros2bench_messages_late_total{TOPIC} 0" in after
    assert f"ros2bench_messages_total{TOPIC} 3" in after


def test_the_help_says_that_latency_contains_the_offset_of_two_clocks() -> None:
    helps = [line for line in text(counted(5)) if line.startswith("# HELP ros2bench_message_latency_seconds ")]
    assert "offset of their clocks" in helps[0]


def test_publishers_that_nobody_could_count_are_absent() -> None:
    assert not [line for line in text(counted(5), publishers={}) if "topic_publishers" in line]


@pytest.mark.parametrize("capture", [None, "turns-0123456789abcdef", "exchange-1", f"{RUN}", f"{RUN}-003-idle", "a-1"])
def test_only_the_captures_of_a_run_name_one(capture: str | None) -> None:
    assert not [line for line in text(counted(5), capture=capture) if "run_info" in line]


def test_mapped_series_of_several_topics_are_one_metric_and_problems_are_counted() -> None:
    items = [{"topic": "/a", "preset": "mission"}, {"topic": "/b", "preset": "mission"}, {"topic": "/c", "preset": "x"}]
    chosen = mappings.choose([*items, {"topic": "/d", "type": "no_msgs/msg/X", "preset": "battery"}], {}, find)

    def deserialise(serialised: bytes) -> Float32:
        return Float32(data=float(serialised))

    topics = [mapped_topic.MappedTopic(found, deserialise, 0.0) for found in chosen.topics.values()]
    for topic, value in zip(topics, (b"0.25", b"nan"), strict=True):
        topic.offer(value)
        topic.turn(0.0)
    lines = text(counted(), mapped=metrics.Mapped(topics, chosen.problems))
    assert lines.count("# TYPE ros2bench_mission_progress_ratio gauge") == 1
    assert 'ros2bench_mission_progress_ratio{topic="/a"} 0.25' in lines
    assert not [line for line in lines if line.startswith('ros2bench_mission_progress_ratio{topic="/b"')]
    for line in (
        'ros2bench_mapping_errors_total{metric="ros2bench_mission_progress_ratio"} 1',
        'ros2bench_mapping_errors_total{metric="ros2bench_battery_voltage_volts"} 1',
        'ros2bench_mapping_errors_total{metric="unknown"} 1',
        'ros2bench_mapping_series_dropped_total{metric="ros2bench_mission_progress_ratio"} 0',
    ):
        assert line in lines


def test_each_metric_is_introduced_once_under_a_good_name() -> None:
    lines = text(counted(5))
    introduced = [line.split()[2:4] for line in lines if line.startswith("# TYPE")]
    names = [name for name, _ in introduced]
    assert len(set(names)) == len(names)
    for name, kind in introduced:
        assert re.fullmatch(r"ros2bench(_[a-z]+)+", name)
        assert name.endswith("_total") == (kind == "counter")


def test_nodes_are_expected_by_their_own_name_and_others_are_bounded() -> None:
    up = graph_view.nodes_up(["camera", "monitor"], ["/robot/camera", "/rviz", "/_hidden", "/robot/lidar"])
    assert up == {"/camera": True, "/monitor": False, "/robot/lidar": True, "/rviz": True}
    assert len(graph_view.nodes_up(["camera"], [f"/n{number}" for number in range(500)])) == 101
