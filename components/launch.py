"""How the processes of a pod are started: commands, health ports, and the files that say so. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import yaml

from components.graph import ComponentContainer, Container, ExecutorKind, Node, Process
from components.participant import CONFIGURATION_DIRECTORY

BRINGUP_FILE = "bringup.json"
COMPOSITION_FILE = "composition.json"
LAUNCH_FILE = "composition.launch.xml"
PARAMETERS_FILE = "parameters.yaml"
CPP_CONTAINERS: Mapping[ExecutorKind, str] = {
    "single": "component_container",
    "multi": "component_container_mt",
    "isolated": "component_container_isolated",
}
COMPONENT_MANIFEST = "/opt/ros2bench/components/manifest.json"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a component container believes: the operator's key, and that key's signature of the image's manifest.

    `sros2`: the services are guarded by SROS 2, so that standard clients may call them.
    """

    public_key: str
    signature: str
    sros2: bool = False


@dataclass(frozen=True, kw_only=True)
class ComponentLimits:
    """What a component container may be made to do at run time."""

    components: int = 16
    loads_per_minute: int = 30
    load_timeout_s: int = 60


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Settings of a component container that are no part of the placement."""

    trust: Trust
    limits: ComponentLimits = field(default_factory=ComponentLimits)


def loads_python(placed: Container) -> bool:
    """Whether our own component container runs, which serves health and checks signatures."""
    return placed.component_container is not None and placed.component_container.language == "python"


def starts_bringup(placed: Container) -> bool:
    """Whether several processes need somebody who starts and watches them."""
    return placed.component_container is None and len(placed.processes) > 1


def container_command(placed: Container) -> tuple[str, ...]:
    """Command of the container: a component container, a bringup, or the one process itself."""
    if loads_python(placed):
        return ("ros2bench-component-container", f"{CONFIGURATION_DIRECTORY}/{COMPOSITION_FILE}")
    if placed.component_container is not None:
        return ("ros2", "launch", f"{CONFIGURATION_DIRECTORY}/{LAUNCH_FILE}")
    if starts_bringup(placed):
        return ("ros2bench-bringup", f"{CONFIGURATION_DIRECTORY}/{BRINGUP_FILE}")
    return process_command(placed.processes[0])


def process_command(process: Process) -> tuple[str, ...]:
    """Command of a process with the arguments that its version of ROS understands."""
    if not all(node.ros_arguments for node in process.nodes):
        return process.command
    if any(node.ros_version == 1 for node in process.nodes):
        return (*process.command, *(word for node in process.nodes for word in _ros1_arguments(node)))
    rename = ("-r", f"__node:={process.nodes[0].name}") if len(process.nodes) == 1 else ()
    parameters = ("--params-file", f"{CONFIGURATION_DIRECTORY}/{PARAMETERS_FILE}")
    return (*process.command, "--ros-args", *rename, *parameters)


def health_ports(placed: Container, base_port: int) -> dict[str, int]:
    """Health port of each process; 0 where its node serves no heartbeat or the component container serves it.

    Args:
        placed: The container.
        base_port: Its own port, on which it answers for everything in it.
    """
    if placed.component_container is not None:
        return {process.name: 0 for process in placed.processes}
    if not starts_bringup(placed):
        return {process.name: base_port if _has_heartbeat(process) else 0 for process in placed.processes}
    return {
        process.name: base_port + number if _has_heartbeat(process) else 0
        for number, process in enumerate(placed.processes, start=1)
    }


def served_ports(placed: Container, base_port: int) -> tuple[int, ...]:
    """Every port on which something in the container answers health probes."""
    own = (base_port,) if loads_python(placed) or starts_bringup(placed) else ()
    return tuple(sorted({*own, *(port for port in health_ports(placed, base_port).values() if port)}))


def files(
    placed: Container, *, base_port: int, memory_mebibytes: int = 0, composition: Composition | None = None
) -> dict[str, str]:
    """Files that the processes of a container read, by name.

    Args:
        placed: The container.
        base_port: Its health port.
        memory_mebibytes: Memory that its nodes may have together.
        composition: Settings of the component container, where it is one.

    Raises:
        ValueError: A component container without its settings.
    """
    loader = placed.component_container
    if loader is not None and loads_python(placed):
        if composition is None:
            raise ValueError(f"container {placed.name} loads components but has no composition settings")
        plan = composition_plan(placed, loader, composition, base_port, memory_mebibytes)
        return {COMPOSITION_FILE: _json(plan)}
    found = {PARAMETERS_FILE: yaml.safe_dump(parameters(placed, base_port), sort_keys=True)}
    if starts_bringup(placed):
        found[BRINGUP_FILE] = _json(bringup_plan(placed, base_port))
    if loader is not None:
        found[LAUNCH_FILE] = launch_file(placed, loader)
    return found


def parameters(placed: Container, base_port: int) -> dict[str, Any]:
    """Contents of parameters.yaml. Only the first node of a process serves its health: one process has one port."""
    ports = health_ports(placed, base_port)
    return {
        node.name: {"ros__parameters": node_parameters(node) | _health(node, ports[process.name], position)}
        for process in placed.processes
        for position, node in enumerate(process.nodes)
    }


def node_parameters(node: Node) -> dict[str, Any]:
    """Parameters of a node as YAML and JSON hold them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in node.parameters.items()}


