"""What a machine holds of images: which parts belong to which image, and who still needs a part."""

import hashlib
import json
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ros2bench_machine_reader.containerd_client import (
    SNAPSHOT_LABEL,
    Blob,
    CriImage,
    Download,
    ImageRecord,
    RunningContainer,
    Snapshot,
)

DIGEST = re.compile(r'sha256:[0-9a-f]{64}')
LARGEST_MANIFEST_BYTES = 8 << 20
GARBLED = (LookupError, TypeError, ValueError, AttributeError)
MACHINES = {'x86_64': 'amd64', 'aarch64': 'arm64'}


@dataclass(frozen=True)
class Layer:
    """A layer: its compressed content, and the snapshot that it and those below it become.

    Attributes:
        chain_id: key of the snapshot; None where the configuration is not there to tell.
    """

    digest: str
    size_bytes: int
    chain_id: str | None


@dataclass(frozen=True)
class Image:
    """An image, named or with what its manifests tell.

    Attributes:
        digest: of what the names point to: an index or a manifest.
        parts: digests of all content that belongs to it and is there to be read: index,
            manifests, configuration; layers besides.
        used_by: running containers.
        incomplete: what could not be read, None if all could.
    """

    digest: str
    names: tuple[str, ...]
    config: str | None
    layers: tuple[Layer, ...]
    parts: frozenset[str]
    is_pinned: bool
    used_by: tuple[str, ...]
    incomplete: str | None

    @property
    def content(self) -> frozenset[str]:
        """Digests of all its content."""
        return self.parts | {layer.digest for layer in self.layers}

    @property
    def chain_ids(self) -> frozenset[str]:
        """Keys of its snapshots."""
        return frozenset(layer.chain_id for layer in self.layers if layer.chain_id)


@dataclass(frozen=True)
class Inventory:
    """Everything of one moment."""

    images: tuple[Image, ...]
    blobs: Mapping[str, Blob]
    snapshots: tuple[Snapshot, ...]
    downloads: tuple[Download, ...]
    leases: Mapping[str, Sequence[str]]

    def needed_by(self, digest: str) -> str | None:
        """Who needs a piece of content or a snapshot; None if nobody does."""
        for image in self.images:
            if digest in image.content or digest in image.chain_ids:
                return f'image {image.names[0]}'
        for snapshot in self.snapshots:
            if snapshot.parent == digest:
                return f'snapshot {snapshot.key}'
        return None

    def held_by(self, digest: str) -> str | None:
        """Who needs it, or which lease keeps it from being collected."""
        for lease, keys in self.leases.items():
            if digest in keys:
                return self.needed_by(digest) or f'lease {lease}'
        return self.needed_by(digest)


def snapshotters(blobs: Iterable[Blob]) -> tuple[str, ...]:
    """Names of the snapshotters that images were unpacked with, as configurations are labelled."""
    labels = {label for blob in blobs for label in blob.labels if label.startswith(SNAPSHOT_LABEL)}
    return tuple(sorted(label.removeprefix(SNAPSHOT_LABEL) for label in labels))


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """Key of the snapshot of each layer, from the digests of the unpacked layers.

    https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
    """
    found: list[str] = []
    for diff_id in diff_ids:
        if not found:
            found.append(diff_id)
            continue
        text = f'{found[-1]} {diff_id}'.encode()
        found.append(f'sha256:{hashlib.sha256(text).hexdigest()}')
    return tuple(found)


def make_images(
    records: Sequence[ImageRecord],
    blobs: Mapping[str, Blob],
    cri_images: Sequence[CriImage],
    containers: Sequence[RunningContainer],
    read: Callable[[str], bytes],
) -> tuple[Image, ...]:
    """Images by target, with their parts.

    Args:
        records: all names.
        blobs: all content by digest.
        cri_images: the kubelet's view, for what is pinned.
        containers: who runs.
        read: gives the content of a manifest or a configuration.
    """
    names: dict[str, list[str]] = {}
    for record in records:
        names.setdefault(record.target, []).append(record.name)
    pinned = {image.identifier for image in cri_images if image.is_pinned}
    found = []
    for target, own in sorted(names.items()):
        parts, config, layers, incomplete = _read_parts(target, blobs, read)
        known_as = {target, config, *own} - {None}
        used_by = tuple(c.identifier for c in containers if known_as.intersection(c.images))
        found.append(
            Image(
                digest=target,
                # The kubelet's own name, the digest of the configuration, says the least.
                names=tuple(sorted(own, key=lambda name: (name.startswith('sha256:'), name))),
                config=config,
                layers=layers,
                parts=frozenset(parts),
                is_pinned=config in pinned,
                used_by=used_by,
                incomplete=incomplete,
            )
        )
    return tuple(found)


