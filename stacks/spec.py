"""What `Pulumi.<stack>.yaml` may say under `ros2bench:spec`: meaning, rules and defaults of every key.

In YAML the keys are camelCase. Every key may be left out. Plain data: importing this imports no Pulumi.
docs/configuration.md and docs/spec.schema.json are generated from it by `python -m stacks.reference`.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Kind = Literal["experiment", "platform", "dev"]
State = Literal["parked", "running"]

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
Millicores = Annotated[int, Field(ge=1, le=1_000_000)]
Mebibytes = Annotated[int, Field(ge=1, le=4_194_304)]
PicturePx = Annotated[int, Field(ge=16, le=8192)]
InputPx = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
Threads = Annotated[int, Field(ge=1, le=256)]
Count = Annotated[int, Field(ge=1, le=1024)]


class Section(BaseModel):
    """Base of every section: strict, immutable, camelCase, unknown keys and infinite numbers refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_name=True,
    )


class Load(Section):
    """How hard the application is driven. Equal load is what makes two runs comparable."""

    rate_hz: float = Field(default=10.0, gt=0, le=1000, description="Frames per second that the camera intends.")
    width_px: PicturePx = Field(default=640, description="Width of a frame.")
    height_px: PicturePx = Field(default=480, description="Height of a frame.")
    source: str = Field(
        default="pictures",
        pattern=r"^(pictures|synthetic|/.+)$",
        description="`pictures` (the real ones in the image), `synthetic`, or a folder in the image.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of the order of the pictures.")
    burst: Count = Field(default=1, description="Frames that the camera publishes back to back; the mean rate stays.")
    detector_input_width_px: InputPx = Field(default=320, description="Width to which the detector reduces a frame.")
    detector_input_height_px: InputPx = Field(default=224, description="Height to which the detector reduces a frame.")
    detector_score_threshold: float = Field(default=0.5, ge=0, le=1, description="Least score of a box that counts.")
    detector_threads: Threads = Field(default=1, description="Threads of the detector's inference.")
    detector_repeat: Count = Field(default=1, description="Inferences per frame: multiplies the detector's work.")
    trigger_period_s: float = Field(default=1.0, gt=0, le=3600, description="Time between two triggers of the reader.")
    reader_threads: Threads = Field(default=1, description="Threads of the reader's inference.")
    reader_max_boxes: Count = Field(default=8, description="Most boxes that the reader reads per trigger.")


class Application(Section):
    """Which application is deployed, and its load."""

    name: str = Field(default="perception", description="`perception`, the reference application.")
    load: Load = Field(default_factory=Load, description="How hard it is driven.")


class Network(Section):
    """How participants meet and what carries their data."""

    mode: Literal["pod"] = Field(default="pod", description="Every pod has an address of its own.")
    discovery: Literal["server", "multicast"] = Field(
        default="server",
        description="`server`: a Fast DDS discovery server, works on every cluster network. "
        "`multicast`: only where the cluster network carries it between the pods.",
    )
    domain_id: int = Field(default=42, ge=0, le=101, description="ROS_DOMAIN_ID of application and recorder.")
    rmw: Literal["rmw_fastrtps_cpp"] = Field(
        default="rmw_fastrtps_cpp",
        description="RMW_IMPLEMENTATION; the transport profile and the server are Fast DDS's.",
    )
    socket_buffer_bytes: int = Field(
        default=4_194_304,
        ge=4096,
        le=1_073_741_824,
        description="Send and receive buffer of a UDP socket; the machine's net.core.rmem_max caps it. "
        "Must hold a whole frame, or frames are lost.",
    )


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


class PodResources(Section):
    """What one of our own programs asks of a machine."""

    cpu_request_millicores: Millicores = Field(description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(description="Memory at which the container is ended.")

    @model_validator(mode="after")
    def _limit_holds_request(self) -> Self:
        if self.memory_limit_mebibytes < self.memory_request_mebibytes:
            raise ValueError("memoryLimitMebibytes is less than memoryRequestMebibytes")
        return self


class RecorderResources(PodResources):
    """What the recorder asks of a machine."""

    cpu_request_millicores: Millicores = Field(default=100, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=128, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=512, description="Memory at which the container is ended.")


class DiscoveryResources(PodResources):
    """What the discovery server asks of a machine."""

    cpu_request_millicores: Millicores = Field(default=50, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=48, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=256, description="Memory at which the container is ended.")


class NodeResources(Section):
    """What differs from what the application's graph asks for a node; none keeps the graph's value."""

    cpu_request_millicores: Millicores | None = Field(default=None, description="Processor time set aside.")
    cpu_limit_millicores: Millicores | None = Field(
        default=None,
        description="Processor time at which the node is throttled; none by default, throttling distorts.",
    )
    memory_request_mebibytes: Mebibytes | None = Field(default=None, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes | None = Field(
        default=None, description="Memory at which the container is ended."
    )


class Resources(Section):
    """What the pods ask of their machines."""

    nodes: dict[str, NodeResources] = Field(
        default_factory=dict[str, NodeResources], description="By ROS 2 node name, for example `detector`."
    )
    recorder: RecorderResources = Field(default_factory=RecorderResources, description="The recorder.")
    discovery: DiscoveryResources = Field(default_factory=DiscoveryResources, description="The discovery server.")


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
        pattern=r"^https?://[^\s/]+/?$",
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
    cluster: Cluster = Field(default_factory=Cluster, description="Which cluster.")

    @model_validator(mode="after")
    def _pattern_belongs_to_kind(self) -> Self:
        if (self.pattern is None) != (self.kind == "platform"):
            raise ValueError("an experiment and a dev stack have a pattern, a platform has none")
        return self
