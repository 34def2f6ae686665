"""Value types of an application and its placement, and the reference application as data.

An application is a graph of nodes and topics. A pattern places the nodes into processes, containers and pods;
nothing here knows Kubernetes or Pulumi, so a placement can be tested as a value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Scalar = bool | int | float | str


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


@dataclass(frozen=True, kw_only=True)
class Node:
    """One ROS 2 node: how it is started, what it talks on, what it needs."""

    name: str
    command: tuple[str, ...]
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]
    resources: Resources
    parameters: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])


@dataclass(frozen=True, kw_only=True)
class Application:
    """A graph of nodes, and the topics on which it is measured.

    Raises:
        ValueError: Two nodes have one name, or a node names a topic that the graph does not have.
    """

    name: str
    nodes: tuple[Node, ...]
    topics: tuple[Topic, ...]
    measured: tuple[str, ...]
    result: str

    def __post_init__(self) -> None:
        """Refuse a graph that could not run."""
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ValueError(f"application {self.name}: two nodes have the same name: {', '.join(names)}")
        known = {topic.name for topic in self.topics}
        used = {name for node in self.nodes for name in (*node.publishes, *node.subscribes)}
        if missing := (used | set(self.measured) | {self.result}) - known:
            raise ValueError(f"application {self.name}: topics without a definition: {', '.join(sorted(missing))}")

    def measured_topics(self) -> tuple[Topic, ...]:
        """Topics that the recorder listens to, in the graph's order."""
        return tuple(topic for topic in self.topics if topic.name in self.measured)


@dataclass(frozen=True, kw_only=True)
class Process:
    """One operating system process and the nodes in it."""

    name: str
    command: tuple[str, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Container:
    """Processes that share one image. With more than one, a bringup starts and watches them."""

    name: str
    image_role: str
    processes: tuple[Process, ...]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One ROS container with a network identity; a second one would share its ports and shared memory."""

    name: str
    container: Container
    replicas: int = 1

    def nodes(self) -> tuple[Node, ...]:
        """Every node in the pod, in start order."""
        return tuple(node for process in self.container.processes for node in process.nodes)


@dataclass(frozen=True, kw_only=True)
class Load:
    """How hard the reference application is driven; equal for every pattern that is to be compared.

    Defaults live in `stacks.spec`; the meaning of each value is the node parameter of the same name.
    """

    rate_hz: float
    width_px: int
    height_px: int
    source: str
    seed: int
    burst: int
    detector_input_width_px: int
    detector_input_height_px: int
    detector_score_threshold: float
    detector_threads: int
    detector_repeat: int
    trigger_period_s: float
    reader_threads: int
    reader_max_boxes: int


INTERFACES = "ros2bench_interfaces/msg"
FRAMES, DETECTIONS, READINGS, RESULTS = "/frames", "/detections", "/readings", "/results"


def perception(load: Load) -> Application:
    """Reference application: camera → detector → monitor, camera + detector → reader → monitor.

    The processor requests add up to 400 millicores, so that it fits a machine with one allocatable processor.

    Args:
        load: Rate, picture size and work per frame.
    """
    camera = Node(
        name="camera",
        command=("ros2bench-node", "camera"),
        publishes=(FRAMES,),
        subscribes=(),
        parameters={
            "rate_hz": float(load.rate_hz),
            "width_px": load.width_px,
            "height_px": load.height_px,
            "source": load.source,
            "seed": load.seed,
            "burst": load.burst,
        },
        resources=Resources(cpu_request_millicores=50, memory_request_mebibytes=128, memory_limit_mebibytes=512),
    )
    detector = Node(
        name="detector",
        command=("ros2bench-node", "detector"),
        publishes=(DETECTIONS,),
        subscribes=(FRAMES,),
        parameters={
            "input_width_px": load.detector_input_width_px,
            "input_height_px": load.detector_input_height_px,
            "score_threshold": float(load.detector_score_threshold),
            "threads": load.detector_threads,
            "repeat": load.detector_repeat,
        },
        resources=Resources(cpu_request_millicores=200, memory_request_mebibytes=192, memory_limit_mebibytes=768),
    )
    reader = Node(
        name="reader",
        command=("ros2bench-node", "reader"),
        publishes=(READINGS,),
        subscribes=(FRAMES, DETECTIONS),
        parameters={
            "trigger_period_s": float(load.trigger_period_s),
            "threads": load.reader_threads,
            "max_boxes": load.reader_max_boxes,
        },
        resources=Resources(cpu_request_millicores=100, memory_request_mebibytes=192, memory_limit_mebibytes=768),
    )
    monitor = Node(
        name="monitor",
        command=("ros2bench-node", "monitor"),
        publishes=(RESULTS,),
        subscribes=(DETECTIONS, READINGS),
        resources=Resources(cpu_request_millicores=50, memory_request_mebibytes=96, memory_limit_mebibytes=256),
    )
    return Application(
        name="perception",
        nodes=(camera, detector, reader, monitor),
        topics=(
            _topic(FRAMES, "Frame", "best_effort", depth=10, rate_hz=load.rate_hz),
            _topic(DETECTIONS, "Detections", "reliable", depth=10, rate_hz=load.rate_hz),
            _topic(READINGS, "Reading", "reliable", depth=10, rate_hz=None),
            _topic(RESULTS, "Result", "reliable", depth=10, rate_hz=load.rate_hz),
        ),
        measured=(RESULTS,),
        result=RESULTS,
    )


def _topic(
    name: str,
    message: str,
    reliability: Literal["reliable", "best_effort"],
    *,
    depth: int,
    rate_hz: float | None,
) -> Topic:
    return Topic(
        name=name,
        type=f"{INTERFACES}/{message}",
        reliability=reliability,
        depth=depth,
        stamp="ros2bench",
        expected_rate_hz=rate_hz,
    )


APPLICATIONS: Mapping[str, Callable[[Load], Application]] = {"perception": perception}


def placed_nodes(pods: Sequence[Pod]) -> tuple[str, ...]:
    """Names of the nodes in every pod, in order, so that a placement can be checked against its graph."""
    return tuple(node.name for pod in pods for node in pod.nodes())
