"""What the runner needs from outside, as protocols: the effects at the edge, which tests replace.

`probes.target`, `probes.cluster` and `probes.store` hold the real ones.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from probes.cluster import Machine, Permission
from probes.console import Screen
from probes.phases import Sighting
from probes.spool import Spool
from probes.store import Store
from stacks.outputs import MachineReaderEndpoint, RecorderEndpoint, Records, StackOutputs

TargetState = Literal["parked", "running"]


class EngineInterrupted(Exception):  # noqa: N818 - an event, not a fault
    """The deployment engine was asked to stop and has stopped."""


class Target(Protocol):
    """The stacks of the project."""

    def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Check names, or give the selected stack."""
        ...

    def outputs(self, stack: str) -> StackOutputs:
        """Read the contract of a stack."""
        ...

    def switch(self, stack: str, state: TargetState) -> None:
        """Bring a stack to a state; blocks until the engine has ended."""
        ...

    def restore(self, stack: str) -> None:
        """Make what a parked stack should have and the cluster has no more; blocks until the engine has ended."""
        ...

    def preview(self, stack: str) -> str:
        """Say as JSON what bringing a stack to running would change; blocks until the engine has ended."""
        ...

    def overriding(self, files: tuple[Path, ...]) -> "Target":
        """Give the same stacks, with keys of their spec replaced by those of files."""
        ...

    def interrupt(self) -> None:
        """Stop a running `switch`; returns when the engine has ended."""
        ...


class Cluster(Protocol):
    """The cluster, through its API server."""

    @property
    def context(self) -> str:
        """Name of the kubeconfig context."""
        ...

    async def uid(self) -> str:
        """UID of the kube-system namespace."""
        ...

    async def pods(self, namespace: str | None, labels: Mapping[str, str] | str) -> list[dict[str, Any]]:
        """List pods by labels."""
        ...

    async def machines(self) -> list[Machine]:
        """List the machines."""
        ...

    async def images(self) -> frozenset[str]:
        """Give the references of images that at least one machine holds."""
        ...

    async def events(self, namespace: str) -> list[dict[str, Any]]:
        """List the events of a namespace."""
        ...

    async def denied(self, permissions: tuple[Permission, ...]) -> list[Permission]:
        """Give the permissions that are refused."""
        ...

    def watch_pods(
        self, namespace: str, labels: Mapping[str, str], established: asyncio.Event
    ) -> AsyncGenerator[Sighting]:
        """Watch pods for ever."""
        ...

    async def claims(self, namespace: str) -> dict[str, dict[str, str]]:
        """Give the claims of storage in a namespace: labels by name."""
        ...

    async def delete_claim(self, namespace: str, name: str) -> None:
        """Delete a claim of storage."""
        ...

    async def recommendations(self, namespace: str) -> list[dict[str, Any]]:
        """List the VerticalPodAutoscaler objects of a namespace."""
        ...

    def machine_readers(self, endpoint: MachineReaderEndpoint) -> AbstractAsyncContextManager[dict[str, str]]:
        """Forward a local port to every ready machine reader; gives the base addresses by machine."""
        ...

    def recorder(self, endpoint: RecorderEndpoint) -> AbstractAsyncContextManager[str]:
        """Forward a local port to the recorder; gives the base address."""
        ...


@dataclass(frozen=True)
class World:
    """Everything outside that a run touches."""

    target: Target
    connect: Callable[[], AbstractAsyncContextManager[Cluster]]
    spool: Spool
    open_store: Callable[[str | None, Records], Store]
    screen: Screen
