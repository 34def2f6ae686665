"""From what a node of the spec asks of its pod to the values that components understand."""

from dataclasses import replace
from typing import Any, Literal

from components import needs
from components.autoscaling import signals
from components.gpu.matching import Capability, GpuNeed
from components.refusal import Refusal
from stacks.pod import ConfigurationFile, Gpu, NodePort, Readiness, SecretSource
from stacks.spec_application import Node
from stacks.spec_autoscaling import NodeAutoscaling, ScaleDown, ScaleUp

ROS_VARIABLES = {
    "ROS_DOMAIN_ID": "network.domainId",
    "RMW_IMPLEMENTATION": "network.rmw",
    "ROS_DISCOVERY_SERVER": "network.discovery",
    "ROS_STATIC_PEERS": "network.discovery",
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "network.discovery",
    "ROS_MASTER_URI": "application.master",
    "FASTRTPS_DEFAULT_PROFILES_FILE": "network.socketBufferBytes",
}
"""Variables that must be equal in all participants, and the key that sets them for all."""
OWN_LABELS = ("app.kubernetes.io/", "ros2bench/")


def built(where: str, node: Node, known: needs.Needs, read: Any) -> needs.Needs:
    """What the node asks for, over what the graph already knows of it.

    Args:
        where: Key of the node in the stack file, for messages.
        node: The node of the spec.
        known: What the graph says of it.
        read: Gives the text of a file of the user.

    Raises:
        Refusal: A name that is not the user's to give, or a file that cannot be read.
    """
    _check_names(where, node)
    return replace(
        known,
        environment={**known.environment, **node.environment},
        secrets={**known.secrets, **{name: _secret(source) for name, source in node.secrets.items()}},
        files=(*known.files, *(_file(where, path, file, read) for path, file in node.files.items())),
        readiness=known.readiness if node.readiness is None else _readiness(node.readiness),
        ports=(*known.ports, *(_port(name, port) for name, port in node.ports.items())),
        persistent_volumes=(
            *known.persistent_volumes,
            *(
                needs.PersistentVolume(name=name, **volume.model_dump())
                for name, volume in node.persistent_volumes.items()
            ),
        ),
        memory_volumes=(
            *known.memory_volumes,
            *(needs.MemoryVolume(name=name, **volume.model_dump()) for name, volume in node.memory_volumes.items()),
        ),
        secret_volumes=(
            *known.secret_volumes,
            *(needs.SecretVolume(name=name, **volume.model_dump()) for name, volume in node.secret_volumes.items()),
        ),
        shared_memory_mebibytes=node.shared_memory_mebibytes or known.shared_memory_mebibytes,
        gpus={node.gpu.resource: node.gpu.count} if node.gpu else known.gpus,
        gpu_need=_gpu_need(node.gpu) if node.gpu else known.gpu_need,
        runtime_class=node.gpu.runtime_class if node.gpu else known.runtime_class,
        replicas=node.replicas,
        autoscaling=_autoscaling(node.autoscaling) if node.autoscaling else known.autoscaling,
        stateless=node.stateless,
        service_account=(
            needs.ServiceAccount(**node.service_account.model_dump()) if node.service_account else known.service_account
        ),
        image_pull_secrets=(*known.image_pull_secrets, *node.image_pull_secrets),
        security=_security(node),
        tier=node.tier or known.tier,
        node_selector={**known.node_selector, **node.node_selector},
        affinity={**known.affinity, **node.affinity},
        tolerations=(*known.tolerations, *(needs.Toleration(**each.model_dump()) for each in node.tolerations)),
        update=needs.Update(**node.rolling_update.model_dump()) if node.rolling_update else known.update,
        labels={**known.labels, **node.labels},
        annotations={**known.annotations, **node.annotations},
    )