def _read_parts(
    target: str, blobs: Mapping[str, Blob], read: Callable[[str], bytes]
) -> tuple[set[str], str | None, tuple[Layer, ...], str | None]:
    """Index, manifest and configuration; the layers with their chain ids; what lacks."""
    parts: set[str] = set()
    try:
        manifest = _document(target, blobs, read, parts)
        if 'manifests' in manifest:
            manifest = _document(_of_this_machine(manifest), blobs, read, parts)
        config = str(manifest['config']['digest'])
        described = [(str(layer['digest']), int(layer['size'])) for layer in manifest['layers']]
    except GARBLED as error:
        return parts, None, (), f'{target}: {error}'
    try:
        diff_ids = _document(config, blobs, read, parts)['rootfs']['diff_ids']
        keys: tuple[str | None, ...] = chain_ids([str(diff_id) for diff_id in diff_ids])
        incomplete = None
    except GARBLED as error:
        keys, incomplete = (), f'{config}: {error}'
    # A configuration that tells of other layers than the manifest tells nothing of these.
    keys = keys if len(keys) == len(described) else (None,) * len(described)
    layers = tuple(Layer(*layer, key) for layer, key in zip(described, keys, strict=True))
    return parts | {config}, config, layers, incomplete


def _document(
    digest: str, blobs: Mapping[str, Blob], read: Callable[[str], bytes], parts: set[str]
) -> dict[str, Any]:
    blob = blobs.get(digest)
    if blob is None:
        raise ValueError(f'{digest} is not on this machine')
    if blob.size_bytes > LARGEST_MANIFEST_BYTES:
        raise ValueError(f'{digest} has {blob.size_bytes} bytes: no manifest')
    parts.add(digest)
    content = json.loads(read(digest))
    if not isinstance(content, dict):
        raise TypeError(f'{digest} holds no object')
    return content


def _of_this_machine(index: Mapping[str, Any]) -> str:
    architecture = MACHINES.get(platform.machine(), platform.machine())
    for entry in index['manifests']:
        wanted = entry.get('platform', {'architecture': architecture, 'os': 'linux'})
        if wanted.get('architecture') == architecture and wanted.get('os') == 'linux':
            return str(entry['digest'])
    raise LookupError(f'the index has no image for linux/{architecture}')


def as_json(inventory: Inventory) -> dict[str, Any]:
    """Answer of `GET /v1/images`."""
    unpacked = {snapshot.key for snapshot in inventory.snapshots}
    return {
        'images': [_image_json(image, inventory.blobs, unpacked) for image in inventory.images],
        'content': [
            {'digest': blob.digest, 'bytes': blob.size_bytes, 'held_by': inventory.held_by(digest)}
            for digest, blob in sorted(inventory.blobs.items())
        ],
        'snapshots': [
            {
                'key': snapshot.key,
                'parent': snapshot.parent or None,
                'kind': snapshot.kind,
                'snapshotter': snapshot.snapshotter,
                'bytes': snapshot.size_bytes,
            }
            for snapshot in inventory.snapshots
        ],
        'downloads': [
            {
                'reference': download.reference,
                'bytes': download.size_bytes,
                'total_bytes': download.total_bytes,
            }
            for download in inventory.downloads
        ],
    }


def _image_json(image: Image, blobs: Mapping[str, Blob], unpacked: set[str]) -> dict[str, Any]:
    return {
        'digest': image.digest,
        'names': list(image.names),
        'config': image.config,
        'bytes': sum(blobs[digest].size_bytes for digest in image.content if digest in blobs),
        'layers': [
            {
                'digest': layer.digest,
                'bytes': layer.size_bytes,
                'chain_id': layer.chain_id,
                'is_present': layer.digest in blobs,
                'is_unpacked': layer.chain_id in unpacked,
            }
            for layer in image.layers
        ],
        'is_pinned': image.is_pinned,
        'used_by': list(image.used_by),
        'incomplete': image.incomplete,
    }
