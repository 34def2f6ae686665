"""The one contract between `pulumi up` and everything that measures a stack.

The program exports a `StackOutputs` as the single stack output `ros2bench`; the probes read only that.
Plain data only: importing this module must not import Pulumi.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

OUTPUT_NAME = "ros2bench"


class Frozen(BaseModel):
    """Base of every value in the contract: strict, immutable, camelCase on the wire, unknown keys refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True, validate_by_name=True)


class MeasuredTopic(Frozen):
    """A topic that the recorder listens to."""

    name: str = Field(description="Fully qualified topic name, for example /results.")
    type: str = Field(description="Message type, for example ros2bench_interfaces/msg/Result.")
    stamp: Literal["ros2bench", "header", "none"] = Field(
        description="What the first field of the message is: our stamp, a std_msgs/Header, or neither."
    )
    expected_rate_hz: float | None = Field(description="Rate at which the source intends to produce, if known.")
    is_result: bool = Field(description="Whether this is the topic on which latency and losses are reported.")


class RecorderEndpoint(Frozen):
    """Where the recorder listens; reached through the API server only."""

    namespace: str = Field(description="Namespace of the recorder's pod.")
    labels: dict[str, str] = Field(description="Labels that select exactly the recorder's pod.")
    port: int = Field(description="HTTP port of the recorder in its pod.")


class MachineReaderEndpoint(Frozen):
    """Where the machine readers of a platform listen, one on each machine; reached through the API server only."""

    namespace: str = Field(description="Namespace of their pods.")
    labels: dict[str, str] = Field(description="Labels that select exactly their pods.")
    port: int = Field(description="HTTP port of each in its pod.")


class ProgramEndpoint(Frozen):
    """Where a program of the platform answers: pods to reach through the API server, or somebody else's address."""

    namespace: str | None = Field(default=None, description="Namespace of its pod; none where there is an address.")
    labels: dict[str, str] | None = Field(default=None, description="Labels that select its pod.")
    port: int | None = Field(default=None, description="HTTP port in its pod.")
    url: str | None = Field(default=None, description="Address; none where a pod is named.")


class Observability(Frozen):
    """What a platform observes, and where to ask it."""

    mode: Literal["none", "builtin", "operator", "external"] = Field(description="Whose Prometheus it is.")
    prometheus: ProgramEndpoint | None = Field(default=None, description="Where series are kept.")
    alertmanager: ProgramEndpoint | None = Field(default=None, description="Who tells of alerts.")
    grafana: ProgramEndpoint | None = Field(default=None, description="Dashboards in a browser.")
    jaeger: ProgramEndpoint | None = Field(default=None, description="Where traces are kept.")
    loki: ProgramEndpoint | None = Field(default=None, description="Where log lines are kept.")
    not_deployed: dict[str, str] = Field(
        default_factory=dict[str, str], description="Why a program that is wanted is not there, by its name."
    )


class MountedOverlay(Frozen):
    """A workspace over the image of a pod."""

    name: str = Field(description="Name of the overlay.")
    image: str = Field(description="Image reference by digest: what is mounted, or what copies it.")
    path: str = Field(description="Folder in the container.")


class PlacedComponent(Frozen):
    """A node that a component container loads at its start: what it takes to load it again."""

    node: str = Field(description="Name of the ROS node.")
    package: str = Field(description="ROS package of the class.")
    plugin: str = Field(description="Class, for example ros2bench_nodes.detector.Detector.")
    parameters: dict[str, Any] = Field(description="Parameters of the node.")


class ComponentContainer(Frozen):
    """The program in a pod that loads and unloads nodes at run time."""

    name: str = Field(description="ROS name of the container, for example /perception.")
    process: Literal["per-component", "shared"] = Field(description="Whether each component has a process.")
    executor: Literal["single", "multi", "isolated"] = Field(description="Who turns the nodes of a process.")
    public_key: str | None = Field(
        description="Base64 of the Ed25519 key whose requests it obeys; none for C++, whose container asks nobody."
    )
    components: list[PlacedComponent] = Field(
        default_factory=list[PlacedComponent], description="What it loads at its start."
    )


