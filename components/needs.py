"""What a node asks of the pod that it runs in, and how the wishes of nodes that share a pod become one.

Plain values. Where Kubernetes has a language of its own (affinity) its own words are kept.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from typing import Any, Literal

from components.autoscaling.signals import Autoscaling
from components.gpu.matching import NO_NEED, GpuNeed
from components.refusal import Refusal


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """How the cluster finds out that a node works.

    `heartbeat`: the node serves /startz, /readyz and /healthz on the port of its parameter `health_port`.
    `message`: a message of `topic` was received once after the start. `none`: a process that runs is ready.
    """

    kind: Literal["none", "heartbeat", "command", "http", "message"] = "none"
    command: tuple[str, ...] = ()
    path: str = "/"
    port: int = 0
    topic: str = ""
    message_type: str = ""
    startup_limit_s: int = 120
    period_s: int = 1


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """One value of a Secret; no name means the Secret that the stack makes from its encrypted configuration."""

    secret: str | None
    key: str


@dataclass(frozen=True, kw_only=True)
class File:
    """Text at an absolute path of the container."""

    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port for traffic that is not DDS, and who may reach it."""

    name: str
    port: int
    protocol: Literal["TCP", "UDP"] = "TCP"
    expose: Literal["pod", "cluster", "load-balancer", "ingress"] = "cluster"
    host: str | None = None
    path: str = "/"
    ingress_class: str | None = None
    tls_secret: str | None = None


@dataclass(frozen=True, kw_only=True)
class PersistentVolume:
    """Storage that outlives the pod: a claim that the stack makes, or an existing one."""

    name: str
    path: str
    size_mebibytes: int | None = None
    storage_class: str | None = None
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"] = "ReadWriteOnce"
    claim: str | None = None
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class MemoryVolume:
    """Folder in memory, for a cache; it counts as memory of the container."""

    name: str
    path: str
    size_mebibytes: int


@dataclass(frozen=True, kw_only=True)
class SecretVolume:
    """An existing Secret as read-only files."""

    name: str
    path: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class ServiceAccount:
    """An existing account, or with annotations one that the stack makes. No token is mounted either way."""

    name: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Security:
    """Whom the processes run as; nothing here can raise a privilege."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    fs_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint that the pod accepts."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class Update:
    """How pods are replaced. `recreate` ends the old one first, so that nothing publishes twice."""

    strategy: Literal["recreate", "rolling"] = "recreate"
    max_surge: int | str = 0
    max_unavailable: int | str = 1


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Everything that a node asks of its pod. The defaults ask for nothing."""

    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, SecretKey] = field(default_factory=dict[str, SecretKey])
    files: tuple[File, ...] = ()
    readiness: Readiness = field(default_factory=Readiness)
    ports: tuple[Port, ...] = ()
    persistent_volumes: tuple[PersistentVolume, ...] = ()
    memory_volumes: tuple[MemoryVolume, ...] = ()
    secret_volumes: tuple[SecretVolume, ...] = ()
    shared_memory_mebibytes: int = 0
    gpus: Mapping[str, int] = field(default_factory=dict[str, int])
    gpu_need: GpuNeed = NO_NEED
    runtime_class: str | None = None
    replicas: int = 1
    autoscaling: Autoscaling | None = None
    stateless: bool = False
    service_account: ServiceAccount | None = None
    image_pull_secrets: tuple[str, ...] = ()
    security: Security = field(default_factory=Security)
    tier: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    affinity: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tolerations: tuple[Toleration, ...] = ()
    update: Update | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def least_replicas(self) -> int:
        """Copies that are there at the start: as many as stated, or the least that an autoscaler leaves."""
        return self.replicas if self.autoscaling is None else self.autoscaling.min_replicas


Wishes = Sequence[tuple[str, Needs]]
NOTHING = Needs()
MAPPINGS = ("secrets", "node_selector", "labels", "annotations")
SINGLES = ("service_account", "tier", "affinity", "update", "runtime_class")
NAMED: Mapping[str, Callable[[Any], Hashable]] = {
    "files": lambda file: file.path,
    "ports": lambda port: port.name,
    "persistent_volumes": lambda volume: volume.name,
    "memory_volumes": lambda volume: volume.name,
    "secret_volumes": lambda volume: volume.name,
}


