"""The one renderer from a placed pod to Kubernetes objects, for every pattern."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components import labels, manifest
from components.configuration import configuration
from components.deployment import PodTemplate, Scheduling, container, deployment_manifest
from components.graph import Container, Pod, Process, Resources
from components.namespace import Namespace
from components.participant import CONFIGURATION_DIRECTORY, Participant, annotations, environment, profile_file

COMPONENT = "application"
HEALTH_PORT = 8080
BRINGUP_FILE = "bringup.json"
PARAMETERS_FILE = "parameters.yaml"
BRINGUP_MEMORY_MEBIBYTES = 32
GRACE_S = 5
"""The nodes stop within 1 s, the bringup kills what has not stopped 2 s later."""


@dataclass(frozen=True, kw_only=True)
class WorkloadArgs:
    """One pod of the application and everything that it needs to run."""

    pod: Pod
    namespace: Namespace
    images: Mapping[str, str]
    participant: Participant
    scheduling: Scheduling
    depends_on: Sequence[pulumi.Resource] = ()


class Workload(pulumi.ComponentResource):
    """Deployment and configuration of one pod of the application."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Workload", name, None, opts)
        files = pod_files(args.pod) | profile_file(args.participant)
        template = PodTemplate(
            labels=labels.labels(args.namespace.stack, name=args.pod.name, component=COMPONENT),
            selector=labels.selector(args.namespace.stack, component=COMPONENT, name=args.pod.name),
            containers=[pod_container(args.pod.container, args.images, args.participant)],
            configuration=configuration(
                args.pod.name, files, namespace=args.namespace, component=COMPONENT, parent=self
            ),
            scheduling=args.scheduling,
            grace_s=GRACE_S,
            annotations=annotations(args.participant),
            replicas=args.pod.replicas,
        )
        metadata = args.namespace.metadata(name=args.pod.name, component=COMPONENT)
        self.deployment = manifest.create(
            args.pod.name,
            deployment_manifest(metadata, template),
            args.namespace.options(self, depends_on=list(args.depends_on)),
        )
        self.register_outputs({"deployment": manifest.created_name(self.deployment)})


def pod_container(placed: Container, images: Mapping[str, str], participant: Participant) -> manifest.Manifest:
    """Container of the application: one process as itself, several under the bringup."""
    several = len(placed.processes) > 1
    bringup = ("ros2bench-bringup", f"{CONFIGURATION_DIRECTORY}/{BRINGUP_FILE}")
    return container(
        name=placed.name,
        image=images[placed.image_role],
        command=bringup if several else process_command(placed.processes[0]),
        environment=environment(participant),
        resources=total_resources(placed, extra_memory_mebibytes=BRINGUP_MEMORY_MEBIBYTES if several else 0),
        health_port=HEALTH_PORT,
    )


def pod_files(pod: Pod) -> dict[str, str]:
    """Files that the nodes and the bringup of a pod read, by name."""
    ports = process_ports(pod.container)
    parameters: dict[str, Any] = {}
    for process in pod.container.processes:
        # Only the first node of a process serves its health: one process has one port.
        for position, node in enumerate(process.nodes):
            port = ports[process.name] if position == 0 else 0
            parameters[node.name] = {"ros__parameters": {**node.parameters, "health_port": port}}
    files = {PARAMETERS_FILE: yaml.safe_dump(parameters, sort_keys=True)}
    if len(pod.container.processes) > 1:
        files[BRINGUP_FILE] = json.dumps(bringup_plan(pod.container), indent=1) + "\n"
    return files


def bringup_plan(placed: Container) -> dict[str, Any]:
    """What the bringup starts, in order, and where each process says how it is."""
    ports = process_ports(placed)
    return {
        "contract": 1,
        "port": HEALTH_PORT,
        "processes": [
            {
                "name": process.name,
                "command": list(process_command(process)),
                "environment": {},
                "port": ports[process.name],
            }
            for process in placed.processes
        ],
    }


def process_ports(placed: Container) -> dict[str, int]:
    """Health port of each process: the container's own for a single one, else those above it."""
    if len(placed.processes) == 1:
        return {placed.processes[0].name: HEALTH_PORT}
    return {process.name: HEALTH_PORT + number for number, process in enumerate(placed.processes, start=1)}


def process_command(process: Process) -> tuple[str, ...]:
    """Command of a process with the arguments that every ROS 2 node understands."""
    rename = ("-r", f"__node:={process.nodes[0].name}") if len(process.nodes) == 1 else ()
    parameters = ("--params-file", f"{CONFIGURATION_DIRECTORY}/{PARAMETERS_FILE}")
    return (*process.command, "--ros-args", *rename, *parameters)


def total_resources(placed: Container, *, extra_memory_mebibytes: int = 0) -> Resources:
    """Sum of what the nodes of a container ask for.

    Args:
        placed: The container.
        extra_memory_mebibytes: For the bringup, where there is one.
    """
    wanted = [node.resources for process in placed.processes for node in process.nodes]
    limits = [each.cpu_limit_millicores for each in wanted]
    stated = [limit for limit in limits if limit is not None]
    return Resources(
        cpu_request_millicores=sum(each.cpu_request_millicores for each in wanted),
        memory_request_mebibytes=sum(each.memory_request_mebibytes for each in wanted) + extra_memory_mebibytes,
        memory_limit_mebibytes=sum(each.memory_limit_mebibytes for each in wanted) + extra_memory_mebibytes,
        # One node without a limit makes a shared limit meaningless: it would throttle the others.
        cpu_limit_millicores=sum(stated) if len(stated) == len(limits) else None,
    )
