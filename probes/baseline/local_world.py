"""Target and cluster of a run without either: the runner measures the local processes as if they were one pod."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx

from probes.baseline.containers import NAME, ContainerPlan
from probes.baseline.engine import Engine
from probes.baseline.groups import Group
from probes.cluster import Machine, Permission
from probes.deploy import application_of
from probes.errors import UsageError
from probes.phases import Sighting
from probes.provenance import boot_id, operator_facts
from probes.signed_http import forwarded_client
from probes.world import Target, TargetState
from stacks.outputs import MachineReaderEndpoint, RecorderEndpoint, StackOutputs

POLL_S = 0.02
HEALTH_TIMEOUT_S = 2.0
APPLICATION_LABELS: Mapping[str, str] = {"ros2bench/stack": NAME, "app.kubernetes.io/component": "application"}
ENDED = "CrashLoopBackOff"
"""A program that ended by itself is what a crashed container is to Kubernetes."""


def baseline_outputs(described: StackOutputs, recorder_port: int) -> StackOutputs:
    """Give the contract of the baseline: that of the stack, on no cluster and in no pattern.

    Args:
        described: What the stack would export.
        recorder_port: Port of the recorder.
    """
    application = described.application
    return described.model_copy(
        update={
            "stack": NAME,
            "namespace": NAME,
            "pattern": NAME,
            "cluster_uid": "none",
            "platform": None,
            "machine_readers": None,
            "network": described.network
            and described.network.model_copy(update={"mode": "loopback", "discovery": "multicast", "policies": False}),
            "application": application and application.model_copy(update={"labels": dict(APPLICATION_LABELS)}),
            "recorder": RecorderEndpoint(namespace=NAME, labels={}, port=recorder_port),
        }
    )


@dataclass(frozen=True)
class Start:
    """A start of the application.

    Attributes:
        at_ns: When it was asked for.
        group: Its control group; none where it has none of its own.
    """

    at_ns: int
    group: Group | None


class LocalTarget:
    """Starts and ends the application's container; the others run all the time.

    Args:
        engine: What runs it.
        application: Its container.
        outputs: Contract of the baseline.
        platform: Contract of the platform whose machine reader runs beside it.
    """

    def __init__(
        self, engine: Engine, application: ContainerPlan, outputs: StackOutputs, platform: StackOutputs | None = None
    ) -> None:
        self._engine = engine
        self._application = application
        self._outputs = outputs
        self._platform = platform
        self.started: Start | None = None

    def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Nobody names another than these two."""
        return names

    def outputs(self, stack: str) -> StackOutputs:
        """Give the contract of the baseline, or that of the platform by its name."""
        return self._platform if self._platform and self._platform.stack == stack else self._outputs

    def switch(self, stack: str, state: TargetState) -> None:
        """Start or end the application; returns when it has been started, or has ended."""
        _ = stack
        if state == "parked":
            self._engine.stop(self._application.name)
            self.started = None
        elif self.started is None:
            at_ns = time.time_ns()
            self.started = Start(at_ns, self._engine.start(self._application))

    def restore(self, stack: str) -> None:
        """Nothing of a parked baseline can get lost."""
        _ = stack

    def preview(self, stack: str) -> str:
        """No engine could say what would change."""
        _ = stack
        refuse_update()

    def overriding(self, files: tuple[Path, ...]) -> Target:
        """No stack could be deployed otherwise."""
        _ = files
        refuse_update()

    def interrupt(self) -> None:
        """A start is over before it could be interrupted."""


def refuse_update() -> NoReturn:
    """Say that an update needs a cluster."""
    raise UsageError("The baseline has no update cycle.", next_step="python -m probes.baseline --cycles install")


