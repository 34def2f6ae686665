"""`python -m probes.endurance -s STACK`: one node is exchanged again and again while the application runs.

Each swap is by the pattern's own means: a component is unloaded and loaded by signed calls; elsewhere `pulumi up`
brings the node's other parameter and back in turn. Measured: how long it takes, how long results stay away, and whether
memory keeps growing.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from probes import preconditions
from probes.cell import Cell
from probes.cluster import connect
from probes.console import Screen
from probes.defined_update import DefinedUpdate, find_update, placed_component
from probes.deploy import application_of, count_ready, expected_replicas
from probes.derived_record import Derived, begin_record, finish_record, keep_readings, note_machines
from probes.errors import ExitCode, ProbeError, UsageError
from probes.evidence import Readers
from probes.measurements.swap import memory_readings
from probes.measurements.update import NO_RESULT
from probes.pod_identity import pod_identities
from probes.provenance import boot_id
from probes.reader_door import reader_door
from probes.readers import ReaderSet, connected
from probes.readings import Reading
from probes.record import End
from probes.run_id import new_run_id
from probes.run_state import result_topic
from probes.session import endpoint_of, free_recorder, recorder_of
from probes.spool import Spool
from probes.store import open_store
from probes.target import PulumiTarget
from probes.turn import Listener, Step, listening, roll, turn
from probes.update import container_client, swapping
from probes.update_evidence import Turn
from probes.visit import write_override
from probes.world import Cluster, World
from stacks.outputs import StackOutputs

SETTLE_S = 2.0
MEMORY_S = 1.0
MEMORY_LIMIT_S = 60.0
POD_UID, MEMORY = "pod_uid", "memory_bytes"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Endurance:
    """What was asked for."""

    stack: str
    cycles: int
    platform: str | None
    timeout_s: float
    store: str | None


@dataclass(frozen=True)
class Bench:
    """What every swap works with."""

    world: World
    cluster: Cluster
    outputs: StackOutputs
    listener: Listener
    readers: ReaderSet
    timeout_s: float


Swap = Callable[[int], Awaitable[Step]]


@app.command()
def endurance(
    stack: Annotated[str, typer.Option("-s", "--stack", help="Running stack.")],
    cycles: Annotated[int, typer.Option(help="Swaps; 20 or more give a verdict on memory.")] = 20,
    platform: Annotated[str | None, typer.Option(help="Stack whose machine readers tell memory.")] = None,
    timeout_s: Annotated[float, typer.Option("--ready-timeout-s", help="Longest wait after a swap.")] = 120.0,
    store: Annotated[str | None, typer.Option(help="As for python -m probes.run.")] = None,
) -> None:
    """Exchange one node again and again; keep time, silence and memory.

    Exit codes: 0 committed, otherwise as of python -m probes.run.
    """
    screen = Screen()
    try:
        world = World(PulumiTarget(), connect, Spool(), open_store, screen)
        code = endure(Endurance(stack, cycles, platform, timeout_s, store), world)
    except ProbeError as problem:
        screen.error(problem)
        code = problem.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


def endure(wanted: Endurance, world: World) -> ExitCode:
    """Swap, keep what was measured after each swap, seal.

    Raises:
        ProbeError: The stack is not as it must be; what was measured until then is sealed.
    """
    if wanted.cycles < 1:
        raise UsageError(f"--cycles is {wanted.cycles}; it must be 1 or more.", next_step="--cycles 20")
    (stack,) = world.target.choose((wanted.stack,))
    outputs = world.target.outputs(stack)
    update = find_update(application_of(outputs).name)
    if update is None or update.definition.parameter is None:
        raise UsageError(
            f"No update of a parameter is defined for the application {application_of(outputs).name}, which says "
            "which node is exchanged.",
            next_step=f"write updates/{application_of(outputs).name}/update.yaml (docs/campaigns.md)",
        )
    name = f"endurance-{new_run_id()}"
    facts = {"repetitions": 0, "seed": 1, "cycles": "none", "swaps": wanted.cycles, "node": update.definition.node}
    endpoint_of(outputs)
    record = begin_record(world, outputs, Cell(name, stack, 0, "summary", {}), facts, wanted.store)
    swaps: list[Reading] = []
    memory: list[float | str] = []
    try:
        asyncio.run(_swap_all(world, outputs, wanted, update, record, (swaps, memory)))
    except ProbeError as problem:
        world.screen.error(problem)
        finish_record(world, record, End("failed", problem.reason))
        return problem.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        return finish_record(world, record, End("aborted", "interrupted"))
    keep_readings(record, [*swaps, *memory_readings(memory)])
    return finish_record(world, record, End("complete", None))


async def _swap_all(
    world: World,
    outputs: StackOutputs,
    wanted: Endurance,
    update: DefinedUpdate,
    record: Derived,
    found: tuple[list[Reading], list[float | str]],
) -> None:
    """Swap as often as asked for; the readings are kept after each swap."""
    async with AsyncExitStack() as open_things:
        cluster = await open_things.enter_async_context(world.connect())
        await _check(cluster, outputs)
        recorder = await open_things.enter_async_context(recorder_of(cluster, endpoint_of(outputs)))
        await free_recorder(world, recorder)
        clock = await recorder.clock_offset(boot_id(), (await recorder.status()).boot_id)
        listener = await open_things.enter_async_context(listening(recorder, clock, result_topic(outputs)))
        named = wanted.platform or outputs.platform
        endpoint = world.target.outputs(named).machine_readers if named else None
        door = reader_door(cluster, endpoint) if endpoint else None
        machines = await cluster.machines()
        note_machines(record, machines)
        readers = await open_things.enter_async_context(connected(door, machines, boot_id(), world.screen.note))
        bench = Bench(world, cluster, outputs, listener, readers, wanted.timeout_s)
        swap, is_component = await _means(bench, update, record.folder.path, open_things)
        for number in range(wanted.cycles):
            done = await turn(listener, functools.partial(swap, number), wanted.timeout_s)
            await asyncio.sleep(SETTLE_S)
            used = await _memory(bench, f"{record.folder.run_id}-{number}") if is_component else "pods_replaced"
            found[0].extend(swap_readings(number, done, used))
            found[1].append(used)
            keep_readings(record, found[0])
            silence = "no result came back" if done.silence_s is None else f"silence {done.silence_s:.3f} s"
            took_s = (done.rolled_out_ns - done.started_ns) / 1e9
            world.screen.step(f"swap {number + 1} of {wanted.cycles}: {took_s:.3f} s, {silence}")
        if wanted.cycles % 2 and not is_component:
            await swap(wanted.cycles)


async def _means(bench: Bench, update: DefinedUpdate, folder: Path, open_things: AsyncExitStack) -> tuple[Swap, bool]:
    """Give how the pattern exchanges the node, and whether it does so in a process that lives on."""
    placed, parameter = placed_component(bench.outputs, update.definition.node), update.definition.parameter
    if placed is not None:
        client = await open_things.enter_async_context(container_client(bench.world, bench.outputs.stack, placed[0]))
        again = swapping(client, placed[1], {})
        return (lambda _number: again()), True
    override = write_override(folder, "swap", parameter.spec if parameter else {})
    there = bench.world.target.overriding((override,))

    async def swap(number: int) -> Step:
        target = bench.world.target if number % 2 else there
        return await roll(target, bench.cluster, bench.outputs, bench.timeout_s)

    return swap, False


async def _check(cluster: Cluster, outputs: StackOutputs) -> None:
    application = application_of(outputs)
    replicas = expected_replicas(application)
    ready = count_ready(await cluster.pods(outputs.namespace, application.labels), replicas)
    role = preconditions.role_labels(application, outputs.stack)
    preconditions.refuse_blocking(
        [
            *preconditions.cluster_is_the_stacks(outputs, await cluster.uid(), cluster.context),
            *preconditions.application_runs(outputs, ready, sum(replicas.values())),
            *preconditions.no_other_experiment(await cluster.pods(None, role), [outputs.stack]),
        ]
    )


async def _memory(bench: Bench, capture: str) -> float | str:
    """Ask the machine readers for the memory of the application's containers."""
    pods = pod_identities(await bench.cluster.pods(bench.outputs.namespace, application_of(bench.outputs).labels))
    uids = [pod.uid for pod in pods]
    capturing = await bench.readers.start(capture, {pod.machine for pod in pods}, uids, MEMORY_LIMIT_S)
    await asyncio.sleep(MEMORY_S)
    return total_memory(await capturing.finish(), uids)


