"""The machines of a cluster as far as devices go: what each offers and how it is labelled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components import api_server
from components.api_server import ApiServer
from components.labels import STACK

NODES = "/api/v1/nodes"
RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
EXTENDED = re.compile(r"[^/]+/[^/]+")
"""Name of a resource that is not Kubernetes' own."""


@dataclass(frozen=True, kw_only=True)
class Taint:
    """What keeps pods away from a machine that do not tolerate it."""

    key: str
    effect: str
    value: str = ""

    def __str__(self) -> str:
        """Write it as kubectl does."""
        return f"{self.key}{'=' if self.value else ''}{self.value}:{self.effect}"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine as the scheduler sees it.

    Attributes:
        name: Its name.
        labels: Its labels.
        devices: How many devices of each resource its kubelet lets pods have.
        taints: What keeps pods away from it.
        unschedulable: Whether it is cordoned: no new pod goes there.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    devices: Mapping[str, int] = field(default_factory=dict[str, int])
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


def machines(api: ApiServer) -> tuple[Machine, ...]:
    """Every machine of a cluster.

    Raises:
        Refusal: The cluster does not answer, or the account may not list its machines.
    """
    return tuple(machine(node) for node in api_server.listed(api, NODES))


def machine(node: Mapping[str, Any]) -> Machine:
    """A machine from the object `Node` that the API server shows."""
    allocatable: Mapping[str, Any] = node.get("status", {}).get("allocatable") or {}
    metadata: Mapping[str, Any] = node["metadata"]
    spec: Mapping[str, Any] = node.get("spec") or {}
    taints: Sequence[Mapping[str, Any]] = spec.get("taints") or ()
    amounts = {name: str(amount) for name, amount in allocatable.items() if EXTENDED.fullmatch(name)}
    return Machine(
        name=str(metadata["name"]),
        labels=dict(metadata.get("labels") or {}),
        # Devices are whole; an amount in any other form is of no device plugin.
        devices={name: int(amount) for name, amount in amounts.items() if amount.isdigit()},
        taints=tuple(
            Taint(key=str(each["key"]), effect=str(each["effect"]), value=str(each.get("value") or ""))
            for each in taints
        ),
        unschedulable=bool(spec.get("unschedulable")),
    )


def runtime_classes(api: ApiServer) -> Mapping[str, str | None]:
    """Names of a cluster's RuntimeClasses, each with the stack that made it; none where it was no stack.

    Raises:
        Refusal: The cluster does not answer, or the account may not list them.
    """
    found = [each["metadata"] for each in api_server.listed(api, RUNTIME_CLASSES)]
    return {str(each["name"]): (each.get("labels") or {}).get(STACK) for each in found}
