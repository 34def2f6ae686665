"""The update cycle: the same defined change in every pattern, taken in by the pattern's own means, and undone.

code, model   new images of the changed node (its least image, its overlay, or the one image of all), then `pulumi up`
parameter     `pulumi up` with another value; a node in a component container is unloaded and loaded by signed calls

No tracked file is written: what differs stands in an override of the spec (ROS2BENCH_SPEC_OVERRIDE) in the run's
folder.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from probes.component_calls import ComponentClient, Wanted, component_client
from probes.defined_update import DefinedUpdate, changed_roles, find_update, placed_component
from probes.deploy import application_of
from probes.errors import TargetError
from probes.preview import objects_changed
from probes.publishing import PUBLISH_FAILED, NotPossible, compare, publish
from probes.registry import RegistryProblem
from probes.run_state import Begun, Bench, Run
from probes.signing import operator_key
from probes.turn import Listener, Step, exchange, roll, turn
from probes.update_evidence import CHANGES, Change, UpdateCycle
from probes.world import Cluster, World
from signing.keys import key_path
from stacks.outputs import PlacedComponent, StackOutputs

PARTS = ("publish_s", "update", "rollback", "bytes_wire", "objects_changed")
NO_DEFINED_UPDATE = "no_defined_update"
NOT_DEFINED = "change_not_defined"
NODE_NOT_PLACED = "node_not_placed"
NOTHING_TO_PUBLISH = "nothing_to_publish"
PREVIEW_FAILED = "preview_failed"
CHANGES_NOTHING = "update_changes_nothing"
SEVERAL_ARCHITECTURES = "several_architectures"


@dataclass(frozen=True)
class Subject:
    """The running experiment that is updated, who listens to it, and where its files lie."""

    outputs: StackOutputs
    listener: Listener
    folder: Path
    timeout_s: float


async def update_all(bench: Bench, run: Run, begun: Begun) -> tuple[UpdateCycle, ...]:
    """Make and undo every defined change after the window of a repetition, with its capture going on."""
    listener = Listener(run.recorder, begun.clock, begun.topic, begun.capture)
    subject = Subject(run.outputs, listener, run.folder.path, bench.plan.durations.ready_timeout_s)
    return tuple([await measure_update(bench.world, bench.cluster, subject, change) for change in CHANGES])


async def measure_update(world: World, cluster: Cluster, subject: Subject, change: Change) -> UpdateCycle:
    """Make the defined change in a running experiment, measure it, undo it, measure that.

    What a pattern, an application or this machine does not allow becomes the reason of what is missing; the experiment
    is then as it was.

    Raises:
        TargetError: The experiment could not be brought to or back from the new version, and is left as it is.
        UsageError: The definition of the update cannot be used.
    """
    name = application_of(subject.outputs).name
    update = find_update(name)
    if update is None:
        return missing_cycle(change, NO_DEFINED_UPDATE)
    if (update.definition.parameter if change == "parameter" else update.patched(change)) is None:
        return missing_cycle(change, NOT_DEFINED)
    if not _is_placed(subject.outputs, update.definition.node):
        return missing_cycle(change, NODE_NOT_PLACED)
    placed = placed_component(subject.outputs, update.definition.node)
    if change == "parameter" and placed is not None:
        return await _swapped(world, subject, update, placed)
    try:
        return await _rolled_out(world, cluster, subject, update, change)
    except NotPossible as problem:
        world.screen.note(f"update of {change}: {problem}")
        return missing_cycle(change, problem.reason)


def missing_cycle(change: Change, reason: str) -> UpdateCycle:
    """Give a cycle that was not made."""
    return UpdateCycle(change, missing=dict.fromkeys(PARTS, reason))


async def _rolled_out(
    world: World, cluster: Cluster, subject: Subject, update: DefinedUpdate, change: Change
) -> UpdateCycle:
    """Update and roll back by `pulumi up`."""
    outputs, stack = subject.outputs, subject.outputs.stack
    stamp = secrets.token_hex(8)
    head = f"{stack}: update of {change}"
    parameter, patch = update.definition.parameter, update.patch(change)
    found, reasons = UpdateCycle(change, "rollout"), dict[str, str]()
    if patch is not None:
        world.screen.step(f"{head}: publish")
        lock = subject.folder / f"update-{stamp}.lock.json"
        roles = _roles(outputs, update, change)
        found = replace(found, publish_s=await publish(patch, stamp, roles, lock))
        spec: Mapping[str, Any] = {"images": {"lock": str(lock)}}
    else:
        reasons["publish_s"] = NOTHING_TO_PUBLISH
        spec = parameter.spec if parameter else {}
    override = subject.folder / f"update-{stamp}.yaml"
    override.write_text(yaml.safe_dump(dict(spec)), encoding="utf-8")
    target = world.target.overriding((override,))
    try:
        objects = objects_changed(await asyncio.to_thread(target.preview, stack))
    except (TargetError, ValueError, KeyError, IndexError) as error:
        raise NotPossible(PREVIEW_FAILED, f"what it would change cannot be told: {error}") from None
    if objects == 0:
        raise NotPossible(CHANGES_NOTHING, f"`pulumi preview` of stack {stack} says that it would change no object")
    world.screen.step(f"{head}: roll out")
    there = await turn(subject.listener, lambda: roll(target, cluster, outputs, subject.timeout_s), subject.timeout_s)
    after = await asyncio.to_thread(world.target.outputs, stack)
    sizes = await _bytes_wire(cluster, outputs, after)
    world.screen.step(f"{head}: roll back")
    back = await turn(
        subject.listener, lambda: roll(world.target, cluster, outputs, subject.timeout_s), subject.timeout_s
    )
    if isinstance(sizes, str):
        reasons["bytes_wire"] = sizes
    return replace(
        found,
        update=there,
        rollback=back,
        bytes_wire=None if isinstance(sizes, str) else sizes,
        objects_changed=objects,
        missing=reasons,
    )


async def _swapped(
    world: World, subject: Subject, update: DefinedUpdate, placed: tuple[str, PlacedComponent]
) -> UpdateCycle:
    """Update and roll back by signed calls: no object of the cluster changes, and no byte is pulled."""
    parameter = update.definition.parameter
    if parameter is None:
        return missing_cycle("parameter", NOT_DEFINED)
    container, component = placed
    world.screen.step(f"{subject.outputs.stack}: update of parameter: unload and load {component.node}")
    async with container_client(world, subject.outputs.stack, container) as client:
        there = await turn(
            subject.listener, swapping(client, component, {parameter.name: parameter.value}), subject.timeout_s
        )
        back = await turn(subject.listener, swapping(client, component, {}), subject.timeout_s)
    return UpdateCycle(
        "parameter",
        "swap",
        update=there,
        rollback=back,
        bytes_wire=0,
        objects_changed=0,
        missing={"publish_s": NOTHING_TO_PUBLISH},
    )


def container_client(world: World, stack: str, container: str) -> AbstractAsyncContextManager[ComponentClient]:
    """Open a client of a component container, signing with the operator's key."""
    path = key_path(os.environ)
    return component_client(world.target, world.connect, stack, container, (str(path), operator_key(path)))


