"""Where the nodes of an experiment send their traces: variables of their pods, and the way that the network leaves."""

from collections.abc import Mapping
from dataclasses import dataclass

from components import labels, policies

ENDPOINT = "ROS2BENCH_TRACES_ENDPOINT"
SAMPLE_EVERY = "ROS2BENCH_TRACES_SAMPLE_EVERY"
STACK = "ROS2BENCH_STACK"
PATTERN = "ROS2BENCH_PATTERN"


@dataclass(frozen=True, kw_only=True)
class Traces:
    """A collector that speaks OTLP over HTTP, and how many frames reach it.

    Attributes:
        url: Its address, without `/v1/traces`.
        sample_every: One frame in how many is traced.
    """

    url: str
    sample_every: int


def identity(stack: str, pattern: str | None) -> dict[str, str]:
    """Variables by which every process of ours knows what it is part of; with them it writes lines of JSON.

    Args:
        stack: Name of the stack.
        pattern: Of an experiment; None for a platform.
    """
    return {STACK: stack} | ({} if pattern is None else {PATTERN: pattern})


def variables(traces: Traces | None) -> dict[str, str]:
    """Variables of the application's pods; none where nothing is traced, so that nothing is imported for it."""
    if traces is None:
        return {}
    return {ENDPOINT: traces.url, SAMPLE_EVERY: str(traces.sample_every)}


def sent_by(stack: str, traces: Traces) -> policies.Spec:
    """The policy of the application's pods that opens the way to the collector."""
    return {
        "podSelector": {"matchLabels": labels.selector(stack, component="application")},
        "policyTypes": ["Egress"],
        "egress": [policies.called(traces.url)],
    }


def taken_from(pods: Mapping[str, str], component: str, port: int) -> policies.Spec:
    """The policy of a collector that lets our own pods of one role send to it.

    Args:
        pods: Labels of the collector's pods.
        component: Role of those who send, in whatever namespace of ours.
        port: TCP port on which it takes what they send.
    """
    sender = {**policies.OUR_NAMESPACES, "podSelector": {"matchLabels": {labels.COMPONENT: component}}}
    return {
        "podSelector": {"matchLabels": dict(pods)},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [sender], "ports": [{"protocol": "TCP", "port": port}]}],
    }