def total_memory(readers: Readers, uids: Sequence[str]) -> float | str:
    """Add up the last memory of every container of some pods, or give the reason why it is not known."""
    total, seen = 0.0, set[str]()
    for series in readers.values():
        if isinstance(series, str):
            return series
        last: dict[tuple[object, object], float] = {}
        table = series.table("containers")
        for row in table.records():
            value = row.get(MEMORY)
            if row.get(POD_UID) in uids and isinstance(value, int | float):
                last[row.get(POD_UID), row.get("container_id")] = float(value)
        seen |= {str(uid) for uid, _ in last}
        total += sum(last.values())
    return total if seen == set(uids) else "memory_not_told"


def swap_readings(number: int, done: Turn, memory: float | str) -> list[Reading]:
    """Give the readings of one swap; its number is their repetition."""
    gap = {"part": "swap"}
    return [
        Reading("swap_s", (done.rolled_out_ns - done.started_ns) / 1e9, repetition=number),
        Reading("service_gap_s", missing=NO_RESULT, labels=gap, repetition=number)
        if done.silence_s is None
        else Reading("service_gap_s", done.silence_s, labels=gap, repetition=number),
        Reading("memory_after_swap_bytes", missing=memory, repetition=number)
        if isinstance(memory, str)
        else Reading("memory_after_swap_bytes", memory, repetition=number),
    ]


if __name__ == "__main__":
    app()
