"""What is on the machines before an install, made so and proved: `warm`, `image_cold`, `pristine`.

`image_cold`: no image, layer, unpacked snapshot or half-finished download of the application is on any machine that can
be asked. `pristine`: nor has the application left any volume. What shares a layer with the application is removed with
it, since its next pull would be the shorter for it. A regime that could not be proved makes the run invalid.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from probes.deploy import application_of
from probes.evidence import PodIdentity, RegimeEvidence
from probes.image_contents import ApplicationContent, Prepared, held, leftovers, pulled_bytes, to_remove
from probes.measurements.images import NO_IMAGE_ACCESS
from probes.metrics import NO_PLATFORM
from probes.readers import CALL_LIMIT_S, MachineReader, ReaderSet
from probes.registry import Registry, RegistryProblem, parse_reference
from probes.run_state import Bench
from probes.signed_http import CallRefused
from probes.volumes import renew_volumes
from stacks.outputs import StackOutputs

REMOVE_LIMIT_S = 120.0
ATTEMPTS = 3
SETTLE_S = 1.0


async def prepare(bench: Bench, outputs: StackOutputs, head: str) -> Prepared:
    """Bring the machines of a parked stack to the regime of the plan, and look at what they hold then."""
    regime, readers = bench.plan.regime, bench.readers
    content, unknown, code = None, "no machine reader is connected", NO_PLATFORM
    if readers.clients:
        try:
            content = await content_of(bench, outputs)
        except RegistryProblem as problem:
            unknown = f"the registry does not tell what the images are made of: {problem}"
            code = problem.reason
            bench.world.screen.note(f"{head}: pulled bytes are missing: {unknown}")
    if content is None or regime == "warm":
        problem = None if regime == "warm" else unknown
        return Prepared(regime, await inventories(readers), content, problem, code)
    bench.world.screen.step(f"{head}: remove the application's images from {len(readers.clients)} machines")
    problems = [problem for name in readers.clients if (problem := await purge(readers, name, content))]
    if regime == "pristine":
        bench.world.screen.step(f"{head}: make the application's volumes anew")
        problems += await renew_volumes(bench, outputs)
    before = await inventories(readers)
    problems += [
        f"{name}: {text}" for name, text in before.items() if isinstance(text, str) and name in readers.clients
    ]
    problems += [
        f"{name} still holds {', '.join(found[:3])}"
        for name, inventory in before.items()
        if not isinstance(inventory, str) and (found := leftovers(inventory, content))
    ]
    return Prepared(regime, before, content, "; ".join(problems) or None)


async def purge(readers: ReaderSet, machine: str, content: ApplicationContent) -> str | None:
    """Remove the application from one machine; gives why something is left, None where nothing is."""
    client, left = readers.clients[machine], ""
    for _ in range(ATTEMPTS):
        inventory = await _inventory(readers, machine)
        if isinstance(inventory, str):
            return f"{machine}: {inventory}"
        digests = to_remove(inventory, content)
        if not digests:
            return None
        answer = await readers.attempt(machine, client.remove_images(digests), REMOVE_LIMIT_S)
        if isinstance(answer, str):
            return f"{machine}: {answer}"
        left = "; ".join(f"{entry['kind']} {entry['digest']}: {entry['reason']}" for entry in answer["left"][:3])
        # containerd collects what nothing refers to any more a moment later.
        await asyncio.sleep(SETTLE_S if left else 0)
    return f"{machine} keeps {left}" if left else None


async def prove(bench: Bench, prepared: Prepared, pods: Sequence[PodIdentity], pulled: Sequence[str]) -> RegimeEvidence:
    """Ask the machines again after the deployment, and say what was pulled and whether the regime is proved."""
    content = prepared.content
    after = await inventories(bench.readers)
    grown: dict[str, int | str] = {}
    for machine in sorted({*prepared.before, *(pod.machine for pod in pods)}):
        old, new = (which.get(machine, bench.readers.reason(machine)) for which in (prepared.before, after))
        if isinstance(old, str) or isinstance(new, str):
            grown[machine] = old if isinstance(old, str) else str(new)
        elif content is None:
            grown[machine] = prepared.content_missing
        else:
            grown[machine] = pulled_bytes(old, new, content)
    problems = [prepared.problem] if prepared.problem else []
    if prepared.regime != "warm":
        problems += [
            f"pods ran on {machine}, which could not be asked: {grown[machine]}"
            if isinstance(grown[machine], str)
            else f"nothing was pulled on {machine}, although pods of the application ran there"
            for machine in sorted({pod.machine for pod in pods})
            if isinstance(grown[machine], str) or grown[machine] == 0
        ]
        if not pulled:
            problems.append("no event tells of a pull")
    return RegimeEvidence(
        regime=prepared.regime,
        present_before={
            machine: held(inventory, content)
            for machine, inventory in prepared.before.items()
            if content is not None and not isinstance(inventory, str)
        },
        pulled_bytes=grown,
        pulled=tuple(pulled),
        problem="; ".join(problems) or None,
    )


async def inventories(readers: ReaderSet) -> dict[str, Mapping[str, Any] | str]:
    """Ask every machine what it holds of images; a reason where it cannot be asked."""
    names = readers.names()
    found = await asyncio.gather(*(_inventory(readers, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _inventory(readers: ReaderSet, machine: str) -> Mapping[str, Any] | str:
    client = readers.clients.get(machine)
    if client is None:
        return readers.reason(machine)

    async def asked(reader: MachineReader) -> Mapping[str, Any] | str:
        try:
            return await reader.images()
        except CallRefused as refused:
            if refused.status != HTTPStatus.NOT_IMPLEMENTED:
                raise
            return NO_IMAGE_ACCESS

    return await readers.attempt(machine, asked(client), CALL_LIMIT_S)


async def content_of(bench: Bench, outputs: StackOutputs) -> ApplicationContent:
    """Ask the registry what the application's images are made of, for every architecture of the cluster.

    Raises:
        RegistryProblem: It cannot tell.
    """
    application = application_of(outputs)
    references = sorted({image for pod in application.pods for image in pod.images()})
    architectures = sorted({machine.architecture for machine in await bench.cluster.machines()})
    return await asyncio.to_thread(read_content, references, architectures)


def read_content(references: Sequence[str], architectures: Sequence[str]) -> ApplicationContent:
    """Read manifests and configurations of images; one that an architecture lacks is skipped for it.

    Raises:
        RegistryProblem: The registry cannot tell, or no architecture has an image.
    """
    manifests: set[str] = set()
    layers: dict[str, int] = {}
    parts: dict[str, int] = {}
    chains: dict[str, str] = {}
    with Registry(os.environ.get("ROS2BENCH_REGISTRY_CA")) as registry:
        for reference in map(parse_reference, references):
            manifests.add(reference.digest)
            found = 0
            for architecture in architectures:
                try:
                    image = registry.image(reference, architecture)
                except RegistryProblem as problem:
                    if problem.reason != "no_image_for_architecture":
                        raise
                    continue
                found += 1
                parts[image.configuration.digest] = image.configuration.bytes_wire
                layers |= {layer.digest: layer.bytes_wire for layer in image.layers}
                own_chains = registry.chain_ids(image)
                chains |= {layer.digest: chain for layer, chain in zip(image.layers, own_chains, strict=True)}
            if not found:
                raise RegistryProblem("no_image_for_architecture", f"{reference}: {', '.join(architectures)}")
    return ApplicationContent(frozenset(manifests), parts, layers, chains)
