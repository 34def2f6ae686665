"""The one renderer from a placed pod to Kubernetes objects, for every pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import labels, launch, manifest, needs, overlays, pod_volumes, raw, readiness
from components.autoscaling.hpa import hpa_manifest
from components.autoscaling.vpa import vpa_manifest
from components.configuration import configuration
from components.deployment import PodTemplate, Scheduling, container, deployment_manifest
from components.exposure import Exposure, exposed
from components.graph import Container, Pod, Resources
from components.namespace import Namespace
from components.participant import Participant, annotations, environment, pod_network, profile_file
from components.program import METRICS, scrape_annotations
from components.refusal import Refusal

COMPONENT = "application"
BRINGUP_MEMORY_MEBIBYTES = 32
LOADER_MEMORY_MEBIBYTES = 128
"""Of a component container, beside what it loads: it is a ROS node itself."""
GRACE_S = 5
"""The nodes stop within 1 s, the bringup kills what has not stopped 2 s later."""


@dataclass(frozen=True, kw_only=True)
class WorkloadArgs:
    """One pod of the application and everything that it needs to run.

    `images` are references by digest, by the name that the placement uses. `secret` is the Secret that the stack
    makes, `claims` its claims by volume name, `raw` the user's own Kubernetes parameters of this pod,
    `recommendations` whether to ask what the pod should ask of its machine.
    """

    pod: Pod
    namespace: Namespace
    images: Mapping[str, str]
    participant: Participant
    scheduling: Scheduling
    delivery: overlays.Delivery = "image-volume"
    composition: launch.Composition | None = None
    claims: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    secret: pulumi.Input[str] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])
    recommendations: bool = False
    depends_on: Sequence[pulumi.Resource] = ()


class Workload(pulumi.ComponentResource):
    """Deployment and configuration of one pod of the application, and the ways in to it."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Workload", name, None, opts)
        wanted = pod_needs(args.pod)
        template = PodTemplate(
            labels=args.namespace.pod_labels(name=args.pod.name, component=COMPONENT),
            selector=labels.selector(args.namespace.stack, component=COMPONENT, name=args.pod.name),
            containers=[pod_container(args, wanted)],
            init_containers=overlays.init_containers(args.pod.container, args.images, args.delivery),
            volumes=[
                *pod_volumes.volumes(wanted, args.claims),
                *overlays.volumes(args.pod.container, args.images, args.delivery),
            ],
            configuration=configuration(
                args.pod.name, pod_files(args, wanted), namespace=args.namespace, component=COMPONENT, parent=self
            ),
            scheduling=args.scheduling,
            grace_s=GRACE_S,
            annotations={**scraped(wanted), **annotations(args.participant)},
            network=pod_network(args.participant),
            needs=wanted,
            service_account=self._service_account(args, wanted.service_account),
        )
        metadata = args.namespace.metadata(name=args.pod.name, component=COMPONENT)
        rendered = deployment_manifest(metadata, template)
        pod = rendered["spec"]["template"]
        pod["spec"] = raw.merged(args.pod.name, pod["spec"], args.raw)
        self.deployment = args.namespace.deploy(args.pod.name, rendered, self, depends_on=args.depends_on)
        deployed = manifest.created_name(self.deployment)
        for scaler in scalers(args, metadata, deployed, wanted):
            manifest.create(args.pod.name, scaler, args.namespace.options(self))
        if exposed(wanted.ports):
            Exposure(args.pod.name, wanted.ports, args.namespace, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"deployment": deployed})

    def _service_account(self, args: WorkloadArgs, account: needs.ServiceAccount | None) -> pulumi.Input[str] | None:
        if account is None or account.name is not None:
            return account.name if account else None
        made: manifest.Manifest = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": args.namespace.metadata(
                name=args.pod.name, component=COMPONENT, annotations=dict(account.annotations)
            ),
            "automountServiceAccountToken": False,
        }
        return manifest.created_name(manifest.create(args.pod.name, made, args.namespace.options(self)))


def scalers(
    args: WorkloadArgs, metadata: Mapping[str, Any], deployment: pulumi.Input[str], wanted: needs.Needs
) -> list[manifest.Manifest]:
    """Objects that watch a Deployment: one that sets its number of copies, one that only recommends."""
    found: list[manifest.Manifest] = []
    if wanted.autoscaling is not None:
        found.append(hpa_manifest(metadata, deployment, wanted.autoscaling))
    if args.recommendations:
        found.append(vpa_manifest(metadata, deployment))
    return found