class LocalCluster:
    """The one machine, and the application's processes as its one pod."""

    context = NAME

    def __init__(
        self, engine: Engine, application: ContainerPlan, target: LocalTarget, http: httpx.AsyncClient
    ) -> None:
        self._engine = engine
        self._application = application
        self._target = target
        self._http = http

    async def uid(self) -> str:
        """Give what stands in the contract."""
        return "none"

    async def pods(self, namespace: str | None, labels: Mapping[str, str] | str) -> list[dict[str, Any]]:
        """Give the application's processes as a pod, if they were started."""
        _ = namespace, labels
        start = self._target.started
        if start is None:
            return []
        is_running = await asyncio.to_thread(self._engine.is_running, self._application.name)
        said = "" if is_running else await asyncio.to_thread(self._engine.said, self._application.name)
        is_ready = is_running and await answers(self._http)
        return [pod_object(self._application, start, is_ready=is_ready, ended=None if is_running else said)]

    async def machines(self) -> list[Machine]:
        """Give this machine."""
        facts = operator_facts()
        kernel, architecture = str(facts["kernel"]), str(facts["architecture"])
        own = Machine(NAME, boot_id(), kernel, str(facts["system"]), architecture, "none", "none", {}, is_ready=True)
        return [own]

    async def images(self) -> frozenset[str]:
        """Give the application's image, which is here before anything is started."""
        return frozenset(image for pod in application_of(self._target.outputs(NAME)).pods for image in pod.images())

    async def events(self, namespace: str) -> list[dict[str, Any]]:
        """Nobody reports any."""
        _ = namespace
        return []

    async def denied(self, permissions: tuple[Permission, ...]) -> list[Permission]:
        """Nobody denies any."""
        _ = permissions
        return []

    async def claims(self, namespace: str) -> dict[str, dict[str, str]]:
        """There is no storage."""
        _ = namespace
        return {}

    async def recommendations(self, namespace: str) -> list[dict[str, Any]]:
        """Nobody recommends anything."""
        _ = namespace
        return []

    async def delete_claim(self, namespace: str, name: str) -> None:
        """There is none to delete."""

    async def watch_pods(
        self, namespace: str, labels: Mapping[str, str], established: asyncio.Event
    ) -> AsyncGenerator[Sighting]:
        """Look at the processes again and again; gives each change."""
        known: dict[str, Any] | None = None
        established.set()
        while True:
            found = await self.pods(namespace, labels)
            seen, arrived_ns = (found[0] if found else None), time.time_ns()
            if known is not None and (seen is None or seen["metadata"]["uid"] != known["metadata"]["uid"]):
                yield Sighting(arrived_ns, "DELETED", known)
                known = None
            if seen is not None and seen != known:
                yield Sighting(arrived_ns, "ADDED" if known is None else "MODIFIED", seen)
            known = seen
            await asyncio.sleep(POLL_S)

    @asynccontextmanager
    async def machine_readers(self, endpoint: MachineReaderEndpoint) -> AsyncGenerator[dict[str, str]]:
        """Make the one machine reader reachable."""
        async with self._engine.address(endpoint.port) as address:
            yield {NAME: address}

    def recorder(self, endpoint: RecorderEndpoint) -> AbstractAsyncContextManager[str]:
        """Make the recorder reachable."""
        return self._engine.address(endpoint.port)


async def answers(http: httpx.AsyncClient) -> bool:
    """Tell whether a container says that it is ready."""
    try:
        return (await http.get("/readyz")).is_success
    except httpx.TransportError:
        return False


def pod_object(plan: ContainerPlan, start: Start, *, is_ready: bool, ended: str | None) -> dict[str, Any]:
    """Describe the application's processes as the API server describes a pod.

    Args:
        plan: What runs.
        start: Tells one start from the next.
        is_ready: Whether every node is ready.
        ended: What was printed last, if it has ended by itself.
    """
    state: dict[str, Any] = {"running": {}}
    uid, identifier = str(start.at_ns), ""
    if start.group is not None:
        uid, identifier = start.group.pod_uid, f"{NAME}://{start.group.container_id}"
    if ended is not None:
        message = ended.strip().splitlines()[-1:] or ["it printed nothing"]
        state = {"waiting": {"reason": ENDED, "message": f"the bringup has ended: {message[0]}"}}
    return {
        "metadata": {
            "name": plan.name,
            "uid": uid,
            "labels": {**APPLICATION_LABELS, "app.kubernetes.io/name": plan.name},
        },
        "spec": {"nodeName": NAME, "containers": []},
        "status": {
            "phase": "Running" if ended is None else "Failed",
            "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
            "containerStatuses": [
                {"name": plan.name, "restartCount": 0, "state": state, "image": plan.image, "containerID": identifier}
            ],
        },
    }


def connector(
    engine: Engine, application: ContainerPlan, target: LocalTarget
) -> AbstractAsyncContextManager[LocalCluster]:
    """Connect to the local processes: opens what answers for their health."""

    @asynccontextmanager
    async def connected() -> AsyncGenerator[LocalCluster]:
        async with AsyncExitStack() as opened:
            address = await opened.enter_async_context(engine.address(application.port))
            http = await opened.enter_async_context(forwarded_client(address, HEALTH_TIMEOUT_S))
            yield LocalCluster(engine, application, target, http)

    return connected()
