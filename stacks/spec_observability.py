"""Section `observability` of a stack file: where metrics are kept, and what is shown and told of them. Plain data."""

from dataclasses import fields
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.alias_generators import to_camel

from components.dashboards.thresholds import Thresholds, from_names
from stacks.section import Mebibytes, Millicores, Name, Port, Section, Url
from stacks.spec_resources import PodResources

Mode = Literal["none", "builtin", "operator", "external"]
SecretKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")]
NamespaceName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
BLOCK_HOURS = 2
SMALLEST_RETENTION_MEBIBYTES = 256
USABLE_SHARE = 0.8


def _whole_blocks(hours: int) -> int:
    if hours < BLOCK_HOURS:
        raise ValueError(
            f"is {hours}: Prometheus keeps blocks of {BLOCK_HOURS} hours, so that less would be dropped before it is "
            f"whole. Set it to {BLOCK_HOURS} or more"
        )
    return hours


class Storage(Section):
    """Where Prometheus keeps its series."""

    persistent: bool = Field(
        default=True,
        description="Keep them on a PersistentVolumeClaim. Otherwise they are in the pod and end with it.",
    )
    size_mebibytes: Mebibytes = Field(default=10_240, description="Size of the claim, or of the pod's own folder.")
    storage_class: str | None = Field(
        default=None, min_length=1, description="StorageClass of the claim. None: the cluster's default one."
    )


class PrometheusResources(PodResources):
    """What Prometheus asks of its machine."""

    cpu_request_millicores: Millicores = Field(default=50, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=192, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=768, description="Memory at which the container is ended.")


class RemoteWrite(Section):
    """A second place for every sample, in the protocol remote write."""

    url: Url | None = Field(default=None, description="Address that takes the samples. None: nothing is sent.")
    token_secret: SecretKey | None = Field(
        default=None, description="Name in `ros2bench:secrets` of a bearer token for it."
    )

    @model_validator(mode="after")
    def _token_is_for_somebody(self) -> Self:
        if self.token_secret is not None and self.url is None:
            raise ValueError("tokenSecret is set without url: say to whom the samples go")
        return self


def in_camel(text: str) -> str:
    """Names of thresholds in a text as a stack file writes them."""
    for field in fields(Thresholds):
        text = text.replace(field.name, to_camel(field.name))
    return text


def threshold_names() -> str:
    """Names and defaults of all thresholds, for people."""
    found = ((to_camel(field.name), field.default) for field in fields(Thresholds))
    return ", ".join(f"`{name}` (none)" if value is None else f"`{name}` ({value:g})" for name, value in found)


class Receiver(Section):
    """Who is told of alerts: a webhook."""

    name: Name = Field(description="Name of the receiver, as it is shown.")
    url: Url | None = Field(default=None, description="Address of the webhook, where it holds no secret.")
    url_secret: SecretKey | None = Field(
        default=None, description="Name in `ros2bench:secrets` of its address, where that is a secret."
    )
    severities: list[Literal["critical", "warning"]] = Field(
        default_factory=lambda: ["critical", "warning"], min_length=1, description="Alerts of which severities."
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_secret is None):
            raise ValueError("exactly one of url and urlSecret says where the receiver is")
        return self


class Alerts(Section):
    """How alerts are told."""

    receivers: list[Receiver] = Field(
        default_factory=list[Receiver], description="Who is told; without any, alerts are only shown."
    )
    group_wait_s: int = Field(default=2, ge=0, le=3600, description="How long the first alert waits for others.")
    repeat_interval_s: int = Field(
        default=14_400, ge=60, le=604_800, description="After how long an alert that lasts is told again."
    )
    thresholds: dict[str, float] = Field(
        default_factory=dict[str, float],
        description=f"From where on alerts hold, where that differs from the default: {threshold_names()}.",
    )

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Self:
        self.chosen_thresholds()
        return self

    def chosen_thresholds(self) -> Thresholds:
        """Every threshold.

        Raises:
            ValueError: A name is unknown, or a value fits no alert; names are those of the stack file.
        """
        known = {to_camel(field.name): field.name for field in fields(Thresholds)}
        if unknown := sorted(self.thresholds.keys() - known.keys()):
            raise ValueError(f"thresholds: there is no threshold {unknown[0]}; choices: {', '.join(known)}")
        try:
            return from_names({known[name]: value for name, value in self.thresholds.items()})
        except ValueError as error:
            raise ValueError(f"thresholds: {in_camel(str(error))}") from error

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"receivers: the name {twice[0]} is there twice")
        return self


class Grafana(Section):
    """Grafana, where its image is known (`images.platform` and `images.platformLock`)."""

    enabled: bool = Field(default=True, description="Whether it is deployed; without its image a warning says not.")
    password_secret: SecretKey = Field(
        default="grafana-admin-password", description="Name in `ros2bench:secrets` of the password of `admin`."
    )


class RunningProgram(Section):
    """Pods of somebody else's that the probes reach through the API server."""

    namespace: NamespaceName = Field(default="monitoring", description="Their namespace.")
    labels: dict[str, str] = Field(
        default_factory=lambda: {"app.kubernetes.io/name": "prometheus"}, description="Labels that select them."
    )
    port: Port = Field(default=9090, description="Port on which they serve.")


