"""One repetition: begin (deploy if asked, first message), warm-up, window, drain, cycle, fetch, judge, keep.

A fault of the network is there around the window only: it is proved before, and gone before a cycle goes on.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from probes import gates
from probes.beginning import begin
from probes.cluster import Machine
from probes.container_starts import container_starts
from probes.cycles import CYCLES
from probes.deploy import application_of
from probes.errors import ProbeError
from probes.evidence import Fault, PodIdentity, Readers
from probes.faults import injected_between
from probes.keeping import keep
from probes.kept import repetition_file, samples_folder, write_window
from probes.measurement import RunContext
from probes.network_links import Links
from probes.network_schedule import machines_to_probe, probing_meanwhile, with_bandwidth
from probes.pod_identity import pod_identities
from probes.run_state import Begun, Bench, Observed, Run
from probes.sample_copy import SampleCopy
from probes.samples import Samples, Window
from probes.tables import encode_table, samples_table
from probes.world import World
from stacks.outputs import StackOutputs

SALVAGE_S = 5.0
COPY_PERIOD_S = 5.0
READER_SPARE_S = 60.0


@dataclass(frozen=True)
class Watched:
    """What is watched in a window, and how long a capture of it may last."""

    repetition: int
    context: RunContext
    pods: tuple[PodIdentity, ...]
    longest_s: float


@dataclass(frozen=True)
class Seen:
    """What a window left behind beside the recorder's samples."""

    window: Window
    readers: Readers
    after: tuple[gates.PodState, ...]
    network: Links


async def measure_repetition(bench: Bench, run: Run, repetition: int) -> None:
    """Do one repetition and keep what it left behind.

    An interruption or failure keeps the samples taken until then before it goes on upwards.
    """
    run.window = run.copy = run.capturing = None
    run.is_kept = False
    try:
        await _measure(bench, run, repetition)
    except (asyncio.CancelledError, ProbeError):
        await _salvage(run, repetition)
        raise


async def _measure(bench: Bench, run: Run, repetition: int) -> None:
    plan, screen = bench.plan, bench.world.screen
    head = f"{run.name} {repetition + 1}/{plan.repetitions}"
    begun = await begin(bench, run, repetition, head)
    run.journal.append("ready", repetition=repetition)
    await screen.wait(f"{head}: warm up", plan.durations.warmup_s)
    run.journal.append("measuring", repetition=repetition)
    observed = await _observe(bench, run, begun, repetition, head)
    verdicts = await keep(bench, run, repetition, begun, observed)
    run.done += 1
    run.journal.append("collected", repetition=repetition)
    for verdict in verdicts:
        if not verdict.passed:
            screen.note(f"{head}: gate {verdict.name} failed: {verdict.detail}")
    await run.recorder.delete(begun.capture)
    run.capture = None
    await asyncio.sleep(plan.durations.cool_down_s)


async def _observe(bench: Bench, run: Run, begun: Begun, repetition: int, head: str) -> Observed:
    """Watch the window, under a fault if one is ordered; pods and machines are read before and after it."""
    outputs, plan, screen = run.outputs, bench.plan, bench.world.screen
    listed = await bench.cluster.pods(outputs.namespace, application_of(outputs).labels)
    before, pods = gates.pod_states(listed), pod_identities(listed)
    context = _context(bench.world, outputs, await bench.cluster.machines(), before)
    run.context = context
    starts = await container_starts(bench.readers, pods) if begun.deployed else ()
    longest_s = plan.durations.window_s + plan.durations.drain_s + READER_SPARE_S
    faults: tuple[Fault, ...] = ()
    if plan.fault:
        screen.step(f"{head}: inject the network fault and prove it")
    async with injected_between(bench.readers, plan.fault, listed, longest_s, screen.note) as injection:
        seen = await _watch(bench, run, begun, Watched(repetition, context, pods, longest_s), head)
        if injection:
            faults = (injection.evidence(time.time_ns()),)
    exercise = CYCLES[plan.cycles].exercise
    updates = await exercise(bench, run, begun) if exercise else ()
    return Observed(
        window=seen.window,
        context=context,
        capture=await run.recorder.stop(begun.capture),
        before=before,
        after=seen.after,
        pods=pods,
        readers=seen.readers,
        updates=updates,
        network=seen.network,
        faults=faults,
        fault_problems=injection.problems if injection else (),
        starts=starts,
    )


async def _watch(bench: Bench, run: Run, begun: Begun, watched: Watched, head: str) -> Seen:
    """Let the window pass untouched but for a few datagrams; fill the network only once all is fetched."""
    durations, readers, context = bench.plan.durations, bench.readers, watched.context
    used = [machine.name for machine in context.application_machines]
    machines = machines_to_probe(bench.plan.network, readers, {*used, begun.status.machine})
    copy = run.copy = _copy_of(run, begun.capture, watched.repetition)
    capturing = await readers.start(begun.capture, used, [pod.uid for pod in watched.pods], watched.longest_s)
    run.capturing = capturing
    for measurement in run.measurements:
        await measurement.start(context)
    start_ns = begun.clock.to_recorder(time.time_ns())
    window = run.window = Window(start_ns, start_ns + round(durations.window_s * 1e9))
    write_window(run.folder, watched.repetition, window)
    probed = () if isinstance(machines, str) else machines
    async with probing_meanwhile(readers, probed, durations.window_s) as links, _copying(copy):
        await bench.world.screen.wait(f"{head}: measure", durations.window_s)
        await asyncio.sleep(durations.drain_s)
    captured = await capturing.finish()
    run.capturing = None
    after = gates.pod_states(await bench.cluster.pods(run.outputs.namespace, application_of(run.outputs).labels))
    network = machines if isinstance(machines, str) else await with_bandwidth(readers, links)
    return Seen(window, captured, after, network)


def _copy_of(run: Run, capture: str, repetition: int) -> SampleCopy:
    topics = [topic.name for topic in application_of(run.outputs).topics]
    return SampleCopy(run.recorder, capture, topics, samples_folder(run.folder, repetition))


@contextlib.asynccontextmanager
async def _copying(copy: SampleCopy) -> AsyncGenerator[None]:
    """Fetch what is new every few seconds meanwhile; what was copied outlives the recorder.

    Raises:
        ProbeError: The recorder was lost meanwhile, or the disk is full.
    """

    async def advance() -> None:
        while True:
            await asyncio.sleep(COPY_PERIOD_S)
            await copy.advance()

    task = asyncio.create_task(advance())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


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


async def _salvage(run: Run, repetition: int) -> None:
    """Keep the samples of a repetition that ends early, and free recorder and readers; gives up after some seconds."""
    if run.capture is None:
        return
    with contextlib.suppress(ProbeError, TimeoutError):
        async with asyncio.timeout(SALVAGE_S):
            await run.recorder.stop(run.capture)
            if not run.is_kept:
                copy = run.copy or _copy_of(run, run.capture, repetition)
                await copy.advance()
                _write_samples(run, repetition, copy.samples())
            await run.recorder.delete(run.capture)
    if run.capturing is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SALVAGE_S):
                await run.capturing.abandon()
    run.capture = run.capturing = None


def _write_samples(run: Run, repetition: int, samples: dict[str, Samples]) -> None:
    if any(len(found) for found in samples.values()):
        table = samples_table(repetition, samples, run.window)
        run.folder.write(repetition_file(repetition, "samples.parquet"), encode_table(table))