def bringup_plan(placed: Container, base_port: int) -> dict[str, Any]:
    """What the bringup starts, in order, and where each process says how it is."""
    ports = health_ports(placed, base_port)
    return {
        "contract": 1,
        "port": base_port,
        "processes": [
            {
                "name": process.name,
                "command": list(process_command(process)),
                "environment": {name: text for node in process.nodes for name, text in node.needs.environment.items()},
                "port": ports[process.name],
            }
            for process in placed.processes
        ],
    }


def composition_plan(
    placed: Container,
    loader: ComponentContainer,
    composition: Composition,
    base_port: int,
    memory_mebibytes: int,
) -> dict[str, Any]:
    """What the component container loads at its start, whom it trusts, and what it refuses."""
    trust: dict[str, Any] = {
        "manifest": COMPONENT_MANIFEST,
        "public_key": composition.trust.public_key,
        "signature": composition.trust.signature,
    }
    if composition.trust.sros2:
        trust["sros2"] = True
    return {
        "contract": 1,
        "port": base_port,
        "container": loader.name,
        "process": loader.process,
        "executor": loader.executor,
        "trust": trust,
        "limits": asdict(composition.limits) | {"memory_mebibytes": memory_mebibytes},
        "components": [
            _component(node) for process in placed.processes for node in process.nodes if node.component is not None
        ],
    }


def launch_file(placed: Container, loader: ComponentContainer) -> str:
    """Launch file that starts the distribution's component containers and loads what belongs into each.

    Args:
        placed: The container; each of its processes becomes one component container.
        loader: How they run.
    """
    root = ET.Element("launch")
    for number, process in enumerate(placed.processes):
        name = loader.name if len(placed.processes) == 1 else f"{loader.name}_{number}"
        container = ET.SubElement(
            root,
            "node_container",
            {"pkg": "rclcpp_components", "exec": CPP_CONTAINERS[loader.executor], "name": name, "namespace": "/"},
        )
        for node in process.nodes:
            plugin = {"pkg": _component(node)["package"], "plugin": _component(node)["plugin"], "name": node.name}
            loaded = ET.SubElement(container, "composable_node", plugin)
            ET.SubElement(loaded, "param", {"from": f"{CONFIGURATION_DIRECTORY}/{PARAMETERS_FILE}"})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _component(node: Node) -> dict[str, Any]:
    if node.component is None:
        raise ValueError(f"node {node.name} has no component")
    return {
        "node": node.name,
        "package": node.component.package,
        "plugin": node.component.plugin,
        "parameters": node_parameters(node),
    }


def _health(node: Node, port: int, position: int) -> dict[str, Any]:
    """The parameter that only our kind of node has."""
    if node.needs.readiness.kind != "heartbeat":
        return {}
    return {"health_port": port if position == 0 else 0}


def _has_heartbeat(process: Process) -> bool:
    return process.nodes[0].needs.readiness.kind == "heartbeat"


def _ros1_arguments(node: Node) -> tuple[str, ...]:
    return (f"__name:={node.name}", *(f"_{name}:={json.dumps(value)}" for name, value in node_parameters(node).items()))


def _json(plan: Mapping[str, Any]) -> str:
    return json.dumps(plan, indent=1) + "\n"
