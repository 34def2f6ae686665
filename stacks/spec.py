"""What `Pulumi.<stack>.yaml` may say under `ros2bench:spec`: meaning, rules and defaults of every key.

In YAML the keys are camelCase. Every key may be left out. Plain data: importing this imports no Pulumi.
docs/configuration.md and docs/spec.schema.json are generated from it by `python -m stacks.reference`.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, field_validator, model_validator

from stacks.pod import NodeResources
from stacks.section import Count, Mebibytes, Millicores, Name, Section
from stacks.spec_application import Application
from stacks.spec_autoscaling import AutoscalingSettings
from stacks.spec_gpu import GpuSettings
from stacks.spec_observability import Observability
from stacks.spec_resources import PodResources
from stacks.spec_telemetry import Logs, Tracing

Kind = Literal["experiment", "platform", "dev"]
State = Literal["parked", "running"]
BASE64 = r"^[A-Za-z0-9+/]+={0,2}$"
ABSOLUTE_PATH = r"^(/[A-Za-z0-9._-]+)+$"
OTHER_MIDDLEWARE: Mapping[str, str] = {
    "rmw_zenoh_cpp": "Zenoh",
    "rmw_cyclonedds_cpp": "Cyclone DDS",
    "rmw_connextdds": "Other middleware",
    "rmw_fastrtps_dynamic_cpp": "Other middleware",
}
"""Middleware that exists but is refused, and the section of docs/networking.md that says why."""


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON, and so the cluster, has no word for."""
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(cast("dict[str, Any]", item).values())
        elif isinstance(item, list):
            waiting.extend(cast("list[Any]", item))
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"holds {item}, a finite number is expected")
    return value


ByDigest = Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")]
Raw = Annotated[dict[str, Any], AfterValidator(_finite)]


class Network(Section):
    """How participants meet and what carries their data."""

    discovery: Literal["server", "multicast", "static-peers", "host-network"] = Field(
        default="server",
        description="`server`: a Fast DDS discovery server; works on every cluster network. `multicast`: only where "
        "the cluster network carries it between the pods. `static-peers`: every pod is told the names of the others; "
        "needs ROS 2 Jazzy or newer. `host-network`: the pods share the network of their machine, and meet by "
        "multicast there.",
    )
    domain_id: int = Field(default=42, ge=0, le=101, description="ROS_DOMAIN_ID of application and recorder.")
    rmw: Literal["rmw_fastrtps_cpp"] = Field(
        default="rmw_fastrtps_cpp",
        description="RMW_IMPLEMENTATION; the recorder, the transport profile and the server are Fast DDS's.",
    )
    socket_buffer_bytes: int = Field(
        default=4_194_304,
        ge=4096,
        le=1_073_741_824,
        description="Send and receive buffer of a UDP socket; the machine's net.core.rmem_max caps it. "
        "Must hold a whole frame, or frames are lost.",
    )
    host_port_base: int = Field(
        default=18080,
        ge=1024,
        le=65535,
        description="With `host-network`: first of the ports on which the recorder, then each pod, serve their health.",
    )

    @field_validator("rmw", mode="before")
    @classmethod
    def _heard_by_the_recorder(cls, value: object) -> object:
        section = OTHER_MIDDLEWARE.get(value) if isinstance(value, str) else None
        if section is not None:
            raise ValueError(
                f"is {value!r}, which the recorder does not speak: its image holds rmw_fastrtps_cpp only, so nothing "
                "of the application would be heard. Leave the key out; docs/networking.md, section "
                f"{section}, says what would be needed"
            )
        return value


class Placement(Section):
    """On which machines the pods run."""

    near_recorder: bool = Field(
        default=True,
        description="Prefer the recorder's machine for the application: with one clock one-way times hold.",
    )
    node_selector: dict[str, str] = Field(
        default_factory=dict[str, str], description="Labels that the application's machine must have."
    )
    recorder_node_selector: dict[str, str] = Field(
        default_factory=dict[str, str], description="Labels that the recorder's machine must have."
    )


class RecorderResources(PodResources):
    """What the recorder asks of a machine."""

    cpu_request_millicores: Millicores = Field(default=50, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=128, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=512, description="Memory at which the container is ended.")


class DiscoveryResources(PodResources):
    """What the discovery server asks of a machine."""

    cpu_request_millicores: Millicores = Field(default=25, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=48, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=256, description="Memory at which the container is ended.")


class MachineReaderResources(PodResources):
    """What a machine reader asks of its machine."""

    cpu_request_millicores: Millicores = Field(default=50, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=64, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=256, description="Memory at which the container is ended.")


class Power(Section):
    """Where machine readers read power and GPU figures."""

    source: Literal["auto", "tegrastats", "hwmon", "rapl", "nvml", "none"] = Field(
        default="auto",
        description="`auto`: the first that the machine has: tegrastats, the sensors that it reads (`hwmon`), the "
        "processors' counters with those of GPUs (`rapl`), the GPUs alone (`nvml`). `none`: no power.",
    )
    tegrastats: str | None = Field(
        default=None,
        pattern=ABSOLUTE_PATH,
        description="Path of the program tegrastats on the machines, which is then mounted. None: it is not used.",
    )