def together(pod: str, wishes: Wishes, *, joint_environment: bool) -> Needs:
    """Wishes of the nodes of one pod as those of the pod; how each is ready stays with its node.

    Args:
        pod: Name of the pod, for messages.
        wishes: Nodes by name, in start order.
        joint_environment: The nodes share one environment, because nothing starts them apart.

    Raises:
        Refusal: Two nodes ask for things that one pod cannot be.
    """
    found: dict[str, Any] = {}
    mappings = (*MAPPINGS, "environment") if joint_environment else MAPPINGS
    for name in mappings:
        found[name] = dict(_united(pod, name, wishes, lambda needs, name=name: getattr(needs, name).items()))
    for name, identity in NAMED.items():
        united = _united(
            pod,
            name,
            wishes,
            lambda needs, name=name, identity=identity: [(identity(item), item) for item in getattr(needs, name)],
        )
        found[name] = tuple(united.values())
    for name in SINGLES:
        found[name] = _single(pod, name, [(node, getattr(needs, name)) for node, needs in wishes], NOTHING)
    for name in ("tolerations", "image_pull_secrets"):
        found[name] = tuple(dict.fromkeys(item for _, needs in wishes for item in getattr(needs, name)))
    found["security"] = _security(pod, wishes)
    found["shared_memory_mebibytes"] = sum(needs.shared_memory_mebibytes for _, needs in wishes)
    found["gpus"] = _summed(needs.gpus for _, needs in wishes)
    found["gpu_need"] = reduce(GpuNeed.together, (needs.gpu_need for _, needs in wishes))
    found["replicas"] = _replicas(pod, wishes)
    found["autoscaling"] = _autoscaling(pod, wishes)
    merged = replace(NOTHING, **found)
    _refuse_doubles(pod, merged)
    return merged


def _united(pod: str, name: str, wishes: Wishes, items: Callable[[Needs], Iterable[tuple[Any, Any]]]) -> dict[Any, Any]:
    """Union by key; the same key with two values is a contradiction."""
    found: dict[Any, tuple[str, Any]] = {}
    for node, needs in wishes:
        for key, value in items(needs):
            first, known = found.setdefault(key, (node, value))
            if known != value:
                raise _contradiction(pod, f"{name}.{key}", (first, known), (node, value))
    return {key: value for key, (_, value) in found.items()}


def _single(pod: str, name: str, stated: Sequence[tuple[str, Any]], default: Any) -> Any:
    nothing = getattr(default, name)
    said = [(node, value) for node, value in stated if value != nothing]
    for second in said[1:]:
        if second[1] != said[0][1]:
            raise _contradiction(pod, name, said[0], second)
    return said[0][1] if said else nothing


def _security(pod: str, wishes: Wishes) -> Security:
    values = {
        item.name: _single(
            pod, item.name, [(node, getattr(needs.security, item.name)) for node, needs in wishes], Security()
        )
        for item in fields(Security)
    }
    return Security(**values)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total


def _replicas(pod: str, wishes: Wishes) -> int:
    first = wishes[0]
    for second in wishes[1:]:
        if second[1].replicas != first[1].replicas:
            raise _contradiction(pod, "replicas", (first[0], first[1].replicas), (second[0], second[1].replicas))
    return first[1].replicas


def _autoscaling(pod: str, wishes: Wishes) -> Autoscaling | None:
    """As with `replicas`, every node must say the same: one that says nothing would be copied with the others."""
    first, *others = [(node, needs.autoscaling) for node, needs in wishes]
    for second in others:
        if second[1] != first[1]:
            shown = [(node, "none" if found is None else found.described()) for node, found in (first, second)]
            raise _contradiction(pod, "autoscaling", shown[0], shown[1])
    return first[1]


def _refuse_doubles(pod: str, needs: Needs) -> None:
    """One path, one volume name, one port number: each belongs to one thing in a pod."""
    mounted = (*needs.files, *needs.persistent_volumes, *needs.memory_volumes, *needs.secret_volumes)
    volumes = (*needs.persistent_volumes, *needs.memory_volumes, *needs.secret_volumes)
    for what, used in (
        ("path", [item.path for item in mounted]),
        ("volume name", [volume.name for volume in volumes]),
        ("port", [f"{port.port}/{port.protocol}" for port in needs.ports]),
    ):
        if doubles := sorted({item for item in used if used.count(item) > 1}):
            raise Refusal(
                f"pod {pod}: {what} {', '.join(doubles)} is used twice by the nodes in it. Give each its own in "
                "ros2bench:spec.application.nodes, or place the nodes apart (pattern: microservices)"
            )


def _contradiction(pod: str, what: str, first: tuple[str, Any], second: tuple[str, Any]) -> Refusal:
    return Refusal(
        f"pod {pod}: its nodes contradict each other in {what}: {first[0]} says {first[1]!r}, {second[0]} says "
        f"{second[1]!r}. One pod can be only one of them: make them equal in ros2bench:spec.application.nodes, or "
        "place the nodes apart (pattern: microservices)"
    )
