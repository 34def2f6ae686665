"""One repetition: deploy (if asked), first message, warm-up, window, drain, fetch, judge, keep."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from probes import gates
from probes.cluster import Machine
from probes.deploy import Deployed, application_of, count_ready, deploy, expected_replicas, park
from probes.errors import ProbeError
from probes.journal import Journal
from probes.measurement import Evidence, Measurement, RunContext
from probes.phases import event_rows, events_table_rows, images_pulled, watch_rows
from probes.plan import Plan
from probes.provenance import boot_id, load_average
from probes.readings import Reading, of_repetition
from probes.record import repetition_file, write_repetition
from probes.recorder import CaptureStatus, ClockOffset, RecorderClient, RecorderStatus
from probes.samples import ABSENT, NO_SAMPLES, Samples, Window
from probes.silence import explain_silence
from probes.spool import RunFolder
from probes.tables import encode_table, readings_table, rows_table, samples_table
from probes.world import Cluster, World
from stacks.outputs import MeasuredTopic, StackOutputs

POLL_S = 0.25
SALVAGE_S = 5.0
UNKNOWN_RATE_HZ = 1000.0
MOST_SAMPLES = 1_000_000


@dataclass
class Run:
    """One stack of a campaign while it is measured."""

    outputs: StackOutputs
    folder: RunFolder
    journal: Journal
    recorder: RecorderClient
    measurements: tuple[Measurement, ...]
    done: int = 0
    context: RunContext | None = None
    window: Window | None = None
    capture: str | None = None
    load_before: float = field(default_factory=load_average)


@dataclass(frozen=True)
class Begun:
    """A repetition at its first message."""

    capture: str
    topic: MeasuredTopic
    status: RecorderStatus
    clock: ClockOffset
    started_ns: int
    deployed: Deployed | None


@dataclass(frozen=True)
class Observed:
    """A repetition after its window: the capture is stopped, nothing is fetched yet."""

    window: Window
    context: RunContext
    capture: CaptureStatus
    before: tuple[gates.PodState, ...]
    after: tuple[gates.PodState, ...]


def result_topic(outputs: StackOutputs) -> MeasuredTopic:
    """Give the topic on which latency and losses are reported: the first that is marked, else the first."""
    topics = application_of(outputs).topics
    marked = [topic for topic in topics if topic.is_result]
    return (marked or topics)[0]


def sample_limit(plan: Plan, rate_hz: float | None) -> int:
    """Give how many samples of a topic the recorder must hold: twice what the whole repetition can bring."""
    durations = plan.durations
    longest_s = durations.ready_timeout_s + durations.warmup_s + durations.window_s + durations.drain_s
    return min(MOST_SAMPLES, max(10_000, round(2 * longest_s * (rate_hz or UNKNOWN_RATE_HZ))))


async def measure_repetition(world: World, cluster: Cluster, run: Run, plan: Plan, repetition: int) -> None:
    """Do one repetition and keep what it left behind.

    An interruption or failure keeps the samples taken until then before it goes on upwards.
    """
    run.window, run.load_before = None, load_average()
    try:
        await _measure(world, cluster, run, plan, repetition)
    except (asyncio.CancelledError, ProbeError):
        await _salvage(run, repetition)
        raise


async def _measure(world: World, cluster: Cluster, run: Run, plan: Plan, repetition: int) -> None:
    head = f"{run.outputs.stack} {repetition + 1}/{plan.repetitions}"
    begun = await _begin(world, cluster, run, plan, repetition)
    run.journal.append("ready", repetition=repetition)
    await world.screen.wait(f"{head}: warm up", plan.durations.warmup_s)
    run.journal.append("measuring", repetition=repetition)
    observed = await _observe(world, cluster, run, plan, begun, head)
    verdicts = await _keep(cluster, run, repetition, begun, observed)
    run.done += 1
    run.journal.append("collected", repetition=repetition)
    for verdict in verdicts:
        if not verdict.passed:
            world.screen.note(f"{head}: gate {verdict.name} failed: {verdict.detail}")
    await run.recorder.delete(begun.capture)
    run.capture = None
    await asyncio.sleep(plan.durations.cool_down_s)


async def _begin(world: World, cluster: Cluster, run: Run, plan: Plan, repetition: int) -> Begun:
    """Park and deploy if asked, with the recorder listening before the start; returns at the first message."""
    outputs, timeout_s = run.outputs, plan.durations.ready_timeout_s
    topic, deployed = result_topic(outputs), None
    head = f"{outputs.stack} {repetition + 1}/{plan.repetitions}"
    capture = f"{run.folder.run_id}-{repetition:03d}"
    if plan.cycles == "install":
        run.journal.append("deploying", repetition=repetition)
        world.screen.step(f"{head}: park")
        await park(world.target, cluster, outputs, timeout_s)
    await run.recorder.start(capture, sample_limit(plan, topic.expected_rate_hz))
    run.capture = capture
    status = await run.recorder.status()
    clock = await run.recorder.clock_offset(boot_id(), status.boot_id)
    started_ns = time.time_ns()
    if plan.cycles == "install":
        world.screen.step(f"{head}: deploy (pulumi up)")
        deployed = await deploy(world.target, cluster, outputs, timeout_s)
        started_ns = deployed.times.started_ns
    begun = Begun(capture, topic, status, clock, started_ns, deployed)
    await _first_message(cluster, run, begun, timeout_s)
    return begun


async def _observe(world: World, cluster: Cluster, run: Run, plan: Plan, begun: Begun, head: str) -> Observed:
    """Let the window pass untouched; pods and machines are read before and after it."""
    outputs, durations = run.outputs, plan.durations
    labels = application_of(outputs).labels
    before = gates.pod_states(await cluster.pods(outputs.namespace, labels))
    run.context = _context(world, outputs, await cluster.machines(), before)
    for measurement in run.measurements:
        await measurement.start(run.context)
    start_ns = begun.clock.to_recorder(time.time_ns())
    run.window = Window(start_ns, start_ns + round(durations.window_s * 1e9))
    await world.screen.wait(f"{head}: measure", durations.window_s)
    await asyncio.sleep(durations.drain_s)
    captured = await run.recorder.stop(begun.capture)
    after = gates.pod_states(await cluster.pods(outputs.namespace, labels))
    return Observed(run.window, run.context, captured, before, after)


async def _keep(
    cluster: Cluster, run: Run, repetition: int, begun: Begun, observed: Observed
) -> tuple[gates.Gate, ...]:
    """Fetch the samples, judge, compute the readings, and write everything to the run's folder."""
    outputs, deployed = run.outputs, begun.deployed
    samples = {
        known.name: await run.recorder.samples(begun.capture, known.name) for known in application_of(outputs).topics
    }
    evidence = Evidence(
        repetition=repetition,
        outputs=outputs,
        topic=begun.topic,
        samples=samples.get(begun.topic.name, NO_SAMPLES),
        window=observed.window,
        capture=observed.capture,
        clock=begun.clock,
        is_one_clock=is_one_clock(begun.status, observed.context.application_machines),
        deployment=deployed.times if deployed else None,
    )
    events = await cluster.events(outputs.namespace)
    verdicts = judge(evidence, observed.before, observed.after, await cluster.machines())
    if deployed:
        verdicts += (gates.one_regime(images_pulled(events, begun.started_ns)),)
    readings: list[Reading] = []
    for measurement in run.measurements:
        readings += of_repetition(await measurement.gather(evidence), repetition)
    tables = {
        "samples": samples_table(repetition, samples, observed.window),
        "metrics": readings_table(readings),
        **_pod_tables(events, repetition, deployed, observed.before, begun.started_ns),
    }
    write_repetition(run.folder, repetition, _facts(evidence, verdicts, run.load_before), tables)
    return verdicts