class MachineReaders(Section):
    """Readers of the machines' counters, one pod on each machine; for stacks of kind `platform` and `dev`.

    They are in a namespace of their own, because they see their machine: its processes, and /sys read-only, as root
    without capabilities. Calls that change something are obeyed only with the operator's signature.
    """

    enabled: bool = Field(default=False, description="Whether there are any.")
    resources: MachineReaderResources = Field(
        default_factory=MachineReaderResources, description="What each asks of its machine."
    )
    allow_image_removal: bool = Field(
        default=False,
        description="Mount containerd's socket, so that images can be listed and removed: what the regimes "
        "`image_cold` and `pristine` need. Whoever holds the operator's key is then as mighty as root there.",
    )
    containerd_socket: str = Field(
        default="/run/containerd/containerd.sock",
        pattern=ABSOLUTE_PATH,
        description="containerd's socket on the machines; k3s has it at /run/k3s/containerd/containerd.sock.",
    )
    runtime_state: str | None = Field(
        default=None,
        pattern=ABSOLUTE_PATH,
        description="Folder in which runc keeps a folder for each container, mounted read-only; of containerd, k3s's "
        "too, /run/containerd/runc/k8s.io. With it the start of a container is dated by the kernel, without it by the "
        "kubelet's event, which a busy machine writes late.",
    )
    allow_faults: bool = Field(
        default=False,
        description="Run them privileged, so that delay, jitter, loss and rates can be injected into the network.",
    )
    power: Power = Field(default_factory=Power, description="Where power and GPU figures come from.")
    runtime_class: Name | None = Field(
        default=None,
        description="RuntimeClass that brings a GPU driver's library into the container, for example `nvidia`. Every "
        "machine must know it.",
    )


class Resources(Section):
    """What the pods ask of their machines."""

    nodes: dict[str, NodeResources] = Field(
        default_factory=dict[str, NodeResources], description="By ROS 2 node name, for example `detector`."
    )
    recorder: RecorderResources = Field(default_factory=RecorderResources, description="The recorder.")
    discovery: DiscoveryResources = Field(default_factory=DiscoveryResources, description="The discovery server.")


class ComponentLimits(Section):
    """What a component container may be made to do at run time. Its memory is that of its pod."""

    components: Count = Field(default=16, description="Most components that are loaded at a time.")
    loads_per_minute: Count = Field(default=30, description="Most requests to load in a minute.")
    load_timeout_s: int = Field(default=60, ge=1, le=3600, description="Time after which a load has failed.")


class Composition(Section):
    """How the pattern `composition` runs the components, and whose requests it obeys."""

    process: Literal["per-component", "shared"] = Field(
        default="per-component",
        description="`per-component`: a process each, so that none starves another. `shared`: one process for all.",
    )
    executor: Literal["single", "multi", "isolated"] = Field(
        default="single",
        description="Who turns the nodes of a process: one thread, several, or a thread and an executor for each.",
    )
    limits: ComponentLimits = Field(default_factory=ComponentLimits, description="What it may be made to do.")
    public_key: str | None = Field(
        default=None, pattern=BASE64, description="Key that signs requests and manifest. None: that of the image lock."
    )
    signature: str | None = Field(
        default=None, pattern=BASE64, description="Signature of the image's manifest. None: that of the image lock."
    )
    sros2: bool = Field(
        default=False, description="SROS 2 guards the services, so that standard clients may load and unload."
    )

    @model_validator(mode="after")
    def _key_and_signature(self) -> Self:
        if (self.public_key is None) != (self.signature is None):
            raise ValueError("publicKey and signature belong together")
        return self


class OverlaySettings(Section):
    """How the pattern `overlay` brings its workspaces into the pod."""

    delivery: Literal["auto", "image-volume", "copy"] = Field(
        default="auto",
        description="`image-volume`: mounted as OCI images. `copy`: by an init container from the carrier image. "
        "`auto`: asks the cluster whether it can mount images; the stack's output says what was chosen.",
    )


class Images(Section):
    """Where the images come from. Every image is named by digest."""

    lock: str | None = Field(
        default=None,
        description="Lock file of `python -m images.build`. None: the variable ROS2BENCH_IMAGES_LOCK.",
    )
    registry_ca: str | None = Field(
        default=None,
        description="PEM file of a private registry's certificate authority. "
        "None: the variable ROS2BENCH_REGISTRY_CA, else the system's.",
    )
    platform_lock: str | None = Field(
        default=None,
        description="Lock file of `make lock-images`: programs of the platform that are not ours. "
        "None: the variable ROS2BENCH_PLATFORM_IMAGES.",
    )
    platform: dict[Name, ByDigest] = Field(
        default_factory=dict[str, str],
        description="Such programs by name, for example `grafana`: a reference by digest, which comes before the lock.",
    )
    check_registry: bool = Field(
        default=True, description="Ask the registry for every digest before anything is deployed."
    )


