"""Section `autoscaling` of a stack file, and what a node may say of its copies. Plain data.

A platform has the programs (`adapter`, `recommender`), an experiment asks for recommendations, a node for copies.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stacks.section import Count, Mebibytes, Millicores, Name, Section, Url
from stacks.spec_resources import PodResources

TopicName = Annotated[str, Field(pattern=r"^/[a-zA-Z_][a-zA-Z0-9_/]*$")]
SeriesName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=200)]
Ratio = Annotated[float, Field(ge=0.01, le=100)]
Target = Annotated[float, Field(ge=0.001, le=1e12)]
"""What an autoscaler compares with: thousandths are the finest that Kubernetes knows."""
LatencyTarget = Annotated[float, Field(ge=0.001, le=10)]


class ScaleUp(Section):
    """How fast copies are added."""

    stabilization_s: int = Field(
        default=60, ge=0, le=3600, description="The lowest wish of this time counts, so that a peak adds nothing."
    )
    percent: int = Field(default=50, ge=1, le=10_000, description="Of the copies that there are, at most in a period.")
    period_s: int = Field(default=60, ge=1, le=1800, description="The period.")


class ScaleDown(Section):
    """How fast copies are removed."""

    stabilization_s: int = Field(
        default=300, ge=0, le=3600, description="The highest wish of this time counts, so that a pause removes nothing."
    )
    percent: int = Field(
        default=10, ge=1, le=100, description="Of the copies that there are, at most in a period; at least one."
    )
    period_s: int = Field(default=60, ge=1, le=1800, description="The period.")


class SeriesTarget(Section):
    """A metric of `application.metrics`, or a counter of the recorder itself, made one number."""

    target: Target = Field(description="Above it copies are added, below it they are removed.")
    aggregate: Literal["max", "mean", "sum", "rate", "p95"] = Field(
        default="max",
        description="Over the label sets of a gauge: `max`, `mean`, `sum`. Of a counter: `rate` per second. Of a "
        "histogram: `p95`. Rates and quantiles are over 30 s.",
    )
    per_replica: bool = Field(
        default=False, description="Divide by the number of copies, for example a queue's length. Otherwise as it is."
    )


class NodeAutoscaling(Section):
    """How many copies of a stateless node's pod run. Of several signals the one that wants most copies wins."""

    min_replicas: Count = Field(default=1, description="Least copies; so many are there when a run begins.")
    max_replicas: Count = Field(description="Most copies.")
    cpu_ratio: Ratio | None = Field(
        default=None, description="Processor time that a copy uses, as a share of what it asks for; 0.7 is usual."
    )
    memory_ratio: Ratio | None = Field(
        default=None, description="Memory that a copy uses, as a share of what it asks for; 0.8 is usual."
    )
    latency_s: dict[TopicName, LatencyTarget] = Field(
        default_factory=dict[str, float], description="By measured topic: 95th percentile of its latency, in seconds."
    )
    series: dict[SeriesName, SeriesTarget] = Field(
        default_factory=dict[str, SeriesTarget], description="By name of a metric that the recorder serves."
    )
    pod_series: dict[SeriesName, Target] = Field(
        default_factory=dict[str, float],
        description="By name of a series that each copy serves itself on a port named `metrics`: its mean over the "
        "copies; of a counter (`_total`) its growth per second.",
    )
    scale_up: ScaleUp = Field(default_factory=ScaleUp, description="How fast copies are added.")
    scale_down: ScaleDown = Field(default_factory=ScaleDown, description="How fast copies are removed.")

    @model_validator(mode="after")
    def _least_and_most(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas is {self.min_replicas}, more than maxReplicas ({self.max_replicas}). Exchange them"
            )
        return self

    @model_validator(mode="after")
    def _follows_something(self) -> Self:
        if not (self.cpu_ratio or self.memory_ratio or self.latency_s or self.series or self.pod_series):
            raise ValueError(
                "names no signal, so nothing would ever change. Set latencyS, series, podSeries, cpuRatio or "
                "memoryRatio"
            )
        return self


class ProgramResources(PodResources):
    """What one of these programs asks of its machine."""

    cpu_request_millicores: Millicores = Field(default=20, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=48, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=256, description="Memory at which the container is ended.")


class Certificate(Section):
    """Certificate by which the API server knows the adapter. Without `secret` the stack makes one for ten years."""

    generation: int = Field(default=1, ge=1, description="A higher number makes a new certificate with a new key.")
    secret: Name | None = Field(
        default=None,
        description="Existing Secret (`tls.crt`, `tls.key`) in the platform's namespace, for the name "
        "`prometheus-adapter.NAMESPACE.svc`.",
    )
    authority_file: str | None = Field(
        default=None, min_length=1, description="PEM file of who signed it, relative to the project's folder."
    )

    @model_validator(mode="after")
    def _authority_of_a_secret(self) -> Self:
        if (self.secret is None) != (self.authority_file is None):
            raise ValueError("secret and authorityFile belong together: the API server checks one by the other")
        return self


class Adapter(Section):
    """prometheus-adapter: gives series of Prometheus to autoscalers; kinds `platform` and `dev`."""

    enabled: bool = Field(default=False, description="Whether it is deployed. A cluster has one at most.")
    prometheus_url: Url | None = Field(
        default=None,
        description="Address of the Prometheus that it asks, as a pod reaches it. None: the one of this stack "
        "(`observability.mode: builtin`).",
    )
    certificate: Certificate = Field(default_factory=Certificate, description="How the API server knows it.")
    resources: ProgramResources = Field(default_factory=ProgramResources, description="What it asks for.")


class Recommender(Section):
    """Recommender of the Vertical Pod Autoscaler, which only recommends; kinds `platform` and `dev`."""

    enabled: bool = Field(default=False, description="Whether it is deployed. A cluster has one at most.")
    interval_s: int = Field(default=60, ge=5, le=3600, description="How often it looks at what was used.")
    resources: ProgramResources = Field(default_factory=ProgramResources, description="What it asks for.")


class AutoscalingSettings(Section):
    """Copies on signals of ROS, and recommendations of resources. Nothing of it is deployed by default."""

    adapter: Adapter = Field(default_factory=Adapter, description="Signals of ROS for autoscalers.")
    recommender: Recommender = Field(default_factory=Recommender, description="Who recommends resources.")
    recommendations: bool = Field(
        default=False,
        description="Ask for recommendations for every pod of the application; kinds `experiment` and `dev`. "
        "`python -m probes.recommendations` shows them.",
    )

    def misplaced(self, kind: str) -> str | None:
        """Why this cannot stand in a stack of a kind; none if it can."""
        if kind == "experiment" and (self.adapter.enabled or self.recommender.enabled):
            return (
                "autoscaling.adapter and autoscaling.recommender are for stacks of kind platform or dev: a cluster has "
                "one of each. Enable them there"
            )
        if kind == "platform" and self.recommendations:
            return (
                "autoscaling.recommendations is for stacks of kind experiment or dev: a platform has no application. "
                "Set it there"
            )
        return None