def pod_needs(pod: Pod) -> needs.Needs:
    """What the nodes of a pod ask for together.

    Raises:
        Refusal: They contradict one another.
    """
    wishes = [(node.name, node.needs) for node in pod.nodes()]
    return needs.together(pod.name, wishes, joint_environment=not launch.starts_bringup(pod.container))


def scraped(wanted: needs.Needs) -> dict[str, str]:
    """Annotations by which a pod with a port of that name is read for metrics; what it says itself comes first."""
    ports = [port.port for port in wanted.ports if port.name == METRICS and port.protocol == "TCP"]
    return {**scrape_annotations(ports[0]), **wanted.annotations} if ports else {}


def pod_container(args: WorkloadArgs, wanted: needs.Needs) -> manifest.Manifest:
    """Container of the application: one process as itself, several under a bringup or a component container."""
    placed = args.pod.container
    _refuse_taken_ports(args, wanted)
    variables = {each["name"]: each for each in environment(args.participant)}
    variables |= {name: {"name": name, "value": text} for name, text in wanted.environment.items()}
    variables |= {name: _secret_variable(name, source, args.secret) for name, source in wanted.secrets.items()}
    return container(
        name=placed.name,
        image=args.images[placed.image],
        command=launch.container_command(placed),
        environment=list(variables.values()),
        resources=pod_resources(placed),
        health_port=args.participant.health_port if readiness.serves_health(placed) else None,
        probes=readiness.probes(args.pod.name, placed),
        extended_resources=wanted.gpus,
        ports=[{"name": port.name, "containerPort": port.port, "protocol": port.protocol} for port in wanted.ports],
        mounts=[*pod_volumes.mounts(wanted), *overlays.mounts(placed)],
    )


def pod_files(args: WorkloadArgs, wanted: needs.Needs) -> dict[str, str]:
    """Files that the processes of a pod read, by name."""
    placed = args.pod.container
    started = launch.files(
        placed,
        base_port=args.participant.health_port,
        memory_mebibytes=total_resources(placed).memory_limit_mebibytes,
        composition=args.composition,
    )
    return (
        started | pod_volumes.files(wanted) | readiness.message_files(args.pod.nodes()) | profile_file(args.participant)
    )


def pod_resources(placed: Container) -> Resources:
    """What a container asks of its machine: its nodes, and whatever starts them."""
    return total_resources(placed, extra_memory_mebibytes=starter_memory_mebibytes(placed))


def starter_memory_mebibytes(placed: Container) -> int:
    """Memory of what starts the nodes of a container; a process alone starts itself."""
    if placed.component_container is not None:
        return LOADER_MEMORY_MEBIBYTES
    return BRINGUP_MEMORY_MEBIBYTES if launch.starts_bringup(placed) else 0


def total_resources(placed: Container, *, extra_memory_mebibytes: int = 0) -> Resources:
    """Sum of what the nodes of a container ask for; memory volumes count, because they are memory.

    Args:
        placed: The container.
        extra_memory_mebibytes: For the bringup, where there is one.
    """
    nodes = [node for process in placed.processes for node in process.nodes]
    wanted = [node.resources for node in nodes]
    limits = [each.cpu_limit_millicores for each in wanted]
    stated = [limit for limit in limits if limit is not None]
    volumes = {volume.name: volume.size_mebibytes for node in nodes for volume in node.needs.memory_volumes}
    in_memory = extra_memory_mebibytes + sum(volumes.values())
    return Resources(
        cpu_request_millicores=sum(each.cpu_request_millicores for each in wanted),
        memory_request_mebibytes=sum(each.memory_request_mebibytes for each in wanted) + extra_memory_mebibytes,
        memory_limit_mebibytes=sum(each.memory_limit_mebibytes for each in wanted) + in_memory,
        # One node without a limit makes a shared limit meaningless: it would throttle the others.
        cpu_limit_millicores=sum(stated) if len(stated) == len(limits) else None,
    )


def _secret_variable(name: str, source: needs.SecretKey, own: pulumi.Input[str] | None) -> dict[str, Any]:
    reference = {"name": source.secret if source.secret is not None else own, "key": source.key}
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _refuse_taken_ports(args: WorkloadArgs, wanted: needs.Needs) -> None:
    """A port of the user that health is served on would make one of the two fail at its start."""
    taken = launch.served_ports(args.pod.container, args.participant.health_port)
    for port in wanted.ports:
        if port.protocol == "TCP" and port.port in taken:
            raise Refusal(
                f"pod {args.pod.name}: port {port.name} is {port.port}, on which the pod serves its health "
                f"({', '.join(map(str, taken))}). Choose another in ros2bench:spec.application.nodes"
            )
