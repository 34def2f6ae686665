"""Deployment patterns: one file each, found by name. This folder is the registry.

A pattern is a module whose docstring defines it and whose function `place` says which node runs where. It
renders no Kubernetes: `components.workload` does that for every pattern. A new pattern is one new file here.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from components.graph import Application, Node, Pod, placed_nodes
from components.refusal import Refusal, choices


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a pattern may know beside the nodes."""

    application: str


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


def placement(pattern: str, application: Application) -> tuple[Pod, ...]:
    """Pods in which a pattern places an application.

    Raises:
        Refusal: There is no such pattern.
        ValueError: The pattern forgot a node or placed one twice; that is a fault of the pattern.
    """
    pods = load(pattern).place(application.nodes, Options(application=application.name))
    wanted = sorted(node.name for node in application.nodes)
    if sorted(placed_nodes(pods)) != wanted:
        raise ValueError(f"pattern {pattern} placed {sorted(placed_nodes(pods))}, the graph has {wanted}")
    return pods
