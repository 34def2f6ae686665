"""Deployment patterns: one file each, found by name. This folder is the registry.

A pattern is a module whose docstring defines it and whose function `place` says which node runs where. It
renders no Kubernetes: `components.workload` does that for every pattern. A new pattern is one new file here.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from components.graph import Application, Component, ExecutorKind, Images, Node, Pod, ProcessKind, placed_nodes
from components.refusal import Refusal, choices

NODES = "ros2bench:spec.application.nodes"
IMAGES = "ros2bench:spec.application.images"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a pattern may know beside the nodes.

    `process` and `executor` say how a component container runs what it loads.
    """

    application: str
    images: Images = field(default_factory=Images)
    process: ProcessKind = "per-component"
    executor: ExecutorKind = "single"


class Pattern(Protocol):
    """A placement of nodes into processes, containers and pods."""

    def place(self, nodes: Sequence[Node], options: Options) -> tuple[Pod, ...]:
        """Place every node exactly once; pure, so that it can be tested and compared as a value."""
        ...


def names() -> tuple[str, ...]:
    """Every pattern in this folder, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> Pattern:
    """Pattern of that name.

    Raises:
        Refusal: There is no such pattern; the message lists those that exist.
    """
    if name not in names():
        raise Refusal(f"pattern {name!r} does not exist. {choices(name, names())}")
    return cast("Pattern", importlib.import_module(f"{__name__}.{name}"))


def placement(pattern: str, application: Application, options: Options | None = None) -> tuple[Pod, ...]:
    """Pods in which a pattern places an application.

    Raises:
        Refusal: There is no such pattern, or the application lacks something that it needs.
        ValueError: The pattern forgot a node or placed one twice; that is a fault of the pattern.
    """
    known = options or Options(application=application.name, images=application.images)
    pods = load(pattern).place(application.nodes, known)
    wanted = sorted(node.name for node in application.nodes)
    if sorted(placed_nodes(pods)) != wanted:
        raise ValueError(f"pattern {pattern} placed {sorted(placed_nodes(pods))}, the graph has {wanted}")
    return pods


def needed_command(pattern: str, node: Node) -> tuple[str, ...]:
    """Command that starts a node as a process.

    Raises:
        Refusal: The node has none.
    """
    if not node.command:
        raise Refusal(
            f"pattern {pattern}: node {node.name} has no executable, so it cannot be a process of its own. Write "
            f"{NODES}.{node.name}.executable, for example [ros2, run, my_package, {node.name}], or choose "
            "pattern: composition"
        )
    return node.command


def needed_component(pattern: str, node: Node) -> Component:
    """Class of a node that a component container can load.

    Raises:
        Refusal: The node has none.
    """
    if node.component is None:
        raise Refusal(
            f"pattern {pattern}: node {node.name} has no component, so no component container can load it. Write "
            f"{NODES}.{node.name}.component with package and plugin, for example package: my_package, plugin: "
            f"my_package.{node.name}.{node.name.title().replace('_', '')}, or choose pattern: microservices"
        )
    return node.component


def needed_image(pattern: str, node: Node) -> str:
    """Image of one node alone.

    Raises:
        Refusal: The node has none.
    """
    if node.image is None:
        raise Refusal(
            f"pattern {pattern}: node {node.name} has no image of its own. Write {NODES}.{node.name}.image: a role of "
            "the image lock or a reference by digest; several nodes may name the same"
        )
    return node.image


def needed_application_image(pattern: str, images: Images, key: str, value: str | None) -> str:
    """Image that holds every node of the application.

    Args:
        pattern: Who needs it.
        images: What the application has.
        key: Where the stack file says it.
        value: What it says.

    Raises:
        Refusal: The application has none.
    """
    if value is None:
        known = [name for name in (images.monolithic, images.composition, images.overlay_base) if name]
        also = f" The application has {', '.join(known)}." if known else ""
        raise Refusal(
            f"pattern {pattern}: the application has no image {key}.{also} Write {IMAGES}.{key}: a role of the image "
            "lock or a reference by digest"
        )
    return value
