"""Fields of messages as metrics: what is decided before anything is deployed, and what the recorder is told."""

from collections.abc import Mapping, Sequence
from typing import Any

from components import graph
from components.refusal import Refusal
from stacks.spec_metrics import PRESET_TYPES, MetricMapping, contradictions

WHERE = "ros2bench:spec.application.metrics"
RECORDER_ROLE = "recorder"
WHEELS = "wheels"
RECORDER_PACKAGES = frozenset(
    {
        "action_msgs",
        "builtin_interfaces",
        "composition_interfaces",
        "diagnostic_msgs",
        "geometry_msgs",
        "lifecycle_msgs",
        "nav_msgs",
        "rcl_interfaces",
        "ros2bench_interfaces",
        "rosgraph_msgs",
        "sensor_msgs",
        "service_msgs",
        "statistics_msgs",
        "std_msgs",
        "trajectory_msgs",
        "type_description_interfaces",
        "unique_identifier_msgs",
        "visualization_msgs",
    }
)
"""Message packages of the recorder's own image, flavour `wheels`; official bases have more."""


def mapped(mappings: Sequence[MetricMapping], deployed: graph.Application) -> tuple[Mapping[str, Any], ...]:
    """Mappings as recorder.json has them: word for word, and with the type of the topic where the file leaves it out.

    Args:
        mappings: The section of the stack file.
        deployed: The graph, which knows the types of its topics.

    Raises:
        Refusal: They contradict the graph or one another.
    """
    if mappings and deployed.master:
        raise Refusal(f"{WHERE}: the recorder is of ROS 2 and hears nothing of ROS 1. Take the section out")
    for sentence in contradictions(mappings):
        raise Refusal(f"{WHERE}: {sentence}")
    types = {topic.name: topic.type for topic in deployed.topics}
    durable: dict[str, graph.Durability] = {topic.name: topic.durability for topic in deployed.topics}
    found: list[Mapping[str, Any]] = []
    for number, mapping in enumerate(mappings):
        kind = _type_of(f"{WHERE}[{number}].type", mapping, types)
        types[mapping.topic] = kind
        durability = _durability_of(f"{WHERE}[{number}].durability", mapping, durable)
        durable[mapping.topic] = durability
        kept = {} if durability == "volatile" else {"durability": durability}
        found.append(
            mapping.model_dump(by_alias=True, exclude={"durability"}, exclude_unset=True) | {"type": kind} | kept
        )
    return tuple(found)


def check_image(mappings: Sequence[Mapping[str, Any]], recorder_image: str, flavour: str | None) -> None:
    """Refuse message types that the recorder is known not to hold.

    Args:
        mappings: What the recorder is told.
        recorder_image: Role of the image lock, or reference by digest of somebody's own, of which nothing is known.
        flavour: Base of the images of the lock; none where it is unknown.

    Raises:
        Refusal: With the package that is missing, and where it belongs.
    """
    if recorder_image != RECORDER_ROLE or flavour != WHEELS:
        return
    for number, mapping in enumerate(mappings):
        package = str(mapping["type"]).partition("/")[0]
        if package not in RECORDER_PACKAGES:
            raise Refusal(
                f"{WHERE}[{number}]: the topic {mapping['topic']} has the type {mapping['type']}, which the image "
                f"{RECORDER_ROLE} does not hold. Build one with the package {package} and name it in "
                "application.images.recorder; docs/bring-your-own-application.md, What the recorder can hear, says how"
            )


def expected_nodes(deployed: graph.Application) -> tuple[str, ...]:
    """Names that must be in the ROS graph while the application runs: of those nodes that are started under them."""
    return tuple(node.name for node in deployed.nodes if node.ros_version == 2 and node.ros_arguments)


def _type_of(where: str, mapping: MetricMapping, types: Mapping[str, str]) -> str:
    known = types.get(mapping.topic)
    if mapping.type is not None:
        if known not in (None, mapping.type):
            raise Refusal(
                f"{where}: is {mapping.type}, but {mapping.topic} is known as {known}. Leave type out, or correct the "
                "type in ros2bench:spec.application.topics"
            )
        return mapping.type
    if known is not None:
        return known
    if mapping.preset is None or mapping.fields is not None:
        raise Refusal(
            f"{where}: nobody says which type {mapping.topic} has. Write it, for example my_package/msg/State"
        )
    return PRESET_TYPES[mapping.preset]


def _durability_of(where: str, mapping: MetricMapping, known: Mapping[str, graph.Durability]) -> graph.Durability:
    there = known.get(mapping.topic)
    if mapping.durability is not None and there not in (None, mapping.durability):
        raise Refusal(
            f"{where}: is {mapping.durability}, but {mapping.topic} is known as {there}. Leave durability out, or "
            "correct it where the topic is named before (ros2bench:spec.application.topics, or another mapping of it)"
        )
    return mapping.durability or there or "volatile"
