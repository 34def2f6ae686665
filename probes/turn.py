"""A running application is brought to another version, by its pattern's own means, while the recorder listens.

The recorder captures from a second before the change until the results flow again, so that the silence is seen whole.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from probes.clock import ClockOffset
from probes.component_calls import ComponentClient, Wanted
from probes.deploy import application_of, deploy, expected_replicas
from probes.milestones import first_valid_arrival_ns
from probes.phases import PodTimeline
from probes.recorder import CaptureStatus, RecorderClient
from probes.samples import ABSENT, Samples
from probes.update_evidence import Turn, UpdateCycle
from probes.world import Cluster, Target
from stacks.outputs import MeasuredTopic, StackOutputs

BASELINE_S = 1.0
SETTLE_S = 1.0
POLL_S = 0.1
MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Step:
    """What was done to the application, in the runner's clock.

    Args:
        started_ns: Before the first change.
        done_ns: The new version is in place.
        since_ns: The old version can have caused no result that was published later.
    """

    started_ns: int
    done_ns: int
    since_ns: int


@dataclass(frozen=True)
class Listener:
    """The recorder of the application, how its clock relates to the runner's, the topic that counts, and a capture.

    `capture` is active all the time: of a repetition, or one of its own (`listening`).
    """

    recorder: RecorderClient
    clock: ClockOffset
    topic: MeasuredTopic
    capture: str


@asynccontextmanager
async def listening(recorder: RecorderClient, clock: ClockOffset, topic: MeasuredTopic) -> AsyncGenerator[Listener]:
    """Listen with a capture of one's own.

    Raises:
        TargetError: Another run uses the recorder.
    """
    capture = f"turns-{secrets.token_hex(8)}"
    await recorder.start(capture, MOST_SAMPLES)
    try:
        yield Listener(recorder, clock, topic, capture)
    finally:
        if (await recorder.read(capture)).active:
            await recorder.stop(capture)
        await recorder.delete(capture)


async def turn(listener: Listener, act: Callable[[], Awaitable[Step]], timeout_s: float) -> Turn:
    """Do one change while the recorder listens.

    Args:
        listener: Who listens.
        act: Makes the change; returns once the new version is in place.
        timeout_s: Longest wait for a result of the new version.

    Raises:
        TargetError: The change failed, or the recorder cannot be asked.
    """
    recorder, capture, topic = listener.recorder, listener.capture, listener.topic.name
    before = (await recorder.read(capture)).samples.get(topic, 0)
    await asyncio.sleep(BASELINE_S)
    step = await act()
    await _flowing(listener, listener.clock.to_recorder(step.since_ns), timeout_s)
    await asyncio.sleep(SETTLE_S)
    return turn_of(step, await recorder.samples(capture, topic, before), listener.clock)


def before_updates(samples: Samples, updates: Sequence[UpdateCycle], clock: ClockOffset) -> Samples:
    """Keep the samples of a repetition that arrived before its first update: a new camera counts its frames anew."""
    starts = [cycle.update.started_ns for cycle in updates if cycle.update is not None]
    if not starts:
        return samples
    return samples.where(samples.column("received_ns") < clock.to_recorder(min(starts)))


def turn_of(step: Step, samples: Samples, clock: ClockOffset) -> Turn:
    """Read a change from what was done and what arrived."""
    first_ns = first_valid_arrival_ns(samples, clock.to_recorder(step.since_ns))
    return Turn(
        started_ns=step.started_ns,
        rolled_out_ns=step.done_ns,
        first_result_ns=None if first_ns is None else clock.to_runner(first_ns),
        silence_s=None if first_ns is None else silence_s(samples, clock.to_recorder(step.started_ns)),
        clock_bound_ns=clock.bound_ns,
    )


def silence_s(samples: Samples, since_ns: int) -> float | None:
    """Give the largest time between two arrivals of which the later one came after a time; None where there is none."""
    arrivals = np.sort(samples.column("received_ns"))
    if arrivals.size < 2:
        return None
    gaps = np.diff(arrivals)[arrivals[1:] > since_ns]
    return float(gaps.max()) / 1e9 if gaps.size else None


async def roll(target: Target, cluster: Cluster, outputs: StackOutputs, timeout_s: float) -> Step:
    """Bring a running experiment to another spec by `pulumi up`; returns when every new pod is Ready.

    Raises:
        DeployFailed: The engine failed, a new pod cannot start, or the pods are not replaced in time.
    """
    application = application_of(outputs)
    pods = await cluster.pods(outputs.namespace, application.labels)
    before = frozenset(pod["metadata"]["uid"] for pod in pods)
    replicas = expected_replicas(application)
    done = await deploy(
        target, cluster, outputs, timeout_s, arrived_ns=lambda timeline: replaced_at_ns(timeline, before, replicas)
    )
    return Step(done.times.started_ns, done.times.ready_ns, new_since_ns(done.timeline, before))


def replaced_at_ns(timeline: PodTimeline, before: AbstractSet[str], replicas: Mapping[str, int]) -> int | None:
    """Give when the last new pod was Ready, once none of the old ones is on its way out; None until then.

    Args:
        timeline: What the watch has seen.
        before: UIDs of the pods that were there before the change.
        replicas: Copies of each pod.
    """
    new = [uid for uid in timeline.latest if uid not in before]
    if not new or timeline.ready_at_ns(replicas) is None:
        return None
    if any("deletionTimestamp" in pod["metadata"] for pod in timeline.latest.values()):
        return None
    arrivals = [timeline.first.get((uid, "ready")) for uid in new]
    known = [at_ns for at_ns in arrivals if at_ns is not None]
    return max(known) if len(known) == len(new) else None


def new_since_ns(timeline: PodTimeline, before: AbstractSet[str]) -> int:
    """Give when the last old pod that had to go was gone, or the last new one was made, whichever came later."""
    gone = [at_ns for uid, at_ns in timeline.gone.items() if uid in before]
    made = [timeline.first[uid, "created"] for uid in timeline.latest if uid not in before]
    return max(gone + made)


async def exchange(client: ComponentClient, node: str, wanted: Wanted) -> Step:
    """Exchange a node of a component container: unload it, load it with other parameters.

    Raises:
        ComponentRefused: The container says why not; if it refused the second half, the node is gone.
    """
    old = await client.find(node)
    started_ns = time.time_ns()
    await client.unload(old.unique_id)
    unloaded_ns = time.time_ns()
    await client.load(wanted)
    return Step(started_ns, time.time_ns(), unloaded_ns)


async def _flowing(listener: Listener, since_ns: int, timeout_s: float) -> None:
    """Wait until a result was published after a time of the recorder's clock, or the time is up."""
    deadline_s = time.monotonic() + timeout_s
    while not _is_newer(await listener.recorder.read(listener.capture), listener.topic.name, since_ns):
        if time.monotonic() > deadline_s:
            return
        await asyncio.sleep(POLL_S)


def _is_newer(capture: CaptureStatus, topic: str, since_ns: int) -> bool:
    stamps = (capture.last_stamp(topic, name) for name in ("published_ns", "source_ns", "received_ns"))
    newest = next((stamp for stamp in stamps if stamp is not None and stamp != ABSENT), None)
    return newest is not None and newest > since_ns
