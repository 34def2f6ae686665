"""What containerd has, as plain values; each function is one call of its API or of the CRI.

Field numbers: containerd api v1.10 (services/{content,images,snapshots,leases}/v1) and Kubernetes
cri-api v0.34 (runtime/v1). They never change within v1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ros2bench_machine_reader.grpc_channel import NOT_FOUND, Channel, GrpcError
from ros2bench_machine_reader.protobuf import (
    Message,
    WireError,
    decode,
    encode,
    messages,
    number,
    text,
    text_map,
)

KUBERNETES_NAMESPACE = 'k8s.io'
RUNNING = 1
SNAPSHOT_KINDS = {1: 'view', 2: 'active', 3: 'committed'}
SNAPSHOT_LABEL = 'containerd.io/gc.ref.snapshot.'
_API = '/containerd.services.'
_CRI = '/runtime.v1.'


@dataclass(frozen=True)
class Blob:
    """A piece of content: a manifest, a configuration or a compressed layer."""

    digest: str
    size_bytes: int
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageRecord:
    """A name and what it points to. Kubernetes keeps up to three names of each image."""

    name: str
    target: str


@dataclass(frozen=True)
class Snapshot:
    """An unpacked layer (`committed`, its key is a chain id) or a container's own files.

    Attributes:
        size_bytes: None where nobody was asked: counting a running container's files reads them.
    """

    key: str
    parent: str
    kind: str
    snapshotter: str
    size_bytes: int | None = None


@dataclass(frozen=True)
class Download:
    """Content that was begun and not finished; the next pull would go on from here."""

    reference: str
    size_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class CriImage:
    """An image as the kubelet sees it; `identifier` is the digest of its configuration."""

    identifier: str
    is_pinned: bool


@dataclass(frozen=True)
class RunningContainer:
    """A running container and every image that it uses: its own and those of image volumes."""

    identifier: str
    images: tuple[str, ...]


class Containerd:
    """Asks one containerd about Kubernetes' images.

    All methods raise `GrpcError` if a call fails.
    """

    def __init__(self, socket: Path, namespace: str = KUBERNETES_NAMESPACE) -> None:
        self._channel = Channel(socket)
        self._metadata = {'containerd-namespace': namespace}

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def blobs(self) -> list[Blob]:
        """All finished content."""
        return [
            Blob(text(info, 1), number(info, 2), text_map(info, 5))
            for answer in self._stream('content.v1.Content/List', b'')
            for info in messages(answer, 1)
        ]

    def read(self, digest: str) -> bytes:
        """Content of a blob; only small ones are asked for."""
        answers = self._stream('content.v1.Content/Read', encode([(1, digest)]))
        return b''.join(v for answer in answers for v in answer.get(2, []) if isinstance(v, bytes))

    def downloads(self) -> list[Download]:
        """Content that was begun and not finished."""
        answer = self._one('content.v1.Content/ListStatuses', b'')
        return [Download(text(s, 3), number(s, 4), number(s, 5)) for s in messages(answer, 1)]

    def image_records(self) -> list[ImageRecord]:
        """All names of images."""
        answer = self._one('images.v1.Images/List', b'')
        return [
            ImageRecord(text(image, 1), text(target, 2))
            for image in messages(answer, 1)
            for target in messages(image, 3)
        ]

    def snapshots(self, snapshotter: str) -> list[Snapshot]:
        """All snapshots of a snapshotter; sizes of those that no longer change."""
        found = []
        for answer in self._stream('snapshots.v1.Snapshots/List', encode([(1, snapshotter)])):
            for info in messages(answer, 1):
                kind, key = SNAPSHOT_KINDS.get(number(info, 3), 'unknown'), text(info, 1)
                size_bytes = None
                if kind == 'committed':
                    size_bytes = self._snapshot_bytes(snapshotter, key)
                    if size_bytes is None:
                        continue
                found.append(Snapshot(key, text(info, 2), kind, snapshotter, size_bytes))
        return found

    def _snapshot_bytes(self, snapshotter: str, key: str) -> int | None:
        """Size of a snapshot; None if it was collected since it was listed."""
        request = encode([(1, snapshotter), (2, key)])
        try:
            return number(self._one('snapshots.v1.Snapshots/Usage', request), 1)
        except GrpcError as error:
            if error.code != NOT_FOUND:
                raise
            return None

    def leases(self) -> dict[str, list[str]]:
        """What is kept for a reason that is no image: keys of content and snapshots by lease."""
        found: dict[str, list[str]] = {}
        for lease in messages(self._one('leases.v1.Leases/List', b''), 1):
            request = encode([(1, text(lease, 1))])
            answer = self._one('leases.v1.Leases/ListResources', request)
            found[text(lease, 1)] = [text(resource, 1) for resource in messages(answer, 1)]
        return found

    def cri_images(self) -> list[CriImage]:
        """Images as the kubelet sees them."""
        answer = self._cri('ImageService/ListImages', b'')
        return [CriImage(text(image, 1), number(image, 8) != 0) for image in messages(answer, 1)]

    def running_containers(self) -> list[RunningContainer]:
        """Running containers with the images that they use, in whatever way they name them."""
        wanted = encode([(1, encode([(2, encode([(1, RUNNING)]))]))])
        found = []
        for container in messages(self._cri('RuntimeService/ListContainers', wanted), 1):
            identifier = text(container, 1)
            used = _images_of(container)
            answer = self._cri('RuntimeService/ContainerStatus', encode([(1, identifier)]))
            for status in messages(answer, 1):
                for mount in messages(status, 14):
                    used += [text(image, 1) for image in messages(mount, 9)]
                    used += [text(image, 18) for image in messages(mount, 9)]
            found.append(RunningContainer(identifier, tuple(sorted({*used} - {''}))))
        return found

    def remove_image(self, name: str) -> None:
        """Remove an image with all its names, as the kubelet would, and what only it needed."""
        self._cri('ImageService/RemoveImage', encode([(1, encode([(1, name)]))]))

    def remove_image_record(self, name: str) -> None:
        """Remove one name, and what only it needed."""
        self._one('images.v1.Images/Delete', encode([(1, name), (2, 1)]))

    def remove_blob(self, digest: str) -> None:
        """Remove a piece of content."""
        self._one('content.v1.Content/Delete', encode([(1, digest)]))

    def remove_snapshot(self, snapshotter: str, key: str) -> None:
        """Remove a snapshot that is nobody's parent."""
        self._one('snapshots.v1.Snapshots/Remove', encode([(1, snapshotter), (2, key)]))

    def abort_download(self, reference: str) -> None:
        """Forget what has been fetched of unfinished content."""
        self._one('content.v1.Content/Abort', encode([(1, reference)]))

    def _stream(self, method: str, request: bytes) -> list[Message]:
        answers = self._channel.call(_API + method, request, self._metadata)
        return [decode(answer) for answer in answers]

    def _one(self, method: str, request: bytes) -> Message:
        return _only(self._stream(method, request), method)

    def _cri(self, method: str, request: bytes) -> Message:
        answers: Sequence[bytes] = self._channel.call(_CRI + method, request)
        return _only([decode(answer) for answer in answers], method)


def _only(answers: Sequence[Message], method: str) -> Message:
    if len(answers) != 1:
        raise WireError(f'{method} gave {len(answers)} messages instead of one')
    return answers[0]


def _images_of(container: Message) -> list[str]:
    named = [text(image, 1) for image in messages(container, 4)]
    return [*named, text(container, 5), text(container, 10)]
