"""Monolithic: one image, one container, one process per node, started and watched by the bringup.

The whole application ships, starts, moves, updates and fails together. Messages stay inside one pod.
"""

from collections.abc import Sequence

from components.graph import Container, Node, Pod, Process
from components.patterns import Options

IMAGE_ROLE = "application-monolithic"


def place(nodes: Sequence[Node], options: Options) -> tuple[Pod, ...]:
    """All nodes in one container of one pod, each in a process of its own."""
    processes = tuple(Process(name=node.name, command=node.command, nodes=(node,)) for node in nodes)
    container = Container(name=options.application, image_role=IMAGE_ROLE, processes=processes)
    return (Pod(name=options.application, container=container),)