def is_one_clock(status: RecorderStatus, machines: Sequence[Machine]) -> bool:
    """Tell whether recorder and application read the clock of one kernel: their boot ids are the same."""
    return bool(machines) and all(machine.boot_id == status.boot_id for machine in machines)


def judge(
    evidence: Evidence,
    before: Sequence[gates.PodState],
    after: Sequence[gates.PodState],
    machines: Sequence[Machine],
) -> tuple[gates.Gate, ...]:
    """Put a repetition through every gate."""
    return (
        gates.enough_samples(evidence.samples, evidence.window),
        gates.no_restart(before, after),
        gates.machines_present([state.machine for state in before], machines),
        gates.recorder_kept_all(evidence.capture),
        gates.no_clock_step(evidence.samples),
        gates.clock_related(is_one_clock=evidence.is_one_clock),
    )


async def _first_message(cluster: Cluster, run: Run, begun: Begun, timeout_s: float) -> None:
    """Wait for the first valid message: one that was published after the start.

    Raises:
        NoMessage: None arrived in time; says what the recorder has discovered.
    """
    since_ns = begun.clock.to_recorder(begun.started_ns)
    while not _has_valid(await run.recorder.read(begun.capture), begun.topic.name, since_ns):
        if time.time_ns() - begun.started_ns > timeout_s * 1e9:
            application = application_of(run.outputs)
            pods = await cluster.pods(run.outputs.namespace, application.labels)
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


