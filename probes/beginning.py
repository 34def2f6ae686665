"""The first half of a repetition: park, prove the regime, measure idle, deploy, wait for the first message."""

import asyncio
import time

from probes import regimes
from probes.cycles import CYCLES
from probes.deploy import Deployed, application_of, count_ready, deploy, expected_replicas, park
from probes.errors import ProbeError
from probes.evidence import PhaseTime, Readers
from probes.metrics import IDLE_NOT_MEASURED
from probes.milestones import APPLICATION
from probes.network_links import Links
from probes.network_schedule import probe_idle
from probes.plan import Plan
from probes.provenance import boot_id
from probes.readers import not_idle
from probes.recorder import CaptureStatus, RecorderClient
from probes.run_state import Begun, Bench, Run, result_topic
from probes.samples import ABSENT
from probes.silence import explain_silence

POLL_S = 0.25
DISCOVERY_POLL_S = 0.2
UNKNOWN_RATE_HZ = 1000.0
EXERCISE_S = 1800.0
PROBES_S = 120.0
"""Longest that the probes of a fault and of the network take around the window."""
MOST_SAMPLES = 1_000_000
TURNS = 6
"""Three changes, there and back."""


def sample_limit(plan: Plan, rate_hz: float | None) -> int:
    """Give how many samples of a topic the recorder must hold: twice what the whole repetition can bring."""
    durations = plan.durations
    longest_s = durations.ready_timeout_s + durations.warmup_s + durations.window_s + durations.drain_s + PROBES_S
    if CYCLES[plan.cycles].exercise is not None:
        longest_s += TURNS * durations.ready_timeout_s + EXERCISE_S
    return min(MOST_SAMPLES, max(10_000, round(2 * longest_s * (rate_hz or UNKNOWN_RATE_HZ))))


async def begin(bench: Bench, run: Run, repetition: int, head: str) -> Begun:
    """Bring the stack to its first message, with the recorder listening before the start.

    Raises:
        ProbeError: The stack cannot be parked or deployed, or nothing valid is heard in time.
    """
    outputs, plan, world = run.outputs, bench.plan, bench.world
    timeout_s = plan.durations.ready_timeout_s
    topic, deployed, regime, discovered = result_topic(outputs), None, None, None
    idle: Readers = not_idle(bench.readers.names())
    network: Links = IDLE_NOT_MEASURED
    capture = f"{run.folder.run_id}-{repetition:03d}"
    deploys = CYCLES[plan.cycles].deploys
    if deploys:
        run.journal.append("deploying", repetition=repetition)
        world.screen.step(f"{head}: park")
        await park(world.target, bench.cluster, outputs, timeout_s)
        regime = await regimes.prepare(bench, outputs, head)
        idle = await _idle(bench, capture, head)
        network = await probe_idle(bench, run, head)
    await run.recorder.start(capture, sample_limit(plan, topic.expected_rate_hz))
    run.capture = capture
    status = await run.recorder.status()
    clock = await run.recorder.clock_offset(boot_id(), status.boot_id)
    started_ns = time.time_ns()
    if deploys:
        world.screen.step(f"{head}: deploy (pulumi up)")
        deployed, discovered = await _deploy(bench, run, topic.name, status.machine)
        started_ns = deployed.times.started_ns
    begun = Begun(capture, topic, status, clock, started_ns, deployed, discovered, regime, idle, network)
    await _first_message(bench, run, begun)
    return begun


async def _deploy(bench: Bench, run: Run, topic: str, machine: str) -> tuple[Deployed, PhaseTime | None]:
    """Deploy, while the recorder is asked when it discovers a publisher of the result topic."""
    looking = asyncio.create_task(_discovery(run.recorder, topic, machine))
    try:
        deployed = await deploy(bench.world.target, bench.cluster, run.outputs, bench.plan.durations.ready_timeout_s)
        # Pods that are Ready have published, so the recorder knows them, or will within a poll or two.
        await asyncio.wait({looking}, timeout=2 * DISCOVERY_POLL_S)
        return deployed, looking.result() if looking.done() else None
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _discovery(recorder: RecorderClient, topic: str, machine: str) -> PhaseTime | None:
    """Give when a publisher of a topic was first discovered; None where the recorder does not tell any more."""
    while True:
        try:
            status = await recorder.status()
        except ProbeError:
            # The deployment goes on; the stage becomes `not_seen`, and a lost recorder is reported by the next call.
            return None
        if any(known.name == topic and known.publishers for known in status.topics):
            resolution_ns = round(DISCOVERY_POLL_S * 1e9)
            return PhaseTime(APPLICATION, machine, "discovered", time.time_ns(), "poll", resolution_ns)
        await asyncio.sleep(DISCOVERY_POLL_S)


async def _idle(bench: Bench, capture: str, head: str) -> Readers:
    """Capture what the machines draw while the stack is parked, where any of them can tell its power."""
    machines = bench.readers.power_machines
    idle_s = bench.plan.durations.idle_s
    if not machines or idle_s <= 0:
        return not_idle(bench.readers.names())
    capturing = await bench.readers.start(f"{capture}-idle", machines, (), 2 * idle_s + 60)
    await bench.world.screen.wait(f"{head}: idle", idle_s)
    return {**not_idle(bench.readers.names()), **await capturing.finish()}


async def _first_message(bench: Bench, run: Run, begun: Begun) -> None:
    """Wait for the first valid message: one that was published after the start.

    Raises:
        NoMessage: None arrived in time; says what the recorder has discovered.
    """
    since_ns = begun.clock.to_recorder(begun.started_ns)
    timeout_s = bench.plan.durations.ready_timeout_s
    while not _has_valid(await run.recorder.read(begun.capture), begun.topic.name, since_ns):
        if time.time_ns() - begun.started_ns > timeout_s * 1e9:
            application = application_of(run.outputs)
            pods = await bench.cluster.pods(run.outputs.namespace, application.labels)
            replicas = expected_replicas(application)
            raise explain_silence(
                await run.recorder.status(),
                begun.topic,
                run.outputs.network,
                waited_s=timeout_s,
                ready=count_ready(pods, replicas),
                expected=sum(replicas.values()),
                namespace=run.outputs.namespace,
            )
        await asyncio.sleep(POLL_S)


def _has_valid(capture: CaptureStatus, topic: str, since_ns: int) -> bool:
    stamps = (capture.last_stamp(topic, name) for name in ("published_ns", "source_ns", "received_ns"))
    newest = next((stamp for stamp in stamps if stamp is not None and stamp != ABSENT), None)
    return newest is not None and newest > since_ns
