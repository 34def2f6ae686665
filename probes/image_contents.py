"""Pure: what a machine holds of an application's images, from the answer of `GET /v1/images`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.metrics import NO_PLATFORM

Inventory = Mapping[str, Any]


@dataclass(frozen=True)
class ApplicationContent:
    """What the images of an application are made of, as the registry tells.

    Args:
        manifests: Digests by which the stack names them: indexes or manifests.
        configurations: Compressed bytes of each configuration, by digest.
        layers: Compressed bytes of each layer, by digest.
        chain_ids: Key of the snapshot that each layer becomes, by the layer's digest.
    """

    manifests: frozenset[str]
    configurations: Mapping[str, int]
    layers: Mapping[str, int]
    chain_ids: Mapping[str, str]

    @property
    def digests(self) -> frozenset[str]:
        """Every digest under which a machine may hold a part of it."""
        return self.manifests | self.configurations.keys() | self.layers.keys() | frozenset(self.chain_ids.values())


@dataclass(frozen=True)
class Prepared:
    """The machines right before a deployment.

    Args:
        regime: As asked for.
        before: What each machine's containerd held, or why that is unknown.
        content: What the application's images are made of; None where nobody needed to know or the registry could not
            tell.
        problem: Why the regime is not proved.
        content_missing: Reason code where `content` is None.
    """

    regime: str
    before: Mapping[str, Inventory | str]
    content: ApplicationContent | None
    problem: str | None
    content_missing: str = NO_PLATFORM


def related_images(inventory: Inventory, content: ApplicationContent) -> list[Mapping[str, Any]]:
    """Give the images that are the application's or share a layer with it."""
    return [
        image
        for image in inventory["images"]
        if image["digest"] in content.manifests
        or image["config"] in content.configurations
        or any(layer["digest"] in content.layers for layer in image["layers"])
    ]


def to_remove(inventory: Inventory, content: ApplicationContent) -> list[str]:
    """Give the digests whose removal leaves nothing of the application; none where nothing is there."""
    wanted = set(held(inventory, content))
    for image in related_images(inventory, content):
        wanted |= {image["digest"], *([image["config"]] if image["config"] else [])}
        for layer in image["layers"]:
            wanted |= {layer["digest"], *([layer["chain_id"]] if layer["chain_id"] else [])}
    return sorted(wanted)


def held(inventory: Inventory, content: ApplicationContent) -> list[str]:
    """Give the digests of the application that a machine holds: images, content, snapshots, unfinished downloads."""
    own = content.digests
    found = {image["digest"] for image in inventory["images"]} & own
    found |= {blob["digest"] for blob in inventory["content"]} & own
    found |= {snapshot["key"] for snapshot in inventory["snapshots"]} & own
    references: Sequence[str] = [download["reference"] for download in inventory["downloads"]]
    return sorted(found | {digest for digest in own if any(digest in reference for reference in references)})


def leftovers(inventory: Inventory, content: ApplicationContent) -> list[str]:
    """Give what is left of the application, and the images that share a layer with it."""
    return held(inventory, content) + [image["digest"] for image in related_images(inventory, content)]


def pulled_bytes(before: Inventory, after: Inventory, content: ApplicationContent) -> int:
    """Count the compressed bytes of the application that a machine has and had not: layers and configurations, once.

    A layer counts as had where its compressed content or the snapshot it becomes was there: containerd may throw the
    content of an unpacked layer away.
    """
    had, has = (_parts(inventory, content) for inventory in (before, after))
    sizes = {**content.configurations, **content.layers}
    return sum(sizes[digest] for digest in has - had)


def _parts(inventory: Inventory, content: ApplicationContent) -> set[str]:
    blobs = {blob["digest"] for blob in inventory["content"]}
    snapshots = {snapshot["key"] for snapshot in inventory["snapshots"]}
    layers = {digest for digest in content.layers if digest in blobs or content.chain_ids.get(digest, "") in snapshots}
    return layers | (blobs & content.configurations.keys())
