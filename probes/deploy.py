"""Bringing an experiment to parked or running, and watching how its pods come up."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from probes.cluster import is_ready
from probes.errors import DeployFailed, ProbeError, TargetError
from probes.measurement import Deployment
from probes.phases import PodTimeline
from probes.world import Cluster, EngineInterrupted, Target, TargetState
from stacks.outputs import Application, StackOutputs

POLL_S = 0.2


@dataclass(frozen=True)
class Deployed:
    """What came of a change from parked to running: its times, and what the watch saw."""

    times: Deployment
    timeline: PodTimeline


def application_of(outputs: StackOutputs) -> Application:
    """Give the application of an experiment.

    Raises:
        TargetError: The stack holds none.
    """
    if outputs.application is None:
        raise TargetError(
            f"Stack {outputs.stack} is a {outputs.kind}: it holds no application to measure.",
            next_step="name an experiment with -s",
            reason="no_application",
        )
    return outputs.application


def expected_replicas(application: Application) -> dict[str, int]:
    """Give the copies of each pod of the running application."""
    return {pod.name: pod.replicas for pod in application.pods}


async def switch(target: Target, stack: str, state: TargetState) -> None:
    """Bring a stack to a state by `pulumi up`."""
    await run_engine(target, lambda: target.switch(stack, state))


async def run_engine(target: Target, call: Callable[[], None]) -> None:
    """Run a call of the engine in a thread; a cancellation stops the engine and waits until it has ended."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.to_thread(target.interrupt)
        with contextlib.suppress(EngineInterrupted, ProbeError):
            await work
        raise


async def park(target: Target, cluster: Cluster, outputs: StackOutputs, timeout_s: float) -> None:
    """Park an experiment and wait until no pod of its application is left.

    Raises:
        DeployFailed: The engine failed, or pods did not end in time.
    """
    await switch(target, outputs.stack, "parked")
    labels = application_of(outputs).labels
    deadline_s = time.monotonic() + timeout_s
    while pods := await cluster.pods(outputs.namespace, labels):
        if time.monotonic() > deadline_s:
            names = ", ".join(pod["metadata"]["name"] for pod in pods)
            raise DeployFailed(
                f"Pods of stack {outputs.stack} did not end within {timeout_s:g} s after parking: {names}.",
                next_step=f"kubectl -n {outputs.namespace} describe pods",
                reason="pods_do_not_end",
            )
        await asyncio.sleep(POLL_S)


async def deploy(
    target: Target,
    cluster: Cluster,
    outputs: StackOutputs,
    timeout_s: float,
    arrived_ns: Callable[[PodTimeline], int | None] | None = None,
) -> Deployed:
    """Bring an experiment to running; returns when every pod is Ready and the engine has ended.

    Args:
        target: The stacks.
        cluster: Where the pods are.
        outputs: The stack.
        timeout_s: Longest wait.
        arrived_ns: When the last pod was Ready; None while one is not. By default of a parked experiment: every
            expected pod of the application. An update passes its own, because the old pods are Ready already.

    Raises:
        DeployFailed: The engine failed, a pod cannot start, or the pods are not Ready in time.
    """
    application = application_of(outputs)
    timeline, established = PodTimeline(), asyncio.Event()

    async def follow() -> None:
        watch = cluster.watch_pods(outputs.namespace, application.labels, established)
        async with contextlib.aclosing(watch) as sightings:
            async for sighting in sightings:
                timeline.see(sighting)

    watching = asyncio.create_task(follow())
    engine: asyncio.Task[None] | None = None
    try:
        await _first_of(watching, established)
        started_ns = time.time_ns()
        engine = asyncio.create_task(switch(target, outputs.stack, "running"))
        engine_ended_ns: int | None = None
        ready_ns: int | None = None
        while engine_ended_ns is None or ready_ns is None:
            await asyncio.wait({watching, engine} if not engine.done() else {watching}, timeout=POLL_S)
            if watching.done():
                watching.result()
            if engine.done() and engine_ended_ns is None:
                engine.result()
                engine_ended_ns = time.time_ns()
            ready_ns = arrived_ns(timeline) if arrived_ns else timeline.ready_at_ns(expected_replicas(application))
            _give_up(outputs, timeline, started_ns, timeout_s, is_ready=ready_ns is not None)
    finally:
        for task in (engine, watching):
            if task is not None and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ProbeError):
                    await task
    return Deployed(Deployment(started_ns, ready_ns, engine_ended_ns), timeline)


def count_ready(pods: list[dict[str, Any]], replicas: Mapping[str, int]) -> int:
    """Count the expected pods that are Ready."""
    ready = 0
    for name, count in replicas.items():
        named = [pod for pod in pods if pod["metadata"].get("labels", {}).get("app.kubernetes.io/name") == name]
        ready += min(count, sum(is_ready(pod) for pod in named))
    return ready


async def _first_of(watching: asyncio.Task[None], established: asyncio.Event) -> None:
    """Wait until the watch stands, or raise what ended it."""
    standing = asyncio.create_task(established.wait())
    await asyncio.wait({watching, standing}, return_when=asyncio.FIRST_COMPLETED)
    standing.cancel()
    if watching.done():
        watching.result()


def _give_up(
    outputs: StackOutputs, timeline: PodTimeline, started_ns: int, timeout_s: float, *, is_ready: bool
) -> None:
    """Raise where waiting longer cannot help."""
    now_ns = time.time_ns()
    describe = f"kubectl -n {outputs.namespace} describe pods -l app.kubernetes.io/component=application"
    blocked = timeline.blockages(now_ns)
    if blocked:
        first = blocked[0]
        image = f" (image {first.image})" if first.image else ""
        raise DeployFailed(
            f"Pod {first.pod} of stack {outputs.stack} cannot start: {first.reason}{image}: {first.message}",
            next_step=describe,
            reason=f"pod_{first.reason}",
        )
    if now_ns - started_ns > timeout_s * 1e9:
        waiting = "the engine has not ended" if is_ready else f"pods: {timeline.describe()}"
        raise DeployFailed(
            f"Stack {outputs.stack} was not ready within {timeout_s:g} s: {waiting}.",
            next_step=f"{describe}; or give more time: --ready-timeout-s {timeout_s * 2:g}",
            reason="not_ready_in_time",
        )