def _context(
    world: World, outputs: StackOutputs, machines: Sequence[Machine], pods: Sequence[gates.PodState]
) -> RunContext:
    used = {state.machine for state in pods}
    return RunContext(
        outputs=outputs,
        machines=tuple(machines),
        application_machines=tuple(machine for machine in machines if machine.name in used),
        note=world.screen.note,
    )


def _pod_tables(
    events: Sequence[Mapping[str, Any]],
    repetition: int,
    deployed: Deployed | None,
    pods: Sequence[gates.PodState],
    since_ns: int,
) -> dict[str, Any]:
    """Join the events with what the watch saw; without a deployment no phase was seen."""
    rows: list[dict[str, object]] = []
    if deployed:
        rows += watch_rows(repetition, deployed.timeline)
        rows += event_rows(repetition, events, {state.name: state.machine for state in pods})
    return {
        "pods": rows_table("pods", rows),
        "events": rows_table("events", events_table_rows(repetition, events, since_ns)),
    }


def _facts(evidence: Evidence, verdicts: Sequence[gates.Gate], load_before: float) -> Mapping[str, Any]:
    deployment = evidence.deployment
    return {
        "repetition": evidence.repetition,
        "window": asdict(evidence.window),
        "deployment": asdict(deployment) if deployment else None,
        "clock": evidence.clock.as_record() | {"is_one_clock": evidence.is_one_clock},
        "capture": evidence.capture.model_dump(include={"started_ns", "stopped_ns", "samples", "dropped", "cpu_ns"}),
        "load_average": {"before": load_before, "after": load_average()},
        "gates": [verdict.as_record() for verdict in verdicts],
    }


async def _salvage(run: Run, repetition: int) -> None:
    """Keep the samples of a repetition that ends early, and free the recorder; gives up after some seconds."""
    if run.capture is None:
        return
    with contextlib.suppress(ProbeError, TimeoutError):
        async with asyncio.timeout(SALVAGE_S):
            await run.recorder.stop(run.capture)
            samples: dict[str, Samples] = {
                topic.name: await run.recorder.samples(run.capture, topic.name)
                for topic in application_of(run.outputs).topics
            }
            if any(len(found) for found in samples.values()):
                table = samples_table(repetition, samples, run.window)
                run.folder.write(repetition_file(repetition, "samples.parquet"), encode_table(table))
            await run.recorder.delete(run.capture)
    run.capture = None
