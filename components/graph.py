"""Value types of an application and its placement.

An application is a graph of nodes and topics. A pattern places the nodes into processes, containers and pods;
nothing here knows Kubernetes or Pulumi, so a placement can be tested as a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from components.needs import Needs

Scalar = bool | int | float | str
Parameter = Scalar | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
ProcessKind = Literal["per-component", "shared"]
Language = Literal["python", "cpp"]
Durability = Literal["volatile", "transient_local"]
"""Whether a publisher keeps what it has sent for those who come later."""
ExecutorKind = Literal["single", "multi", "isolated"]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a node asks of a machine. No CPU limit means that the node is never throttled."""

    cpu_request_millicores: int
    memory_request_mebibytes: int
    memory_limit_mebibytes: int
    cpu_limit_millicores: int | None = None


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic with the quality of service that its publisher and subscribers use.

    `stamp` tells a reader of the raw message what comes first: our stamp, a std_msgs/Header, or neither.
    """

    name: str
    type: str
    reliability: Literal["reliable", "best_effort"]
    depth: int
    stamp: Literal["ros2bench", "header", "none"]
    expected_rate_hz: float | None = None
    durability: Durability = "volatile"


@dataclass(frozen=True, kw_only=True)
class Component:
    """A node as a class that a component container loads: the ingredient of composition."""

    package: str
    plugin: str
    language: Language = "python"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One ROS node: how it is started, what it talks on, what it needs.

    `command` starts it as a process, `component` is its class, `image` the least image that holds it; a pattern
    that needs one of them and does not find it refuses the node. An image is a role of the image lock or a
    reference by digest. `ros_arguments` is off for a program that does not understand `--ros-args`.
    """

    name: str
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]
    resources: Resources
    command: tuple[str, ...] = ()
    component: Component | None = None
    image: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    needs: Needs = field(default_factory=Needs)
    ros_version: Literal[1, 2] = 2
    ros_arguments: bool = True


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A workspace that is mounted over a base image: nothing but an install space.

    `carrier` is the image that can copy the same install space from its folder /overlay, for a cluster that cannot
    mount an image.
    """

    name: str
    image: str
    carrier: str | None = None


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images of the whole application, by the pattern that needs them; roles of the lock, or references by digest."""

    monolithic: str | None = None
    composition: str | None = None
    overlay_base: str | None = None
    overlays: tuple[Overlay, ...] = ()
    recorder: str = "recorder"


@dataclass(frozen=True, kw_only=True)
class Application:
    """A graph of nodes, the images that hold them, and the topics on which it is measured.

    `result` is the topic on which latency and losses are reported; `master`: its nodes are of ROS 1 and need one.

    Raises:
        ValueError: Two nodes have one name, or a node names a topic that the graph does not have.
    """

    name: str
    nodes: tuple[Node, ...]
    topics: tuple[Topic, ...]
    measured: tuple[str, ...]
    result: str | None
    images: Images = field(default_factory=Images)
    master: bool = False

    def __post_init__(self) -> None:
        """Refuse a graph that could not run."""
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ValueError(f"application {self.name}: two nodes have the same name: {', '.join(names)}")
        known = {topic.name for topic in self.topics}
        used = {name for node in self.nodes for name in (*node.publishes, *node.subscribes)}
        result = {self.result} if self.result else set[str]()
        if missing := (used | set(self.measured) | result) - known:
            raise ValueError(f"application {self.name}: topics without a definition: {', '.join(sorted(missing))}")

    def measured_topics(self) -> tuple[Topic, ...]:
        """Topics that the recorder listens to, in the graph's order."""
        return tuple(topic for topic in self.topics if topic.name in self.measured)


@dataclass(frozen=True, kw_only=True)
class Process:
    """One operating system process and the nodes in it; no command of its own where a component container loads it."""

    name: str
    nodes: tuple[Node, ...]
    command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ComponentContainer:
    """The program that loads nodes as components: its ROS name, and how it runs them.

    Python is loaded by our own container, which checks signatures; C++ by that of the ROS distribution.
    """

    name: str
    process: ProcessKind
    executor: ExecutorKind
    language: Language = "python"


@dataclass(frozen=True, kw_only=True)
class Container:
    """Processes that share one image, and the overlays mounted over it from the base upwards.

    A component container loads the nodes where there is one; else a bringup starts and watches several processes.
    """

    name: str
    image: str
    processes: tuple[Process, ...]
    overlays: tuple[Overlay, ...] = ()
    component_container: ComponentContainer | None = None


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One ROS container with a network identity; a second one would share its ports and shared memory."""

    name: str
    container: Container

    def nodes(self) -> tuple[Node, ...]:
        """Every node in the pod, in start order."""
        return tuple(node for process in self.container.processes for node in process.nodes)


def object_name(name: str) -> str:
    """Name of a ROS node as Kubernetes allows it: `left_camera` becomes `left-camera`."""
    return name.lower().replace("_", "-").strip("-")


def placed_nodes(pods: Sequence[Pod]) -> tuple[str, ...]:
    """Names of the nodes in every pod, in order, so that a placement can be checked against its graph."""
    return tuple(node.name for pod in pods for node in pod.nodes())
