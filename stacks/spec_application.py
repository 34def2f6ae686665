"""Section `application`: the reference application with what is changed in it, or an application of the user's own."""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from components.graph import Durability
from components.perception import APPLICATIONS
from stacks.load import Load
from stacks.pod import (
    Affinity,
    ConfigurationFile,
    Gpu,
    MemoryVolume,
    NodePort,
    NodeResources,
    ObjectName,
    PersistentVolume,
    PortName,
    Readiness,
    RollingUpdate,
    SecretSource,
    SecretVolume,
    SecurityContext,
    ServiceAccount,
    Toleration,
)
from stacks.section import Count, Mebibytes, Name, Section
from stacks.spec_autoscaling import NodeAutoscaling
from stacks.spec_metrics import MetricMapping

NodeName = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]*$", max_length=40)]
TopicName = Annotated[str, Field(pattern=r"^/[a-zA-Z_][a-zA-Z0-9_/]*$")]
TopicType = Annotated[str, Field(pattern=r"^[a-zA-Z]\w*/msg/[A-Z]\w*$")]
ImageName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?|\S+@sha256:[0-9a-f]{64})$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")]
FilePath = Annotated[str, Field(pattern=r"^/[^\s:]+$", max_length=1024)]
IMAGE = "A role of the image lock, or a reference by digest"


def _parameter(value: Any) -> Any:
    """A value that ROS knows: a scalar, a list of one kind of them, or a number that must be floating point."""
    if isinstance(value, dict):
        (key, number), *more = cast("dict[str, Any]", value).items() or [("", None)]
        if key == "double" and not more and isinstance(number, list):
            return [_double(each) for each in cast("list[Any]", number)]
        if key == "double" and not more:
            return _double(number)
        raise ValueError(f"is {value!r}; a mapping must be {{double: NUMBER}}, groups are written as group.name: value")
    if isinstance(value, list):
        kinds = {type(item) for item in cast("list[Any]", value)}
        if len(kinds) == 1 and kinds <= SCALARS:
            return cast("list[Any]", value)
        raise ValueError(f"is {value!r}; a list must hold one kind of value (in ROS 10 and 10.5 are two) and not none")
    if type(value) in SCALARS:
        return value
    raise ValueError(f"is {value!r}; true or false, a number, text or a list of them is expected")


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"double is {value!r}, a number is expected")  # noqa: TRY004 - pydantic wants it so
    return float(value)


SCALARS = frozenset({bool, int, float, str})
Parameter = Annotated[
    Any, AfterValidator(_parameter), WithJsonSchema({"type": ["boolean", "number", "string", "array", "object"]})
]


class ComponentClass(Section):
    """The class that a component container loads."""

    package: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Package that has it.")
    plugin: str = Field(
        pattern=r"^[A-Za-z_][\w.:]*$", description="Class: `my_package.module.Class`, in C++ `my_package::Class`."
    )
    language: Literal["python", "cpp"] = Field(default="python", description="What it is written in.")


class Node(Section):
    """One node. Of the reference application's nodes, what is left out stays as it is."""

    executable: list[str] | None = Field(
        default=None, min_length=1, description="Command that starts it as a process. Needed by all but composition."
    )
    component: ComponentClass | None = Field(default=None, description="Its class. Needed by composition.")
    image: ImageName | None = Field(
        default=None, description=f"{IMAGE}; the least that holds this node. Needed by microservices."
    )
    ros_arguments: bool = Field(
        default=True,
        description="Append `--ros-args` with name and parameters. Off for programs that do not understand them, for "
        "example a launch file or a bridge.",
    )
    publishes: list[TopicName] | None = Field(default=None, description="Topics that it publishes.")
    subscribes: list[TopicName] | None = Field(default=None, description="Topics that it subscribes to.")
    parameters: dict[ParameterName, Parameter] = Field(
        default_factory=dict[str, Any],
        description="ROS parameters. A whole number is an integer, even as 10.0: write a floating point one as "
        "`{double: 10}`.",
    )
    parameters_file: str | None = Field(
        default=None,
        min_length=1,
        description="A ROS parameters file on this machine, relative to the project's folder; its entries for this "
        "node and for `/**` come before `parameters`.",
    )
    environment: dict[Variable, str] = Field(
        default_factory=dict[str, str], description="Environment variables. Those of ROS's network are in `network`."
    )
    secrets: dict[Variable, SecretSource] = Field(
        default_factory=dict[str, SecretSource], description="Environment variables that hold secrets."
    )
    files: dict[FilePath, ConfigurationFile] = Field(
        default_factory=dict[str, ConfigurationFile], description="Configuration files, by absolute path."
    )
    readiness: Readiness | None = Field(default=None, description="How the cluster finds out that it works.")
    ports: dict[PortName, NodePort] = Field(
        default_factory=dict[str, NodePort], description="Ports for traffic that is not DDS, by name."
    )
    persistent_volumes: dict[Name, PersistentVolume] = Field(
        default_factory=dict[str, PersistentVolume], description="Storage that outlives the pod, by name."
    )
    memory_volumes: dict[Name, MemoryVolume] = Field(
        default_factory=dict[str, MemoryVolume], description="Folders in memory, by name."
    )
    secret_volumes: dict[Name, SecretVolume] = Field(
        default_factory=dict[str, SecretVolume], description="Existing Secrets as files, by name."
    )
    shared_memory_mebibytes: Mebibytes | None = Field(
        default=None, description="Size of /dev/shm; none means 64. The nodes of a pod add theirs up."
    )
    resources: NodeResources | None = Field(default=None, description="What it asks of a machine.")
    gpu: Gpu | None = Field(default=None, description="Devices that it gets to itself.")
    replicas: Count = Field(
        default=1, description="Copies of its pod. Refused where each copy would publish the same messages again."
    )
    autoscaling: NodeAutoscaling | None = Field(
        default=None, description="The number of copies follows signals; instead of `replicas`, for stateless nodes."
    )
    stateless: bool = Field(
        default=False, description="Copies may publish: they share the work, or a repeated message does no harm."
    )
    service_account: ServiceAccount | None = Field(default=None, description="Who its pod is to the cluster.")
    image_pull_secrets: list[ObjectName] = Field(
        default_factory=list[str], description="Existing Secrets of private registries."
    )
    security_context: SecurityContext | None = Field(default=None, description="Whom its processes run as.")
    tier: Name | None = Field(default=None, description="Machines with this value of the label `ros2bench/tier` only.")
    node_selector: dict[str, str] = Field(
        default_factory=dict[str, str], description="Labels that its machine must have."
    )
    affinity: Affinity = Field(default_factory=Affinity, description="Affinity in the words of Kubernetes.")
    tolerations: list[Toleration] = Field(default_factory=list[Toleration], description="Taints that it accepts.")
    rolling_update: RollingUpdate | None = Field(default=None, description="How a new version replaces the old one.")
    labels: dict[str, str] = Field(default_factory=dict[str, str], description="Further labels of its pod.")
    annotations: dict[str, str] = Field(default_factory=dict[str, str], description="Annotations of its pod.")