class RunningAlertmanager(RunningProgram):
    """Pods of the Alertmanager that the operator runs."""

    labels: dict[str, str] = Field(
        default_factory=lambda: {"app.kubernetes.io/name": "alertmanager"}, description="Labels that select them."
    )
    port: Port = Field(default=9093, description="Port on which they serve.")


class Operator(Section):
    """An existing Prometheus Operator, for mode `operator`."""

    labels: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Labels of the PodMonitor and the PrometheusRule, by which its Prometheus selects them, for "
        "example `release: kube-prometheus-stack`.",
    )
    prometheus: RunningProgram = Field(default_factory=RunningProgram, description="The Prometheus that it runs.")
    alertmanager: RunningAlertmanager | None = Field(default=None, description="The Alertmanager, if there is one.")


class External(Section):
    """A Prometheus that somebody else runs, for mode `external`."""

    url: Url | None = Field(default=None, description="Its address, as this machine reaches it.")


class Observability(Section):
    """What a platform observes: metrics, rules, alerts, dashboards; for stacks of kind `platform` and `dev`."""

    mode: Mode = Field(
        default="none",
        description="`builtin`: Prometheus, Alertmanager, Grafana and exporters as workloads of this stack. "
        "`operator`: objects for an existing Prometheus Operator. `external`: only an address. `none`: nothing.",
    )
    scrape_interval_s: int = Field(
        default=5, ge=1, le=5, description="How often exporters are read; alerts count on 5 s or less."
    )
    ros_scrape_interval_s: int = Field(
        default=1, ge=1, le=5, description="How often recorders are read; alerts count on 5 s or less."
    )
    retention_hours: Annotated[int, AfterValidator(_whole_blocks)] = Field(
        default=360, le=87_600, description="How long series are kept; at least 2."
    )
    retention_mebibytes: int | None = Field(
        default=None,
        description="How much of the storage series may take; the oldest go first. At least 256. None: 80 % of it.",
    )
    storage: Storage = Field(default_factory=Storage, description="Where series are kept.")
    resources: PrometheusResources = Field(
        default_factory=PrometheusResources, description="What Prometheus asks of its machine."
    )
    remote_write: RemoteWrite = Field(default_factory=RemoteWrite, description="A second place for every sample.")
    scrape_namespaces: list[NamespaceName] = Field(
        default_factory=list[NamespaceName],
        description="Namespaces that are not ours, whose pods and Services with `prometheus.io/scrape` are read, too.",
    )
    machine_networks: list[Cidr] = Field(
        default_factory=list[Cidr],
        description="Networks of the machines' own addresses, which Prometheus may then reach: needed for experiments "
        "with `host-network` where the cluster's network enforces policies.",
    )
    api_server_ports: list[Port] = Field(
        default_factory=lambda: [443, 6443],
        min_length=1,
        description="Ports of the API server, which the programs that read the cluster may reach.",
    )
    kube_state_metrics: bool = Field(
        default=True, description="Deploy kube-state-metrics; its series are told from another's by the label `stack`."
    )
    node_exporter: bool = Field(default=True, description="Deploy the node exporter.")
    metrics_server: bool = Field(
        default=True, description="Deploy metrics-server where the cluster serves no `metrics.k8s.io`."
    )
    alerts: Alerts = Field(default_factory=Alerts, description="How alerts are told.")
    grafana: Grafana = Field(default_factory=Grafana, description="Dashboards in a browser.")
    operator: Operator = Field(default_factory=Operator, description="For mode `operator`.")
    external: External = Field(default_factory=External, description="For mode `external`.")

    def kept_mebibytes(self) -> int:
        """How much of the storage series may take."""
        if self.retention_mebibytes is not None:
            return self.retention_mebibytes
        return int(self.storage.size_mebibytes * USABLE_SHARE)

    @model_validator(mode="after")
    def _storage_holds_what_is_kept(self) -> Self:
        kept, size = self.kept_mebibytes(), self.storage.size_mebibytes
        if kept < SMALLEST_RETENTION_MEBIBYTES:
            raise ValueError(
                f"retentionMebibytes is {kept} (None: 80 % of storage.sizeMebibytes): the log of the last hours alone "
                f"takes {SMALLEST_RETENTION_MEBIBYTES}. Set it to that or more, and storage.sizeMebibytes with it"
            )
        if kept > size * 0.9:
            raise ValueError(
                f"retentionMebibytes is {kept}, but storage.sizeMebibytes is {size}: a tenth must be free, or the disk "
                f"is full before the oldest series go. Set it to {int(size * 0.9)} or less"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        ours = {"alerts.receivers": bool(self.alerts.receivers), "remoteWrite.url": self.remote_write.url is not None}
        if self.mode in ("operator", "external") and (unheard := [name for name, is_set in ours.items() if is_set]):
            raise ValueError(
                f"mode is {self.mode}, where the Prometheus is not ours: {unheard[0]} would tell nobody. Say it to "
                "whoever runs that Prometheus, or set mode to builtin"
            )
        return self

    @model_validator(mode="after")
    def _address_is_known(self) -> Self:
        if self.mode == "external" and self.external.url is None:
            raise ValueError("mode is external, but external.url says not where: set it to http://HOST:PORT")
        return self
