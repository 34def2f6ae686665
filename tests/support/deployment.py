"""Run a Pulumi program without an engine and look at what it registered.

Asserts belong on the recorded list, never inside `apply`, where they may not run at all.
"""

import asyncio
import atexit
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

import pulumi
import pulumi.runtime
from pulumi.runtime import mocks
from pulumi.runtime.proto import source_pb2

CLUSTER_UID = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Registered:
    """One resource as the engine would have received it."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    provider: str

    def __lt__(self, other: "Registered") -> bool:
        """Order by type and name: independent resources are registered in no particular order."""
        return (self.type, self.name) < (other.type, other.name)

    @property
    def kind(self) -> str:
        """Kubernetes kind, or the last part of a component's type."""
        return self.type.rpartition(":")[2]


@dataclass
class Deployment:
    """Everything that a program registered, and the value that it returned."""

    resources: list[Registered] = field(default_factory=list[Registered])
    urns: list[str] = field(default_factory=list[str])
    value: Any = None

    def of(self, kind: str) -> list[Registered]:
        """Resources of a kind, in the order of registration."""
        return [resource for resource in self.resources if resource.kind == kind]

    def one(self, kind: str, name: str) -> Registered:
        """The resource of a kind and logical name."""
        (found,) = [resource for resource in self.of(kind) if resource.name == name]
        return found


class _Recorder(mocks.Mocks):
    """Records what is registered and invents what a cluster would add."""

    def __init__(self, deployment: Deployment, status: Mapping[str, int] | None) -> None:
        self._deployment = deployment
        self._status = status

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs: dict[str, Any] = dict(args.inputs)
        if not args.resource_id:
            self._deployment.resources.append(Registered(args.typ, args.name, inputs, args.provider or ""))
        metadata = {"name": f"{args.name}-1a2b3c4d", "uid": CLUSTER_UID} | dict(inputs.get("metadata") or {})
        found = inputs | {"metadata": metadata}
        if args.typ == "kubernetes:apps/v1:Deployment":
            spec = {"replicas": 1} | dict(inputs["spec"])
            ready = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), spec["replicas"])
            status = {"observedGeneration": 1} | ready if self._status is None else dict(self._status)
            found |= {"metadata": metadata | {"generation": 1}, "spec": spec, "status": status}
        return args.resource_id or f"{args.name}-id", found

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program called {args.token}, which needs a real engine")


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """One loop for all deployments: Pulumi takes the thread's own, and other tests' asyncio.run() removes it."""
    loops = [asyncio.new_event_loop()]

    def own_loop() -> None:
        """Pulumi registers resources in threads, and would leave each with a loop that nobody closes."""
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    def end() -> None:
        pool.shutdown()
        for loop in loops:
            loop.close()

    pool = ThreadPoolExecutor(initializer=own_loop)
    loops[0].set_default_executor(pool)
    atexit.register(end)
    return loops[0]


def deploy(
    program: Callable[[], object], *, status: Mapping[str, int] | None = None, preview: bool = False
) -> Deployment:
    """Run a program under recording mocks.

    Args:
        program: Registers resources; what it returns is resolved and kept, if it is an output.
        status: What the provider says of every Deployment; None: that all its pods are ready.
        preview: Whether nothing is deployed.
    """
    deployment = Deployment()
    asyncio.set_event_loop(event_loop())
    recorder = _Recorder(deployment, status)
    monitor = mocks.MockMonitor(recorder)
    mocks.set_mocks(recorder, monitor=monitor, project="ros2bench", stack="test", preview=preview)

    @pulumi.runtime.test
    def run() -> pulumi.Output[None]:
        return pulumi.Output.from_input(program()).apply(lambda value: setattr(deployment, "value", value))

    # The engine shows where a resource was made; no test reads it, and it would be a quarter of the time.
    with patch("pulumi.runtime.resource._get_stack_trace", source_pb2.StackTrace):
        run()
    deployment.urns.extend(monitor.resources)
    return deployment
