"""Microservices: one pod and one least image per node.

Each node ships, starts, moves, scales, updates and fails alone. Every message crosses the network between two pods.
"""

from collections.abc import Sequence

from components.graph import Container, Node, Pod, Process, object_name
from components.patterns import Options, needed_command, needed_image


def place(nodes: Sequence[Node], options: Options) -> tuple[Pod, ...]:
    """Every node in a pod of its own, as the only process of the only container."""
    del options  # the nodes alone say where they run
    return tuple(_alone(node) for node in nodes)


def _alone(node: Node) -> Pod:
    name = object_name(node.name)
    process = Process(name=node.name, command=needed_command("microservices", node), nodes=(node,))
    image = needed_image("microservices", node)
    return Pod(name=name, container=Container(name=name, image=image, processes=(process,)))