def swapping(
    client: ComponentClient, component: PlacedComponent, changes: Mapping[str, Any]
) -> Callable[[], Awaitable[Step]]:
    """Give the exchange of a component by itself with some other parameters."""
    wanted = Wanted(component.plugin, component.node, component.package, parameters={**component.parameters, **changes})
    return lambda: exchange(client, component.node, wanted)


async def _bytes_wire(cluster: Cluster, before: StackOutputs, after: StackOutputs) -> int | str:
    architectures = {machine.architecture for machine in await cluster.machines()}
    if len(architectures) != 1:
        return SEVERAL_ARCHITECTURES
    old, new = (_images(outputs) for outputs in (before, after))
    if old == new:
        return 0
    try:
        return await asyncio.to_thread(compare, old, new, architectures.pop())
    except RegistryProblem as problem:
        return problem.reason


def _images(outputs: StackOutputs) -> list[str]:
    return sorted({image for pod in application_of(outputs).pods for image in pod.images()})


def _roles(outputs: StackOutputs, update: DefinedUpdate, change: Change) -> list[str]:
    try:
        return changed_roles(outputs, update, change)
    except RegistryProblem as problem:
        raise NotPossible(PUBLISH_FAILED, str(problem)) from None


def _is_placed(outputs: StackOutputs, node: str) -> bool:
    return any(node in process for pod in application_of(outputs).pods for process in pod.processes)
