"""What the number of copies of a node may follow, and the names under which the cluster's metrics APIs give it. Values.

`prometheus_adapter` turns series into metrics of these names, `hpa` asks for them: this module is all that both know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Aggregate = Literal["max", "mean", "sum", "rate", "p95"]
LATENCY_SERIES = "ros2bench_message_latency_seconds"
WINDOW_S = 30
"""Over which rates and quantiles are taken: thirty scrapes of a recorder, and short beside any stabilisation window."""

OWN_SERIES: Mapping[str, Aggregate] = {
    "ros2bench_messages_total": "rate",
    "ros2bench_message_bytes_total": "rate",
    "ros2bench_messages_lost_total": "rate",
    "ros2bench_messages_late_total": "rate",
}
"""Series that every recorder has and copies may follow, and the one aggregate that makes sense of each."""

AGGREGATES: Mapping[str, tuple[Aggregate, ...]] = {
    "gauge": ("max", "mean", "sum"),
    "counter": ("rate",),
    "events": ("rate",),
    "histogram": ("p95",),
}
"""By the kind of a mapped metric, what can be made of it."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Use of a resource by each copy, as a share of what its container asks for."""

    name: Literal["cpu", "memory"]
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Latency:
    """95th percentile of the latency of a measured topic, in seconds."""

    topic: str
    target_s: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series of the experiment's recorder, made one number; `per_replica` divides it by the copies."""

    name: str
    aggregate: Aggregate
    target: float
    per_replica: bool = False


@dataclass(frozen=True, kw_only=True)
class PodSeries:
    """A series that each copy serves itself; its mean over the copies is held at the target."""

    name: str
    target: float


Signal = Resource | Latency | Series | PodSeries


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast the number of copies changes in one direction.

    `stabilization_s`: the calmest wish of this time counts. `percent` of the copies at most every `period_s`.
    """

    stabilization_s: int
    percent: int
    period_s: int


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """Between which numbers of copies, on what, how fast. Of several signals the one that wants most copies wins."""

    min_replicas: int
    max_replicas: int
    signals: tuple[Signal, ...]
    scale_up: Pace
    scale_down: Pace

    def described(self) -> str:
        """In a few words, for messages."""
        kinds = ", ".join(dict.fromkeys(type(signal).__name__.lower() for signal in self.signals))
        return f"{self.min_replicas} to {self.max_replicas} copies on {kinds}"


def external_metric(series: str, aggregate: Aggregate) -> str:
    """Name of a recorder's series in `external.metrics.k8s.io`."""
    return f"{series}_{aggregate}"


def pod_metric(series: str) -> str:
    """Name of a pod's series in `custom.metrics.k8s.io`; of a counter its growth per second."""
    return f"{series.removesuffix('_total')}_per_second" if series.endswith("_total") else series


def topic_value(topic: str) -> str:
    """A topic as the value of a label selector, which knows no slash: a dot stands for each but the first.

    No name of a topic has a dot, and read as a regular expression it matches the slash, and any other character: who
    asks makes sure that no other measured topic is matched.
    """
    return topic.removeprefix("/").replace("/", ".")
