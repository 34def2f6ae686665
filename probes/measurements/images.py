"""S_img: what the pattern's images weigh, from the registry's manifests.

image_bytes_wire     compressed layers and configurations that a machine without any image pulls, each once
image_bytes_disk     unpacked bytes of those layers
image_bytes_unique   compressed bytes of the layers that exactly one image of the pattern has
"""

import asyncio
import os
from collections import Counter

from probes.evidence import RegimeEvidence
from probes.measurement import Evidence, Measurement, RunContext
from probes.metrics import NO_APPLICATION, NO_PLATFORM, NOT_REQUESTED, Metric
from probes.readings import Reading
from probes.registry import Image, Registry, RegistryProblem, parse_reference

NO_IMAGE_ACCESS = "no_image_access"
WHY_MISSING = {
    "several_architectures": "the application's machines have several architectures, whose images differ in size",
    "image_not_by_digest": "an image of the stack is not named by digest",
    "no_image_for_architecture": "an image's index has none for the machines' architecture",
    "image_not_in_registry": "the registry has no such image",
    "layer_corrupt": "the bytes of a layer do not have the digest that its manifest names",
    "manifest_corrupt": "the bytes of a manifest do not have the digest by which it was asked for",
    "registry_unreachable": "the registry cannot be reached from the runner's machine",
    "registry_untrusted": "the registry's certificate is not signed by a known authority",
    "registry_refused": "the registry wants a login",
    "registry_authority_unreadable": "the file that ROS2BENCH_REGISTRY_CA names cannot be read",
}
SOURCE = "manifests in the registry, of the digests that the stack's contract names, for the machines' architecture"
METRICS = (
    Metric(
        "image_bytes_wire",
        "S_img",
        "B",
        "compressed bytes of all images of the pattern, overlays included, that a machine without any image pulls, "
        "each layer and configuration once",
        source=SOURCE,
        resolution="1 B",
        error_bound="exact for content; HTTP and TLS framing and the manifests themselves are not counted",
        missing=WHY_MISSING,
    ),
    Metric(
        "image_bytes_disk",
        "S_img",
        "B",
        "bytes of the unpacked layers of the pattern's images, each layer once",
        source=f"{SOURCE}; each layer is unpacked once and its size kept by digest",
        resolution="1 B",
        error_bound="exact for the tar streams; the file system's blocks and the compressed copy are not counted",
        missing=WHY_MISSING,
    ),
    Metric(
        "image_bytes_unique",
        "S_img",
        "B",
        "compressed bytes of the layers that exactly one image of the pattern has",
        source=SOURCE,
        resolution="1 B",
        error_bound="exact for content",
        missing=WHY_MISSING,
    ),
    Metric(
        "pulled_bytes",
        "",
        "B",
        "compressed bytes of layers and configurations of the application's images that the machines have after the "
        "install and had not before: the sum of all machines, and each",
        source="containerd's content and snapshots by digest, asked by the machine readers before the deployment and "
        "after the window; sizes from the registry's manifests",
        resolution="1 layer",
        error_bound="exact for whole layers; a pull that was cut off in the middle is not counted",
        missing={
            NOT_REQUESTED: "needs --cycles install",
            NO_IMAGE_ACCESS: "the machine reader has no access to containerd (machineReaders.allowImageRemoval of the "
            "platform is off), or containerd lacks what it takes",
            **WHY_MISSING,
        },
        labels={"machine": "of that machine"},
    ),
)
NAMES = ("image_bytes_wire", "image_bytes_disk", "image_bytes_unique")


class Measured(Measurement):
    """Asks the registry once per run, and reads what each install pulled."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give pulled_bytes of all machines and of each."""
        return pulled_readings(evidence.regime)

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give the three sizes, or the reason why the registry could not tell."""
        application = context.outputs.application
        if application is None:
            return tuple(Reading(name, missing=NO_APPLICATION) for name in NAMES)
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


def pulled_readings(regime: RegimeEvidence | None) -> tuple[Reading, ...]:
    """Give what was pulled; the sum is missing where a machine could not be asked."""
    if regime is None:
        return (Reading("pulled_bytes", missing=NOT_REQUESTED),)
    each = [
        Reading("pulled_bytes", missing=amount, labels={"machine": machine})
        if isinstance(amount, str)
        else Reading("pulled_bytes", float(amount), labels={"machine": machine})
        for machine, amount in regime.pulled_bytes.items()
    ]
    reasons = [reading.missing for reading in each if reading.missing]
    if reasons or not each:
        return Reading("pulled_bytes", missing=reasons[0] if reasons else NO_PLATFORM), *each
    return Reading("pulled_bytes", sum(reading.value or 0.0 for reading in each)), *each


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
