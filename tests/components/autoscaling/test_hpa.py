"""Autoscalers as objects: every kind of signal, the pace, and numbers as Kubernetes compares them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.autoscaling import hpa, signals
from components.autoscaling.signals import Autoscaling, Latency, Pace, PodSeries, Resource, Series

SLOW = Pace(stabilization_s=300, percent=10, period_s=60)
FAST = Pace(stabilization_s=60, percent=50, period_s=60)


def scaler(*followed: signals.Signal) -> Autoscaling:
    return Autoscaling(min_replicas=1, max_replicas=5, signals=followed, scale_up=FAST, scale_down=SLOW)


def test_the_object_names_its_deployment_bounds_and_pace() -> None:
    made = hpa.hpa_manifest({"name": "worker"}, "worker-1a2b", scaler(Resource(name="cpu", ratio=0.7)))
    spec = made["spec"]
    assert (made["apiVersion"], made["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker-1a2b"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 5)
    assert spec["behavior"]["scaleUp"] == {
        "stabilizationWindowSeconds": 60,
        "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
    }
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


@pytest.mark.parametrize(
    ("signal", "kind", "entry"),
    [
        (
            Resource(name="memory", ratio=0.8),
            "Resource",
            {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}},
        ),
        (
            Latency(topic="/stream_1/results", target_s=0.25),
            "External",
            {
                "metric": {
                    "name": "ros2bench_message_latency_seconds_p95",
                    "selector": {"matchLabels": {"topic": "stream_1.results"}},
                },
                "target": {"type": "Value", "value": "250m"},
            },
        ),
        (
            Series(name="queue_wait_seconds", aggregate="max", target=2),
            "External",
            {"metric": {"name": "queue_wait_seconds_max"}, "target": {"type": "Value", "value": "2"}},
        ),
        (
            Series(name="queue_length", aggregate="sum", target=10, per_replica=True),
            "External",
            {"metric": {"name": "queue_length_sum"}, "target": {"type": "AverageValue", "averageValue": "10"}},
        ),
        (
            PodSeries(name="worker_busy_seconds_total", target=0.7),
            "Pods",
            {
                "metric": {"name": "worker_busy_seconds_per_second"},
                "target": {"type": "AverageValue", "averageValue": "700m"},
            },
        ),
        (
            PodSeries(name="backlog", target=3),
            "Pods",
            {"metric": {"name": "backlog"}, "target": {"type": "AverageValue", "averageValue": "3"}},
        ),
    ],
)
def test_each_signal_has_its_entry(signal: signals.Signal, kind: str, entry: dict[str, object]) -> None:
    found = hpa.metric(signal)
    assert found["type"] == kind
    assert found[kind.lower()] == entry


@given(st.floats(0.001, 1e12))
def test_a_quantity_is_the_number_in_thousandths(value: float) -> None:
    text = hpa.quantity(value)
    assert re.fullmatch(r"\d+m?", text)
    thousandths = int(text[:-1]) if text.endswith("m") else int(text) * 1000
    assert abs(thousandths / 1000 - value) <= 0.0005 + value * 1e-12


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), min_size=1, max_size=4))
def test_a_topic_as_a_label_matches_itself_as_an_expression(parts: list[str]) -> None:
    topic = "/" + "/".join(parts)
    value = signals.topic_value(topic)
    assert "/" not in value
    assert re.fullmatch("/" + value, topic)
