"""Sections `tracing` and `logs` of a stack file: the paths of frames, and the lines that pods write. Plain data."""

from typing import Literal, Self

from pydantic import Field, model_validator

from stacks.section import Mebibytes, Millicores, Section, Url
from stacks.spec_resources import PodResources


class TelemetryResources(PodResources):
    """What a program that keeps traces or lines asks of its machine."""

    cpu_request_millicores: Millicores = Field(default=25, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=96, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=512, description="Memory at which the container is ended.")


class Tracing(Section):
    """Paths of single frames through the nodes of the reference application, by OpenTelemetry.

    In an experiment: whether its nodes send spans, and where to. In a platform: whether Jaeger takes them.
    """

    enabled: bool = Field(default=False, description="Whether there is any; off, it costs nothing.")
    sample_every: int = Field(
        default=7,
        ge=1,
        le=1_000_000,
        description="In an experiment: one frame in how many is traced, by its number. 1: every one. The reader takes "
        "one frame in `rateHz` × `triggerPeriodS`: a number that shares a divisor with that, as 10 does at 10 Hz, "
        "would trace what the reader takes always or never.",
    )
    endpoint: Url | None = Field(
        default=None,
        description="In an experiment: address that takes OTLP over HTTP. None: Jaeger of the stack that `platform` "
        "names.",
    )
    max_traces: int = Field(
        default=20_000,
        ge=100,
        le=10_000_000,
        description="In a platform: the newest so many traces are kept in memory.",
    )
    resources: TelemetryResources = Field(
        default_factory=TelemetryResources, description="What Jaeger asks of its machine."
    )

    def misplaced(self, kind: str, platform: str) -> str | None:
        """Why it cannot be so in a stack of a kind, as a sentence; None where it can.

        Args:
            kind: Kind of the stack.
            platform: Stack of the platform that it names, or `none`.
        """
        if kind == "platform" and self.endpoint is not None:
            return (
                "tracing.endpoint is where the nodes of an experiment send: a platform has none of them. Set it in the "
                "experiment's stack file, or leave it out and set enabled, for a Jaeger here"
            )
        if kind == "experiment" and self.enabled and self.endpoint is None and platform == "none":
            return (
                "tracing.enabled is set, but nobody takes the traces. Name a platform stack that has tracing.enabled "
                "(platform: platform), or set tracing.endpoint to http://HOST:4318"
            )
        return None


class LogStorage(Section):
    """Where lines are kept."""

    persistent: bool = Field(
        default=False, description="Keep them on a PersistentVolumeClaim. Otherwise they end with the pod of Loki."
    )
    size_mebibytes: Mebibytes = Field(default=2048, description="Size of the claim, or of the pod's own folder.")
    storage_class: str | None = Field(
        default=None, min_length=1, description="StorageClass of the claim. None: the cluster's default one."
    )


class ExternalLogs(Section):
    """Lines that are brought somewhere by an agent that the cluster has already."""

    kind: Literal["loki", "opensearch"] = Field(
        default="loki", description="Which questions it answers: those of Loki, or of OpenSearch and Elasticsearch."
    )
    url: Url | None = Field(default=None, description="Address at which `python -m probes.logs` asks.")
    index: str = Field(
        default="logs-*", pattern=r"^[a-z0-9*.,_-]+$", description="For `opensearch`: which indices hold the lines."
    )
    time_field: str = Field(
        default="time", pattern=r"^[\w.@]+$", description="For `opensearch`: field with the time of a line."
    )


class Logs(Section):
    """Lines that the pods of our namespaces write. `kubectl logs` shows them without any of this."""

    mode: Literal["none", "loki", "external"] = Field(
        default="none",
        description="`none`: nobody collects them. `loki`: Loki here, and Promtail on every machine. `external`: an "
        "agent of the cluster brings them elsewhere; nothing is deployed.",
    )
    retention_hours: int = Field(default=168, ge=24, le=87_600, description="How long Loki keeps them.")
    storage: LogStorage = Field(default_factory=LogStorage, description="Where Loki keeps them.")
    resources: TelemetryResources = Field(
        default_factory=TelemetryResources, description="What Loki asks of its machine."
    )
    external: ExternalLogs = Field(default_factory=ExternalLogs, description="For mode `external`.")

    @model_validator(mode="after")
    def _address_is_known(self) -> Self:
        if self.mode == "external" and self.external.url is None:
            raise ValueError("mode is external, but external.url says not where: set it to http://HOST:PORT")
        return self
