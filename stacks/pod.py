"""What a node may ask of the pod that it runs in: the parts of `application.nodes.NAME`. Plain data."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from stacks.section import Count, Mebibytes, Millicores, Port, Section

AbsolutePath = Annotated[str, Field(pattern=r"^/[^\s:]*$", max_length=1024)]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
PortName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=15)]
UserId = Annotated[int, Field(ge=1, le=2**31 - 1)]


def _amount(value: Any) -> Any:
    """A number of pods, or a share of them."""
    counted = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1024
    if counted or (isinstance(value, str) and re.fullmatch(r"\d{1,3}%", value)):
        return value
    raise ValueError(f"is {value!r}; a whole number, or a share such as 25% is expected")


Amount = Annotated[Any, AfterValidator(_amount), WithJsonSchema({"type": ["integer", "string"]})]


class NodeResources(Section):
    """What a node asks of a machine; none keeps the graph's value."""

    cpu_request_millicores: Millicores | None = Field(default=None, description="Processor time set aside.")
    cpu_limit_millicores: Millicores | None = Field(
        default=None,
        description="Processor time at which the node is throttled; none by default, throttling distorts.",
    )
    memory_request_mebibytes: Mebibytes | None = Field(default=None, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes | None = Field(
        default=None, description="Memory at which the container is ended."
    )


class HttpReadiness(Section):
    """An HTTP address of the node that answers 200 once it works."""

    port: Port = Field(description="Port in the pod.")
    path: AbsolutePath = Field(default="/", description="Path.")


class MessageReadiness(Section):
    """One message on a topic. It starts an interpreter with ROS each time it is asked, so only the start asks it."""

    topic: str = Field(pattern=r"^/\S+$", description="Topic on which something must be heard.")
    type: str = Field(pattern=r"^\w+/(msg/)?\w+$", description="Message type, for example `std_msgs/msg/String`.")


class Readiness(Section):
    """How the cluster finds out that the node works. At most one way; without one, a process that runs is ready."""

    heartbeat: bool = Field(
        default=False,
        description="The node takes a parameter `health_port` and serves `/startz`, `/readyz` and `/healthz` there, as "
        "the nodes of this project do. The only way that is also asked whether the node still lives.",
    )
    command: list[str] | None = Field(
        default=None, min_length=1, description="Command in the container that ends with 0 once the node works."
    )
    http: HttpReadiness | None = Field(default=None, description="Address that answers 200 once the node works.")
    message: MessageReadiness | None = Field(
        default=None,
        description="A message that is received once after the start. Each try costs about a third of a second of "
        "processor time, so it is the startup probe and no other; Python with ROS must be in the image.",
    )
    startup_limit_s: int = Field(default=120, ge=1, le=3600, description="Time after which a start has failed.")
    period_s: int = Field(default=1, ge=1, le=3600, description="Time between two questions.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        stated = [name for name in ("command", "http", "message") if getattr(self, name) is not None]
        stated += ["heartbeat"] if self.heartbeat else []
        if len(stated) > 1:
            raise ValueError(f"has {' and '.join(stated)}, a node is ready in one way")
        return self


class SecretSource(Section):
    """Where a secret value comes from: an existing Secret, or this stack's encrypted configuration."""

    secret: ObjectName | None = Field(default=None, description="Existing Secret in the stack's namespace.")
    key: str | None = Field(default=None, pattern=r"^[-._a-zA-Z0-9]+$", description="Key in that Secret.")
    config: str | None = Field(
        default=None,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Key below `ros2bench:secrets`, set with "
        "`pulumi config set --secret --path ros2bench:secrets.KEY`; the stack puts it into a Secret.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.config is None) == (self.secret is None) or (self.secret is None) != (self.key is None):
            raise ValueError("needs either secret and key (an existing Secret), or config (an encrypted value)")
        return self


class ConfigurationFile(Section):
    """One file in the container, kept in a ConfigMap; nothing secret belongs here."""

    text: str | None = Field(default=None, description="The text itself.")
    source: str | None = Field(
        default=None, min_length=1, description="A file on this machine, relative to the project's folder."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.text is None) == (self.source is None):
            raise ValueError("needs either text or source")
        return self


class NodePort(Section):
    """A port for traffic that is not DDS."""

    port: Port = Field(description="Port in the pod.")
    protocol: Literal["TCP", "UDP"] = Field(default="TCP", description="Protocol.")
    expose: Literal["pod", "cluster", "load-balancer", "ingress"] = Field(
        default="cluster",
        description="`pod`: no Service. `cluster`: a Service for the pods of the namespace. `load-balancer`: a Service "
        "with an address outside the cluster. `ingress`: HTTP through the cluster's Ingress controller.",
    )
    host: str | None = Field(default=None, min_length=1, description="Host name of the Ingress; none means every one.")
    path: AbsolutePath = Field(default="/", description="Path prefix of the Ingress.")
    ingress_class: str | None = Field(default=None, min_length=1, description="IngressClass; none means the default.")
    tls_secret: ObjectName | None = Field(default=None, description="Secret with the certificate of the Ingress.")

    @model_validator(mode="after")
    def _ingress_is_http(self) -> Self:
        of_ingress = {"host": self.host, "ingressClass": self.ingress_class, "tlsSecret": self.tls_secret}
        stated = [name for name, value in of_ingress.items() if value is not None]
        if self.expose != "ingress" and stated:
            raise ValueError(f"{', '.join(stated)} belongs to expose: ingress")
        if self.expose == "ingress" and self.protocol != "TCP":
            raise ValueError("an Ingress carries HTTP, so its protocol is TCP")
        return self


class PersistentVolume(Section):
    """Storage that outlives the pod, and the parking of the stack; nodes that use one name share it."""

    path: AbsolutePath = Field(description="Where the node finds it.")
    size_mebibytes: Mebibytes | None = Field(default=None, description="Size of the claim that the stack makes.")
    storage_class: str | None = Field(default=None, min_length=1, description="Class; none means the default one.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"] = Field(
        default="ReadWriteOnce", description="Who may mount it at the same time."
    )
    claim: ObjectName | None = Field(default=None, description="An existing claim in the namespace instead.")
    read_only: bool = Field(default=False, description="Mount it read-only.")

    @model_validator(mode="after")
    def _claimed_or_made(self) -> Self:
        if (self.claim is None) == (self.size_mebibytes is None):
            raise ValueError("needs either sizeMebibytes (a claim is made) or claim (an existing one)")
        return self


class MemoryVolume(Section):
    """A folder in memory, for a cache. Its size is added to the memory limit of the container."""

    path: AbsolutePath = Field(description="Where the node finds it.")
    size_mebibytes: Mebibytes = Field(description="Most that it may hold.")


class SecretVolume(Section):
    """An existing Secret as read-only files."""

    path: AbsolutePath = Field(description="Where the node finds them.")
    secret: ObjectName = Field(description="Existing Secret in the stack's namespace.")


class Gpu(Section):
    """Devices that the container gets to itself."""

    count: Count = Field(default=1, description="How many.")
    resource: str = Field(
        default="nvidia.com/gpu",
        pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$",
        description="Resource name under which the cluster's device plugin offers them.",
    )
    memory_mebibytes: Mebibytes | None = Field(
        default=None,
        description="Least memory of one of the machine's GPUs; read from the label `nvidia.com/gpu.memory`, which GPU "
        "Feature Discovery or somebody by hand sets.",
    )
    compute_capability: str | None = Field(
        default=None,
        pattern=r"^\d{1,2}\.\d{1,2}$",
        description="Least compute capability, for example `8.7` of an Orin; read from the labels "
        "`nvidia.com/gpu.compute.major` and `.minor`.",
    )
    runtime_class: ObjectName | None = Field(
        default=None,
        description="RuntimeClass of the pod, for example `nvidia` on a Jetson with K3s; none means the default.",
    )

    @model_validator(mode="after")
    def _labels_are_of_nvidia(self) -> Self:
        asks = self.memory_mebibytes is not None or self.compute_capability is not None
        if asks and self.resource not in ("nvidia.com/gpu", "nvidia.com/gpu.shared"):
            raise ValueError(
                "memoryMebibytes and computeCapability are read from labels of nvidia.com/gpu, not of "
                f"{self.resource}. Say it by nodeSelector or affinity"
            )
        return self


class ServiceAccount(Section):
    """Who the pod is to the cluster. No token is mounted; cloud identities come through the annotations."""

    name: ObjectName | None = Field(default=None, description="An existing account in the namespace.")
    annotations: dict[str, str] = Field(
        default_factory=dict[str, str], description="Annotations of an account that the stack makes."
    )

    @model_validator(mode="after")
    def _existing_or_made(self) -> Self:
        if (self.name is None) == (not self.annotations):
            raise ValueError("needs either name (an existing account) or annotations (the stack makes one)")
        return self


class SecurityContext(Section):
    """Whom the processes run as. The rest of the Pod Security Standard `restricted` cannot be switched off."""

    run_as_user: UserId | None = Field(default=None, description="User; none means 10001.")
    run_as_group: UserId | None = Field(default=None, description="Group; none means 10001.")
    fs_group: UserId | None = Field(default=None, description="Group that owns the volumes; none means 10001.")
    supplemental_groups: list[UserId] = Field(
        default_factory=list[int], description="Further groups, for example of a device."
    )


class Toleration(Section):
    """A taint of a machine that the pod accepts."""

    key: str | None = Field(default=None, min_length=1, description="Key of the taint; none means every one.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="Whether the value counts.")
    value: str | None = Field(default=None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; none means every one."
    )
    toleration_seconds: int | None = Field(default=None, ge=0, description="How long NoExecute is borne.")


class RollingUpdate(Section):
    """How a new version replaces the old one."""

    strategy: Literal["recreate", "rolling"] = Field(
        default="recreate", description="`recreate` ends the old pod first; `rolling` keeps the rest running."
    )
    max_surge: Amount = Field(
        default=0, description="Pods above the wanted number; while they overlap, what they publish comes twice."
    )
    max_unavailable: Amount = Field(default=1, description="Pods that may be missing meanwhile.")

    @model_validator(mode="after")
    def _something_may_change(self) -> Self:
        if self.strategy == "rolling" and self.max_surge in (0, "0%") and self.max_unavailable in (0, "0%"):
            raise ValueError("maxSurge and maxUnavailable are both 0, so nothing could ever be replaced")
        return self


Affinity = dict[str, Any]
