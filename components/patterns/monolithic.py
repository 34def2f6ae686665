"""Monolithic: one image, one container, one process per node, started and watched by the bringup.

The whole application ships, starts, moves, updates and fails together. Messages stay inside one pod.
"""

from collections.abc import Sequence

from components.graph import Container, Node, Pod, Process, object_name
from components.patterns import Options, needed_application_image, needed_command


def place(nodes: Sequence[Node], options: Options) -> tuple[Pod, ...]:
    """All nodes in one container of one pod, each in a process of its own."""
    image = needed_application_image("monolithic", options.images, "monolithic", options.images.monolithic)
    processes = tuple(
        Process(name=node.name, command=needed_command("monolithic", node), nodes=(node,)) for node in nodes
    )
    name = object_name(options.application)
    return (Pod(name=name, container=Container(name=name, image=image, processes=processes)),)