class PodPlacement(Frozen):
    """One pod of the application and the processes and nodes placed in it."""

    name: str = Field(description="Name of the pod in the pattern's placement; also its app.kubernetes.io/name label.")
    image: str = Field(description="Image reference by digest.")
    processes: list[list[str]] = Field(description="ROS node names of each process.")
    replicas: int = Field(
        description="Copies of the pod while the stack is running; with an autoscaler the least that it leaves."
    )
    overlays: list[MountedOverlay] = Field(
        default_factory=list[MountedOverlay], description="Workspaces over the image, from the base upwards."
    )
    delivery: Literal["image-volume", "copy"] | None = Field(
        default=None, description="How the overlays arrive; none without overlays."
    )
    component_container: ComponentContainer | None = Field(
        default=None, description="What loads the nodes; none where each is a program of its own."
    )

    def images(self) -> tuple[str, ...]:
        """Every image that a machine pulls for this pod: its own, then those of its overlays."""
        return (self.image, *(overlay.image for overlay in self.overlays))


class Application(Frozen):
    """What is measured."""

    name: str = Field(description="Name of the application.")
    pods: list[PodPlacement] = Field(description="Every pod that the pattern places.")
    labels: dict[str, str] = Field(description="Labels that select exactly the application's pods.")
    topics: list[MeasuredTopic] = Field(description="Topics that the recorder listens to.")
    load: dict[str, Any] = Field(description="Load settings exactly as in the spec, for comparability checks.")


class Network(Frozen):
    """How the participants meet and what carries their data."""

    domain_id: int = Field(description="ROS_DOMAIN_ID of application and recorder.")
    rmw: str = Field(description="RMW_IMPLEMENTATION of application and recorder.")
    mode: str = Field(description="pod or host.")
    discovery: str = Field(description="How participants find one another.")
    socket_buffer_bytes: int = Field(description="UDP send and receive buffer of the transport profile.")
    policies: bool = Field(
        default=True,
        description="Whether NetworkPolicies are made for the pods; none binds a pod on its machine's network.",
    )


class Records(Frozen):
    """Where runs are stored. Credentials come from the AWS chain, never from here."""

    bucket: str = Field(description="Existing bucket.")
    endpoint: str | None = Field(description="S3 endpoint address; none means AWS.")
    region: str = Field(description="Region name for signing.")
    prefix: str = Field(description="Key prefix in the bucket, empty or ending in a slash.")


class ImageBase(Frozen):
    """What the images of the application are built on, as their lock tells."""

    flavour: str | None = Field(description="Kind of base image: wheels or official.")
    ros_distro: str | None = Field(description="ROS distribution inside.")


class SpecOverride(Frozen):
    """What the command that deployed the stack changed in its spec (ROS2BENCH_SPEC_OVERRIDE)."""

    files: list[str] = Field(description="Names of the files, without their folders.")
    sha256: str = Field(description="Digest over their contents.")
    values: dict[str, Any] = Field(description="Keys of the spec that they replaced.")


class StackOutputs(Frozen):
    """Everything that a probe may know about a stack."""

    contract: Literal[1] = Field(description="Version of this contract.")
    kind: Literal["experiment", "platform", "dev"] = Field(description="What the stack holds.")
    stack: str = Field(description="Name of the stack.")
    cluster_uid: str = Field(description="UID of the kube-system namespace: identifies the cluster.")
    namespace: str = Field(description="Namespace that the stack owns.")
    pattern: str | None = Field(description="Pattern of the experiment; none for a platform.")
    state: Literal["parked", "running"] | None = Field(description="Whether the application is deployed.")
    application: Application | None = Field(description="What is measured; none for a platform.")
    recorder: RecorderEndpoint | None = Field(description="The probe in the cluster; none for a platform.")
    network: Network | None = Field(description="Network factors; none for a platform.")
    records: Records = Field(description="Where runs are stored.")
    registry: str | None = Field(description="Registry that the images come from; none for a platform.")
    image_base: ImageBase | None = Field(
        default=None, description="Base of the images; none for a platform, and where an image is not of the lock."
    )
    platform: str | None = Field(description="Stack that holds the platform, if any.")
    machine_readers: MachineReaderEndpoint | None = Field(
        default=None, description="Readers of machine counters; none where the stack holds no platform with them."
    )
    observability: Observability | None = Field(
        default=None, description="Metrics, alerts, dashboards, traces and logs; none where the stack holds none."
    )
    spec: dict[str, Any] = Field(description="The validated spec with its defaults, as YAML would hold it.")
    override: SpecOverride | None = Field(
        default=None, description="What was changed for one command; none where the stack file was deployed as it is."
    )
