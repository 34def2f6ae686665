"""A campaign as a short list of steps: choose, check, plan, measure, seal, upload, show.

Until the checks have passed nothing is written. From then on every stack of the campaign has a run folder with a
journal, and whatever happens is sealed there.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from probes import preconditions
from probes.cell import Cell
from probes.cluster import Machine
from probes.deploy import application_of, count_ready, expected_replicas
from probes.errors import StoreUnavailable, TargetError, UsageError
from probes.fault_order import FaultOrder
from probes.gates import THRESHOLDS
from probes.journal import Journal
from probes.keeping import conclude_all
from probes.measurement import all_measurements
from probes.noise_floor import keep_noise_floor
from probes.plan import DEPLOYING, Cycles, Durations, Plan, Regime, make_plan
from probes.platform import platform_of, require_readers
from probes.preconditions import Finding
from probes.provenance import PROJECT_ROOT, boot_id, load_average, operator_facts, read_commit
from probes.reader_door import reader_door
from probes.readers import connected
from probes.readings import Reading
from probes.record import CONTEXT_FILE
from probes.recorder import RecorderClient, audience_of
from probes.registry import Registry, RegistryProblem, parse_reference
from probes.repetition import measure_repetition
from probes.run_id import created_at, new_run_id
from probes.run_state import Bench, Run
from probes.signed_http import forwarded_client
from probes.signing import CallSigner, operator_key
from probes.spool import Spool
from probes.store import pinned
from probes.tables import encode_table, readings_table
from probes.warming import bring_images, park_others
from probes.world import Cluster, World
from signing.keys import key_path
from stacks.outputs import RecorderEndpoint, StackOutputs

RUN_READINGS_FILE = "repetitions/run.metrics.parquet"


@dataclass(frozen=True)
class Request:
    """What a user asked for."""

    stacks: tuple[str, ...]
    repetitions: int
    cycles: Cycles
    durations: Durations
    seed: int
    store: str | None
    cell: Cell | None = None
    regime: Regime = "warm"
    platform: str | None = None
    is_controlled: bool = False
    network: bool | None = None
    fault: FaultOrder | None = None


@dataclass
class Campaign:
    """What exists so far; filled step by step, so that an interruption finds all there is to seal."""

    request: Request
    plan: Plan | None = None
    runs: list[Run] = field(default_factory=list[Run])


async def measure(campaign: Campaign, world: World) -> None:
    """Do the campaign up to its last repetition; `probes.conclusion` seals and uploads what came of it.

    Raises:
        ProbeError: Something that the user can act on; what was measured until then lies in the spool.
    """
    request = campaign.request
    stacks = world.target.choose(request.stacks)
    chosen = [world.target.outputs(stack) for stack in stacks]
    plan = make_plan(
        stacks,
        request.repetitions,
        request.cycles,
        request.durations,
        request.seed,
        regime=request.regime,
        is_controlled=request.is_controlled,
        network=request.network,
        fault=request.fault,
    )
    campaign.plan = plan
    platform = platform_of(world.target, chosen, request.platform, request.regime)
    require_readers(platform, network=plan.network, fault=plan.fault)
    endpoints = [endpoint_of(outputs) for outputs in chosen]
    async with AsyncExitStack() as open_things:
        cluster = await open_things.enter_async_context(world.connect())
        findings = await check(world, cluster, chosen, plan, request.store, platform)
        preconditions.refuse_blocking(findings)
        for finding in findings:
            world.screen.finding(finding)
        recorders = [await open_things.enter_async_context(recorder_of(cluster, endpoint)) for endpoint in endpoints]
        for recorder in recorders:
            await free_recorder(world, recorder)
        machines = await cluster.machines()
        readers = await open_things.enter_async_context(
            connected(
                reader_door(cluster, platform.machine_readers) if platform and platform.machine_readers else None,
                machines,
                boot_id(),
                world.screen.note,
            )
        )
        bench = Bench(world, cluster, plan, readers)
        identifier = request.cell.campaign if request.cell else new_run_id()
        parts = {outputs.stack: (outputs, recorder) for outputs, recorder in zip(chosen, recorders, strict=True)}
        for stack, arm in plan.arms():
            run = start_run(world.spool, *parts[stack], request.store, arm)
            campaign.runs.append(run)
            context = context_of(run, plan, identifier, machines, findings, platform)
            cell = request.cell.as_record() if request.cell else None
            run.folder.write_json(CONTEXT_FILE, {**context, "cell": cell})
            world.screen.step(f"run {run.folder.run_id} of stack {run.name}")
        await _measure_all(bench, campaign.runs)
        keep_noise_floor(campaign.runs, plan)


async def _measure_all(bench: Bench, runs: Sequence[Run]) -> None:
    plan, by_arm = bench.plan, {(run.outputs.stack, run.arm): run for run in runs}
    stacks = tuple({run.outputs.stack: run.outputs for run in runs}.values())
    await bring_images(bench, stacks)
    for step in plan.order:
        run = by_arm[step.stack, step.arm]
        await park_others(bench, run.outputs, stacks)
        await measure_repetition(bench, run, step.repetition)
        if run.done == plan.repetitions:
            await _conclude(run)


async def _conclude(run: Run) -> None:
    readings: list[Reading] = []
    if run.context is not None:
        readings = await conclude_all(run.measurements, run.context)
    run.folder.write(RUN_READINGS_FILE, encode_table(readings_table(readings)))


def endpoint_of(outputs: StackOutputs) -> RecorderEndpoint:
    """Check that a stack can be measured, and give its recorder.

    Raises:
        UsageError: It is a platform.
        TargetError: It exports no recorder.
    """
    if outputs.kind == "platform":
        raise UsageError(
            f"Stack {outputs.stack} is a platform; only experiments are measured.",
            next_step="name an experiment with -s",
        )
    if outputs.recorder is None or not application_of(outputs).topics:
        raise TargetError(
            f"Stack {outputs.stack} exports no recorder or no topic to listen to.",
            next_step=f"pulumi up -s {outputs.stack}",
            reason="no_recorder",
        )
    return outputs.recorder


async def check(
    world: World,
    cluster: Cluster,
    chosen: Sequence[StackOutputs],
    plan: Plan,
    store: str | None,
    platform: StackOutputs | None = None,
) -> list[Finding]:
    """Look at everything that must hold before the first change."""
    measured = [outputs.stack for outputs in chosen]
    uid, machines = await cluster.uid(), await cluster.machines()
    findings: list[Finding] = []
    for outputs in chosen:
        findings += preconditions.cluster_is_the_stacks(outputs, uid, cluster.context)
    # In another cluster every later answer would be about other objects.
    preconditions.refuse_blocking(findings)
    if platform is not None and platform.machine_readers is not None:
        needed = preconditions.reader_permissions(platform.machine_readers.namespace)
        findings += preconditions.cluster_is_the_stacks(platform, uid, cluster.context)
        findings += preconditions.permissions_granted(await cluster.denied(needed))
    for outputs in chosen:
        application = application_of(outputs)
        needed = preconditions.permissions_needed(outputs)
        if plan.regime == "pristine":
            needed += preconditions.volume_permissions(outputs.namespace)
        refused = await cluster.denied(needed)
        findings += preconditions.permissions_granted(refused)
        preconditions.refuse_blocking(findings)
        role = preconditions.role_labels(application, outputs.stack)
        findings += preconditions.no_other_experiment(await cluster.pods(None, role), measured)
        pods = await cluster.pods(outputs.namespace, application.labels)
        findings += preconditions.no_leftovers(pods)
        if plan.cycles not in DEPLOYING:
            replicas = expected_replicas(application)
            ready = count_ready(pods, replicas)
            findings += preconditions.application_runs(outputs, ready, sum(replicas.values()))
        else:
            images = sorted({image for pod in application.pods for image in pod.images()})
            findings += preconditions.images_exist(await asyncio.to_thread(absent_images, images))
        if outputs.network is not None:
            wanted = outputs.network.socket_buffer_bytes
            findings += preconditions.socket_buffers_allowed(wanted, machines, boot_id())
            findings += preconditions.network_carries(outputs.network, len(machines))
        findings += preconditions.store_answers(await asyncio.to_thread(_problem_of, world, store, outputs))
    findings += preconditions.little_stray_load(load_average())
    findings += preconditions.space_for_the_run(world.spool.free_bytes(), world.spool.root)
    return list(dict.fromkeys(findings))


def absent_images(references: Sequence[str]) -> list[str]:
    """Give the images that their registry says it does not have; a registry that cannot be asked is no proof."""
    try:
        with Registry(os.environ.get("ROS2BENCH_REGISTRY_CA")) as registry:
            return [reference for reference in references if not registry.has(parse_reference(reference))]
    except RegistryProblem:
        return []


def _problem_of(world: World, store: str | None, outputs: StackOutputs) -> StoreUnavailable | None:
    try:
        world.open_store(store, outputs.records).check()
    except StoreUnavailable as problem:
        return problem
    return None


@asynccontextmanager
async def recorder_of(cluster: Cluster, endpoint: RecorderEndpoint) -> AsyncGenerator[RecorderClient]:
    """Open a client of a recorder, through the API server's port-forward and no proxy.

    Raises:
        UsageError: The operator's key cannot be used.
    """
    signer = CallSigner(operator_key(key_path(os.environ)), audience_of(endpoint))
    async with cluster.recorder(endpoint) as address, forwarded_client(address) as http:
        yield RecorderClient(http, signer)


async def free_recorder(world: World, recorder: RecorderClient) -> None:
    """End the capture that a killed run left behind; another run's capture is respected.

    Raises:
        TargetError: Another run uses the recorder, or it does not obey this key.
    """
    await recorder.require_obedience()
    active = (await recorder.status()).active_capture
    if active is None:
        return
    abandoned = [run for run in world.spool.runs() if active.startswith(run.run_id) and not run.is_running()]
    if not abandoned:
        raise TargetError(
            f"The recorder is busy with capture {active}, which no ended run on this machine has started.",
            next_step="wait until that run has ended; if nobody runs one, restart the recorder's pod",
            reason="recorder_busy",
        )
    world.screen.note(f"the killed run {abandoned[0].run_id} left its capture behind; it is ended now")
    await recorder.stop(active)
    await recorder.delete(active)


def start_run(spool: Spool, outputs: StackOutputs, recorder: RecorderClient, store: str | None, arm: str = "") -> Run:
    """Make the folder and the journal of a run."""
    folder = spool.create(new_run_id())
    journal = Journal(folder.path)
    journal.append("planned", stack=outputs.stack, store=pinned(store))
    return Run(outputs, folder, journal, recorder, all_measurements(), arm)


def context_of(
    run: Run,
    plan: Plan,
    campaign: str,
    machines: Sequence[Machine],
    findings: Sequence[Finding],
    platform: StackOutputs | None = None,
) -> dict[str, Any]:
    """Give everything that is known before the first repetition and belongs in the manifest."""
    outputs = run.outputs
    return {
        "run_id": run.folder.run_id,
        "campaign": campaign,
        "created_at": created_at(run.folder.run_id).isoformat(),
        "stack": outputs.stack,
        "pattern": outputs.pattern or "none",
        "arm": run.arm or None,
        "platform": platform.stack if platform else None,
        "spec": outputs.spec,
        "outputs": outputs.model_dump(mode="json", by_alias=True),
        "images": {pod.name: pod.image for pod in application_of(outputs).pods},
        "git": asdict(read_commit(PROJECT_ROOT)),
        "machines": [asdict(machine) for machine in machines],
        "operator": operator_facts(),
        "plan": plan.as_record(),
        "thresholds": dict(THRESHOLDS),
        "findings": [finding.as_record() for finding in findings],
    }
