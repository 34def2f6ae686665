"""`/v1/images`: what containerd holds of images, and the removal of what is named by its digest.

A cold run needs proof that a machine had nothing of the application: neither an image, nor a layer
of it, nor an unpacked snapshot, nor a download that was begun.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ros2bench_machine_reader.configuration import Configuration
from ros2bench_machine_reader.containerd_client import Containerd, Snapshot
from ros2bench_machine_reader.grpc_channel import NOT_FOUND, UNIMPLEMENTED, GrpcError
from ros2bench_machine_reader.image_inventory import (
    DIGEST,
    Image,
    Inventory,
    as_json,
    make_images,
    snapshotters,
)
from ros2bench_machine_reader.protobuf import WireError
from ros2bench_machine_reader.routing import (
    CallRefused,
    Extension,
    Request,
    Response,
    Route,
    json_response,
)

MOST_DIGESTS = 2_000
ALLOW = 'machineReaders.allowImageRemoval in the stack file of the platform says so'
Entry = dict[str, Any]


def take_inventory(containerd: Containerd) -> Inventory:
    """Ask for everything.

    Raises:
        GrpcError: a call failed.
    """
    blobs = {blob.digest: blob for blob in containerd.blobs()}
    images = make_images(
        containerd.image_records(),
        blobs,
        containerd.cri_images(),
        containerd.running_containers(),
        containerd.read,
    )
    return Inventory(
        images=images,
        blobs=blobs,
        snapshots=tuple(
            snapshot
            for snapshotter in snapshotters(blobs.values()) or ('overlayfs',)
            for snapshot in containerd.snapshots(snapshotter)
        ),
        downloads=tuple(containerd.downloads()),
        leases=containerd.leases(),
    )


def remove(containerd: Containerd, digests: Sequence[str]) -> dict[str, Any]:
    """Remove what the digests name, unless somebody needs it.

    An image goes with all its names, and containerd then collects what only it needed. Content,
    snapshots (by chain id) and downloads go only if they are named themselves.

    Returns:
        `removed` and `left` with what each entry was and why it is left, and `absent`: digests
        that nothing here has.

    Raises:
        GrpcError: a call failed.
    """
    before = take_inventory(containerd)
    wanted = set(digests)
    named = [image for image in before.images if wanted & {image.digest, image.config}]
    kept = [image for image in named if why_kept(image)]
    for image in named:
        if image not in kept:
            _remove_image(containerd, image)
    between = take_inventory(containerd)
    refused = _remove_parts(containerd, between, wanted)
    after = take_inventory(containerd)
    touched = wanted.union(*(image.content | image.chain_ids for image in named))
    return _difference(before, after, touched, wanted, refused)


def why_kept(image: Image) -> str | None:
    """Reason for which an image must stay."""
    if image.used_by:
        return f'running containers use it: {", ".join(image.used_by)}'
    return 'it is pinned on this machine' if image.is_pinned else None


def _remove_image(containerd: Containerd, image: Image) -> None:
    if image.config is not None:
        containerd.remove_image(image.config)
    left = [record for record in containerd.image_records() if record.target == image.digest]
    for record in left:
        _unless_gone(containerd.remove_image_record, record.name)


def _remove_parts(containerd: Containerd, found: Inventory, wanted: set[str]) -> dict[str, str]:
    """Remove parts that are named themselves; give the reasons of those that must stay."""
    refused: dict[str, str] = {}
    for download in found.downloads:
        if any(digest in download.reference for digest in wanted):
            _unless_gone(containerd.abort_download, download.reference)
    for digest in wanted & found.blobs.keys():
        if needed := found.needed_by(digest):
            refused[digest] = f'needed by {needed}'
        else:
            _unless_gone(containerd.remove_blob, digest)
    snapshots = {s.key: s for s in found.snapshots if s.key in wanted and s.kind == 'committed'}
    remaining = found
    # A snapshot can go when it is nobody's parent, so the uppermost go first.
    while free := [key for key in snapshots if not _is_parent(key, snapshots)]:
        for key in free:
            snapshot = snapshots.pop(key)
            if needed := remaining.needed_by(key):
                refused[key] = f'needed by {needed}'
                continue
            _unless_gone(partial(containerd.remove_snapshot, snapshot.snapshotter), key)
            others = tuple(other for other in remaining.snapshots if other.key != key)
            remaining = replace(remaining, snapshots=others)
    return refused


def _is_parent(key: str, snapshots: Mapping[str, Snapshot]) -> bool:
    return any(snapshot.parent == key for snapshot in snapshots.values())


def _unless_gone(call: Callable[[str], None], name: str) -> None:
    """What is gone already has gone together with what was removed before it."""
    try:
        call(name)
    except GrpcError as error:
        if error.code != NOT_FOUND:
            raise


def _difference(
    before: Inventory,
    after: Inventory,
    touched: set[str],
    wanted: set[str],
    refused: dict[str, str],
) -> dict[str, Any]:
    had, has = _entries(before, touched), _entries(after, touched)
    left = []
    for key, entry in has.items():
        digest = entry['digest']
        image = next((i for i in after.images if digest in {i.digest, i.config}), None)
        reason = refused.get(digest) if entry['kind'] != 'image' else None
        reason = reason or (image and why_kept(image)) or _why_there(after, digest)
        left.append({**entry, 'reason': reason})
        had.pop(key, None)
    known = {entry['digest'] for entry in (*had.values(), *has.values())}
    configs = {image.config for image in before.images}
    return {
        'removed': list(had.values()),
        'left': left,
        'absent': sorted(wanted - known - configs),
    }


def _why_there(inventory: Inventory, digest: str) -> str:
    holder = inventory.held_by(digest)
    return f'needed by {holder}' if holder else 'it was not named by its own digest'


def _entries(inventory: Inventory, digests: set[str]) -> dict[tuple[str, str], Entry]:
    """What there is of some digests, by kind and digest."""
    found: list[Entry] = []
    for image in inventory.images:
        if image.digest in digests or image.config in digests:
            size = sum(layer.size_bytes for layer in image.layers)
            found.append({'kind': 'image', 'digest': image.digest, 'bytes': size})
    for digest, blob in inventory.blobs.items():
        if digest in digests:
            found.append({'kind': 'content', 'digest': digest, 'bytes': blob.size_bytes})
    for snapshot in inventory.snapshots:
        if snapshot.key in digests:
            size_bytes = snapshot.size_bytes
            found.append({'kind': 'snapshot', 'digest': snapshot.key, 'bytes': size_bytes})
    for download in inventory.downloads:
        for digest in digests:
            if digest in download.reference:
                size_bytes = download.size_bytes
                found.append({'kind': 'download', 'digest': digest, 'bytes': size_bytes})
    return {(entry['kind'], entry['digest']): entry for entry in found}


def parse_digests(content: Any) -> tuple[str, ...]:
    """Check the digests of a request.

    Raises:
        CallRefused: not a list of SHA-256 digests, or too many.
    """
    right = isinstance(content, list) and 1 <= len(content) <= MOST_DIGESTS
    for digest in content if right else ():
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise CallRefused(400, f'digests: {digest!r} is no digest like sha256:64 HEX DIGITS')
    if not right:
        raise CallRefused(400, f'digests must be a list of 1 to {MOST_DIGESTS} digests')
    return tuple(content)


def extension(configuration: Configuration) -> Extension:
    """Calls about images."""

    def answer(call: Callable[[Containerd], Any]) -> Response:
        socket = configuration.containerd
        if socket is None:
            raise CallRefused(501, f'this machine reader has no socket of containerd; {ALLOW}')
        return json_response(200, _asked(socket, call))

    def show(_: Request) -> Response:
        return answer(lambda containerd: as_json(take_inventory(containerd)))

    def take_away(request: Request) -> Response:
        digests = parse_digests(request.fields(['digests'])['digests'])
        if not configuration.allow_image_removal:
            raise CallRefused(403, f'the platform does not let images be removed; {ALLOW}')
        return answer(lambda containerd: remove(containerd, digests))

    return Extension(
        routes={
            ('GET', '/v1/images'): Route(show),
            ('POST', '/v1/images/remove'): Route(take_away),
        }
    )


def _asked(socket: Path, call: Callable[[Containerd], Any]) -> Any:
    try:
        with closing(Containerd(socket)) as containerd:
            return call(containerd)
    except GrpcError as error:
        if error.code == UNIMPLEMENTED:
            raise CallRefused(
                501, f'containerd at {socket} does not offer a call that is needed: {error}'
            ) from error
        raise CallRefused(502, f'containerd at {socket}: {error}') from error
    except WireError as error:
        raise CallRefused(502, f'containerd at {socket} gave no sense: {error}') from error
