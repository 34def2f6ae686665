"""S_img: what the pattern's images weigh, from the registry's manifests.

image_bytes_wire     compressed layers and configurations that a machine without any image pulls, each once
image_bytes_disk     unpacked bytes of those layers
image_bytes_unique   compressed bytes of the layers that exactly one image of the pattern has
"""

import asyncio
import os
from collections import Counter

from probes.measurement import Measurement, RunContext
from probes.readings import Reading
from probes.registry import Image, Registry, RegistryProblem, parse_reference

NAMES = ("image_bytes_wire", "image_bytes_disk", "image_bytes_unique")


class Measured(Measurement):
    """Asks the registry once per run."""

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give the three sizes, or the reason why the registry could not tell."""
        application = context.outputs.application
        if application is None:
            return tuple(Reading(name, missing="no_application") for name in NAMES)
        references = sorted({image for pod in application.pods for image in pod.images()})
        architectures = {machine.architecture for machine in context.application_machines}
        if len(architectures) != 1:
            return tuple(Reading(name, missing="several_architectures") for name in NAMES)
        try:
            images, disk_bytes = await asyncio.to_thread(_measure, references, architectures.pop())
        except RegistryProblem as problem:
            context.note(f"Image sizes are missing: {problem}")
            return tuple(Reading(name, missing=problem.reason) for name in NAMES)
        return (
            Reading("image_bytes_wire", float(wire_bytes(images))),
            Reading("image_bytes_disk", float(disk_bytes)),
            Reading("image_bytes_unique", float(unique_bytes(images))),
        )


def wire_bytes(images: list[Image]) -> int:
    """Sum the layers and configurations of a pattern, each digest once."""
    blobs = {blob.digest: blob.bytes_wire for image in images for blob in (image.configuration, *image.layers)}
    return sum(blobs.values())


def unique_bytes(images: list[Image]) -> int:
    """Sum the layers that exactly one image of the pattern has."""
    owners = Counter(digest for image in images for digest in {layer.digest for layer in image.layers})
    sizes = {layer.digest: layer.bytes_wire for image in images for layer in image.layers}
    return sum(size for digest, size in sizes.items() if owners[digest] == 1)


def _measure(references: list[str], architecture: str) -> tuple[list[Image], int]:
    with Registry(os.environ.get("ROS2BENCH_REGISTRY_CA")) as registry:
        images = [registry.image(parse_reference(reference), architecture) for reference in references]
        layers = {layer.digest: (image, layer) for image in images for layer in image.layers}
        return images, sum(registry.unpacked_bytes(image.reference, layer) for image, layer in layers.values())
