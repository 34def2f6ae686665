"""Where traces go: variables of the pods, and a way through the policies that is as narrow as the address tells."""

from typing import Any

import pytest

from components.telemetry import endpoint
from components.telemetry.endpoint import Traces

JAEGER = "http://jaeger.ros2bench-platform.svc:4318"


def traces(url: str = JAEGER) -> Traces:
    return Traces(url=url, sample_every=10)


def test_without_traces_no_variable_is_set() -> None:
    assert endpoint.variables(None) == {}


def test_the_pods_are_told_where_to_send_and_how_often() -> None:
    assert endpoint.variables(traces()) == {
        "ROS2BENCH_TRACES_ENDPOINT": JAEGER,
        "ROS2BENCH_TRACES_SAMPLE_EVERY": "10",
    }


def test_every_process_is_told_what_it_is_part_of() -> None:
    assert endpoint.identity("demo", "overlay") == {"ROS2BENCH_STACK": "demo", "ROS2BENCH_PATTERN": "overlay"}
    assert endpoint.identity("platform", None) == {"ROS2BENCH_STACK": "platform"}


@pytest.mark.parametrize(
    ("url", "to", "port"),
    [
        (JAEGER, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ros2bench-platform"}}}, None),
        (
            "http://otel.tools.svc.cluster.local:4318",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}},
            None,
        ),
        ("http://192.0.2.7:4318/otlp", {"ipBlock": {"cidr": "192.0.2.7/32"}}, 4318),
        ("http://[2001:db8::1]:4318", {"ipBlock": {"cidr": "2001:db8::1/128"}}, 4318),
        ("https://collector.example", None, 443),
        ("http://collector:4318", {"podSelector": {}}, None),
    ],
)
def test_only_the_way_to_the_collector_is_opened(url: str, to: dict[str, Any] | None, port: int | None) -> None:
    policy = endpoint.sent_by("demo", traces(url))
    (rule,) = policy["egress"]
    # The pods behind a Service may listen on another port than the Service.
    assert rule["ports"] == [{"protocol": "TCP"} | ({} if port is None else {"port": port})]
    assert rule.get("to") == (None if to is None else [to])
    assert policy["policyTypes"] == ["Egress"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "application"


def test_a_collector_takes_from_our_own_pods_of_one_role_alone() -> None:
    (rule,) = endpoint.taken_from({"a": "b"}, "application", 4318)["ingress"]
    (sender,) = rule["from"]
    assert sender["namespaceSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": "ros2bench"}
    assert sender["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "application"}