class Records(Section):
    """Where runs are stored. Credentials come from the AWS chain, never from here."""

    bucket: str = Field(
        default="ros2bench",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="Existing bucket. The variable ROS2BENCH_RECORDS_BUCKET changes the default.",
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/@]+/?$",
        description="S3 endpoint. None: the variable ROS2BENCH_RECORDS_ENDPOINT, else AWS.",
    )
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$", description="Region name for signing.")
    prefix: str = Field(
        default="",
        pattern=r"^([^/].*/)?$",
        description="Key prefix in the bucket; empty or ending in a slash.",
    )


class Cluster(Section):
    """Which cluster."""

    context: str | None = Field(
        default=None, min_length=1, description="Context of the kubeconfig. None: its current context."
    )


class StackSpec(Section):
    """Everything that a stack file may say."""

    kind: Kind = Field(
        description="What the stack holds.",
        json_schema_extra={"derived": "`platform` and `dev` for the stacks of those names, else `experiment`"},
    )
    pattern: Name | None = Field(
        description="How the nodes are placed: a file of components/patterns. A platform has none.",
        json_schema_extra={"derived": "the stack's name; `monolithic` for kind `dev`"},
    )
    state: State = Field(
        default="running",
        description="`parked` is everything but the application. The variable ROS2BENCH_STATE overrides it.",
    )
    application: Application = Field(default_factory=Application, description="What is deployed and measured.")
    network: Network = Field(default_factory=Network, description="How participants meet.")
    placement: Placement = Field(default_factory=Placement, description="On which machines.")
    resources: Resources = Field(default_factory=Resources, description="What the pods ask for.")
    images: Images = Field(default_factory=Images, description="Where images come from.")
    records: Records = Field(default_factory=Records, description="Where runs are stored.")
    platform: Name = Field(default="none", description="Stack that holds the shared platform, or `none`.")
    machine_readers: MachineReaders = Field(
        default_factory=MachineReaders, description="Readers of the machines' counters; kinds `platform` and `dev`."
    )
    observability: Observability = Field(
        default_factory=Observability,
        description="Metrics, rules, alerts and dashboards; kinds `platform` and `dev`.",
    )
    tracing: Tracing = Field(default_factory=Tracing, description="Paths of single frames through the nodes.")
    logs: Logs = Field(default_factory=Logs, description="Lines that pods write; kinds `platform` and `dev`.")
    gpu: GpuSettings = Field(default_factory=GpuSettings, description="Who offers GPUs, and how many a stack may take.")
    autoscaling: AutoscalingSettings = Field(
        default_factory=AutoscalingSettings, description="Copies on signals of ROS, and recommendations of resources."
    )
    cluster: Cluster = Field(default_factory=Cluster, description="Which cluster.")
    composition: Composition = Field(default_factory=Composition, description="Settings of the pattern composition.")
    overlay: OverlaySettings = Field(default_factory=OverlaySettings, description="Settings of the pattern overlay.")
    kubernetes: dict[Name, Raw] = Field(
        default_factory=dict[str, Raw],
        description="Fields of a pod's specification in the words of Kubernetes, by the pod's name, merged in as the "
        "last step before the guardrails. Items of lists are found by name; `$patch: add` or `delete` in one adds or "
        "removes it.",
    )

    @model_validator(mode="after")
    def _pattern_belongs_to_kind(self) -> Self:
        if (self.pattern is None) != (self.kind == "platform"):
            raise ValueError("an experiment and a dev stack have a pattern, a platform has none")
        return self

    @model_validator(mode="after")
    def _machine_readers_belong_to_a_platform(self) -> Self:
        if self.machine_readers.enabled and self.kind == "experiment":
            raise ValueError(
                "machineReaders.enabled is for stacks of kind platform or dev: an experiment sees no machine. "
                "Enable it there and name that stack in the experiment's platform"
            )
        return self

    @model_validator(mode="after")
    def _autoscaling_belongs_to_the_kind(self) -> Self:
        if why := self.autoscaling.misplaced(self.kind):
            raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _gpu_belongs_to_the_kind(self) -> Self:
        if why := self.gpu.misplaced(self.kind):
            raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _observability_belongs_to_a_platform(self) -> Self:
        if self.observability.mode != "none" and self.kind == "experiment":
            raise ValueError(
                "observability.mode is for stacks of kind platform or dev: an experiment only serves its metrics. Set "
                "it there and name that stack in the experiment's platform"
            )
        return self

    @model_validator(mode="after")
    def _traces_have_an_end(self) -> Self:
        if why := self.tracing.misplaced(self.kind, self.platform):
            raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _logs_belong_to_a_platform(self) -> Self:
        if self.logs.mode != "none" and self.kind == "experiment":
            raise ValueError(
                "logs.mode is for stacks of kind platform or dev: lines are collected for all experiments of a "
                "cluster. Set it there and name that stack in the experiment's platform"
            )
        return self