def _check_names(where: str, node: Node) -> None:
    for key, names in (("environment", node.environment), ("secrets", node.secrets)):
        for name in names:
            if name in ROS_VARIABLES:
                raise Refusal(
                    f"{where}.{key}.{name}: must be equal in every participant, so it is set for all of them by "
                    f"ros2bench:spec.{ROS_VARIABLES[name]}. Take it out here"
                )
    if both := sorted(node.environment.keys() & node.secrets.keys()):
        raise Refusal(f"{where}: {', '.join(both)} is in environment and in secrets. Take it out of one")
    for key, names in (("labels", node.labels), ("annotations", node.annotations)):
        for name in names:
            if name.startswith(OWN_LABELS):
                raise Refusal(f"{where}.{key}.{name}: names of {' and '.join(OWN_LABELS)} are set by the program")


def _autoscaling(wanted: NodeAutoscaling) -> signals.Autoscaling:
    found: list[signals.Signal] = []
    if wanted.cpu_ratio is not None:
        found.append(signals.Resource(name="cpu", ratio=wanted.cpu_ratio))
    if wanted.memory_ratio is not None:
        found.append(signals.Resource(name="memory", ratio=wanted.memory_ratio))
    found += [signals.Latency(topic=topic, target_s=target) for topic, target in wanted.latency_s.items()]
    found += [signals.Series(name=name, **each.model_dump()) for name, each in wanted.series.items()]
    found += [signals.PodSeries(name=name, target=target) for name, target in wanted.pod_series.items()]
    return signals.Autoscaling(
        min_replicas=wanted.min_replicas,
        max_replicas=wanted.max_replicas,
        signals=tuple(found),
        scale_up=_pace(wanted.scale_up),
        scale_down=_pace(wanted.scale_down),
    )


def _pace(wanted: ScaleUp | ScaleDown) -> signals.Pace:
    return signals.Pace(stabilization_s=wanted.stabilization_s, percent=wanted.percent, period_s=wanted.period_s)


def _gpu_need(gpu: Gpu) -> GpuNeed:
    capability = None
    if gpu.compute_capability is not None:
        major, _, minor = gpu.compute_capability.partition(".")
        capability = Capability(major=int(major), minor=int(minor))
    return GpuNeed(memory_mebibytes=gpu.memory_mebibytes or 0, capability=capability)


def _secret(source: SecretSource) -> needs.SecretKey:
    if source.config is not None:
        return needs.SecretKey(secret=None, key=source.config)
    return needs.SecretKey(secret=source.secret, key=str(source.key))


def _file(where: str, path: str, file: ConfigurationFile, read: Any) -> needs.File:
    if file.source is None:
        return needs.File(path=path, text=str(file.text))
    try:
        return needs.File(path=path, text=read(file.source))
    except (OSError, ValueError) as error:
        raise Refusal(f"{where}.files.{path}.source: {file.source} cannot be read as text: {error}") from None


def _readiness(readiness: Readiness) -> needs.Readiness:
    kind: Literal["none", "heartbeat", "command", "http", "message"] = "none"
    found: dict[str, Any] = {}
    if readiness.heartbeat:
        kind = "heartbeat"
    elif readiness.command is not None:
        kind, found = "command", {"command": tuple(readiness.command)}
    elif readiness.http is not None:
        kind, found = "http", {"path": readiness.http.path, "port": readiness.http.port}
    elif readiness.message is not None:
        kind, found = "message", {"topic": readiness.message.topic, "message_type": readiness.message.type}
    return needs.Readiness(kind=kind, startup_limit_s=readiness.startup_limit_s, period_s=readiness.period_s, **found)


def _port(name: str, port: NodePort) -> needs.Port:
    return needs.Port(name=name, **port.model_dump())


def _security(node: Node) -> needs.Security:
    if node.security_context is None:
        return needs.Security()
    values: dict[str, Any] = node.security_context.model_dump()
    values["supplemental_groups"] = tuple(node.security_context.supplemental_groups)
    return needs.Security(**values)