class Topic(Section):
    """A topic between the nodes. Only topics that are published, subscribed to or measured need to be here."""

    type: TopicType = Field(description="Message type, for example `std_msgs/msg/String`.")
    reliability: Literal["reliable", "best_effort"] = Field(default="reliable", description="As its publisher has it.")
    durability: Durability = Field(
        default="volatile",
        description="`transient_local`: its publisher keeps messages for who comes later; the recorder asks for them.",
    )
    depth: Count = Field(default=10, description="Queue of its publisher.")
    stamp: Literal["ros2bench", "header", "none"] = Field(
        default="none",
        description="What the message begins with: `ros2bench_interfaces/Stamp`, `std_msgs/Header`, or neither. "
        "Without a stamp there is no latency to measure.",
    )
    expected_rate_hz: float | None = Field(default=None, gt=0, description="Rate at which its source intends to send.")
    measured: bool = Field(default=False, description="The recorder listens to it.")
    result: bool = Field(default=False, description="Latency and losses are reported for it; it is measured, too.")


class Overlay(Section):
    """A workspace that is mounted over the base image."""

    name: Name = Field(description="It is mounted at `/opt/overlays/NN-NAME`.")
    image: ImageName = Field(description=f"{IMAGE}; nothing but an install space.")
    carrier: ImageName | None = Field(
        default=None,
        description=f"{IMAGE}; has the same at `/overlay` and can copy it, for clusters that cannot mount images.",
    )


class ApplicationImages(Section):
    """Images that hold the whole application, by the pattern that needs them."""

    monolithic: ImageName | None = Field(default=None, description=f"{IMAGE}; every node and the bringup.")
    composition: ImageName | None = Field(
        default=None, description=f"{IMAGE}; every component and the component container."
    )
    overlay_base: ImageName | None = Field(default=None, description=f"{IMAGE}; what is under the overlays.")
    overlays: list[Overlay] | None = Field(default=None, description="From the base upwards, three at most.")
    recorder: ImageName | None = Field(
        default=None, description=f"{IMAGE}; a recorder that knows the measured message types. None: `recorder`."
    )


class Application(Section):
    """Which application is deployed, and its load."""

    name: str = Field(
        default="perception",
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=40,
        description="`perception`, the reference application, or a name of your own for the nodes below.",
    )
    load: Load | None = Field(
        default_factory=lambda known: Load() if known.get("name") in APPLICATIONS else None,
        description="How hard the reference application is driven; an application of your own has parameters instead.",
        json_schema_extra={"derived": "below"},
    )
    nodes: dict[NodeName, Node] = Field(
        default_factory=dict[str, Node],
        description="By ROS node name, in start order. For the reference application: what is changed in its nodes.",
    )
    topics: dict[TopicName, Topic] = Field(
        default_factory=dict[str, Topic], description="By name. With none that is measured there is no recorder."
    )
    metrics: list[MetricMapping] = Field(
        default_factory=list[MetricMapping],
        description="Fields of messages that the recorder serves as metrics, for dashboards and alerts.",
    )
    images: ApplicationImages = Field(
        default_factory=ApplicationImages, description="Images that hold the whole application."
    )
    master: bool = Field(
        default=False, description="The nodes are of ROS 1: deploy a master for them and start them its way."
    )

    @model_validator(mode="after")
    def _one_result(self) -> Self:
        results = [name for name, topic in self.topics.items() if topic.result]
        if len(results) > 1:
            raise ValueError(f"topics {', '.join(results)} are all the result, one is")
        return self
