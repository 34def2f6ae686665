"""A client of the OCI distribution API: what an image is made of, and what its layers weigh.

Registries are spoken to over TLS; plain HTTP only on the loopback interface, as container tools do. The authority of a
private registry comes from `ROS2BENCH_REGISTRY_CA`, beside those of the system. Anonymous access only.
"""

import hashlib
import json
import re
import ssl
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import httpx

from probes.spool import cache_home

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class RegistryProblem(Exception):  # noqa: N818 - becomes the reason of a missing value, not a failure
    """The registry cannot tell; `reason` is the code that the record keeps."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Reference:
    """Where an image lies, by digest."""

    host: str
    repository: str
    digest: str

    def url(self, kind: str, digest: str) -> str:
        """Give the address of a manifest or blob in the image's repository."""
        name = self.host.rsplit(":", 1)[0] if not self.host.endswith("]") else self.host
        scheme = "http" if name in LOOPBACK else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}/{kind}/{digest}"

    def __str__(self) -> str:
        """Give the reference as container tools write it."""
        return f"{self.host}/{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Blob:
    """A compressed layer or a configuration."""

    digest: str
    bytes_wire: int
    media_type: str


@dataclass(frozen=True)
class Image:
    """What one image is made of."""

    reference: Reference
    configuration: Blob
    layers: tuple[Blob, ...]


def parse_reference(text: str) -> Reference:
    """Read an image reference by digest.

    Raises:
        RegistryProblem: It has no digest or no host.
    """
    found = re.fullmatch(r"([^/]+[.:][^/]*|localhost)/([^:@]+)(?::[^@/]+)?@(sha256:[0-9a-f]{64})", text)
    if found is None:
        raise RegistryProblem("image_not_by_digest", f"{text!r} is not HOST/REPOSITORY@sha256:…")
    return Reference(found[1], found[2], found[3])


class Registry:
    """Reads images; use it as a context manager.

    Args:
        authority: File with the certificate authority of a private registry, if any.
        transport: Replaces the network, for tests.
    """

    def __init__(self, authority: str | None, transport: httpx.BaseTransport | None = None) -> None:
        trust = _trusting(authority) if transport is None else True
        self._http = httpx.Client(verify=trust, timeout=30, follow_redirects=True, transport=transport)
        self._tokens: dict[str, str] = {}
        self._cache = cache_home() / "layer-bytes"

    def image(self, reference: Reference, architecture: str) -> Image:
        """Read what an image is made of; of an index, the image for an architecture.

        Raises:
            RegistryProblem: The registry cannot be reached, refuses, or has no such image.
        """
        document = self._manifest(reference, reference.digest)
        if document.get("mediaType") in INDEX_TYPES or "manifests" in document:
            chosen = [
                entry["digest"]
                for entry in document["manifests"]
                if entry.get("platform", {}).get("architecture") == architecture
                and entry.get("platform", {}).get("os", "linux") == "linux"
            ]
            if not chosen:
                raise RegistryProblem("no_image_for_architecture", f"{reference} has no image for linux/{architecture}")
            document = self._manifest(reference, chosen[0])
        return Image(reference, _blob(document["config"]), tuple(_blob(layer) for layer in document["layers"]))

    def chain_ids(self, image: Image) -> tuple[str, ...]:
        """Give the key of the snapshot that each layer becomes when it is unpacked, from the lowest upwards.

        Raises:
            RegistryProblem: The configuration cannot be read, or its bytes do not have its digest.
        """
        with self._get(image.reference, "blobs", image.configuration.digest) as answer:
            content = answer.read()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != image.configuration.digest:
            raise RegistryProblem("layer_corrupt", f"the configuration of {image.reference} differs")
        keys: list[str] = []
        for unpacked in json.loads(content)["rootfs"]["diff_ids"]:
            # https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
            chain = hashlib.sha256(f"{keys[-1]} {unpacked}".encode()).hexdigest() if keys else ""
            keys.append(f"sha256:{chain}" if keys else str(unpacked))
        return tuple(keys)

    def has(self, reference: Reference) -> bool:
        """Tell whether the registry holds an image; raises only where the registry cannot tell."""
        try:
            self._manifest(reference, reference.digest)
        except RegistryProblem as problem:
            if problem.reason == "image_not_in_registry":
                return False
            raise
        return True

    def unpacked_bytes(self, reference: Reference, layer: Blob) -> int:
        """Count the unpacked bytes of a layer by reading it once; the count is cached by digest.

        Raises:
            RegistryProblem: The layer cannot be read, or its bytes do not have its digest.
        """
        cached = self._cache / layer.digest.replace(":", "-")
        if cached.exists():
            return int(cached.read_text(encoding="ascii"))
        digest = hashlib.sha256()
        with self._get(reference, "blobs", layer.digest) as answer:
            size = _unpacked(_hashed(answer.iter_bytes(1 << 20), digest.update), layer)
        if f"sha256:{digest.hexdigest()}" != layer.digest:
            raise RegistryProblem("layer_corrupt", f"the bytes of layer {layer.digest} of {reference} differ")
        self._cache.mkdir(parents=True, exist_ok=True)
        cached.write_text(f"{size}\n", encoding="ascii")
        return size

    def _manifest(self, reference: Reference, digest: str) -> dict[str, Any]:
        with self._get(reference, "manifests", digest) as answer:
            content = answer.read()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise RegistryProblem("manifest_corrupt", f"the manifest {digest} of {reference} differs")
        return cast("dict[str, Any]", json.loads(content))

    @contextmanager
    def _get(self, reference: Reference, kind: str, digest: str) -> Generator[httpx.Response]:
        accept = ", ".join(INDEX_TYPES + MANIFEST_TYPES) if kind == "manifests" else "*/*"
        url = reference.url(kind, digest)
        try:
            headers = {"Accept": accept, "Accept-Encoding": "identity"}
            if reference.repository in self._tokens:
                headers["Authorization"] = f"Bearer {self._tokens[reference.repository]}"
            with self._http.stream("GET", url, headers=headers) as answer:
                challenge = answer.headers.get("WWW-Authenticate", "")
                if answer.status_code != HTTPStatus.UNAUTHORIZED or "Authorization" in headers:
                    _check(answer, reference, digest)
                    yield answer
                    return
            self._tokens[reference.repository] = self._token(reference, challenge)
            headers["Authorization"] = f"Bearer {self._tokens[reference.repository]}"
            with self._http.stream("GET", url, headers=headers) as answer:
                _check(answer, reference, digest)
                yield answer
        except httpx.ConnectError as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            hint = " (is ROS2BENCH_REGISTRY_CA set?)" if untrusted else ""
            raise RegistryProblem(
                "registry_untrusted" if untrusted else "registry_unreachable",
                f"tried {reference.host}: {error}{hint}",
            ) from None
        except httpx.HTTPError as error:
            raise RegistryProblem("registry_unreachable", f"tried {reference.host}: {error!r}") from None

    def _token(self, reference: Reference, challenge: str) -> str:
        """Get an anonymous token from where the registry's challenge points."""
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = fields.pop("realm", "")
        if not challenge.lower().startswith("bearer") or not realm.startswith("https://"):
            raise RegistryProblem("registry_refused", f"{reference.host} wants a login for {reference}")
        answer = self._http.get(realm, params=fields)
        if answer.is_error:
            raise RegistryProblem("registry_refused", f"{reference.host} gives no anonymous access")
        granted = answer.json()
        return str(granted.get("token") or granted.get("access_token"))

    def __enter__(self) -> Self:
        """Keep connections for the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        self._http.close()


def _trusting(authority: str | None) -> ssl.SSLContext:
    """Trust the authorities of the system and, beside them, that of a private registry."""
    context = ssl.create_default_context()
    if authority:
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise RegistryProblem(
                "registry_authority_unreadable",
                f"ROS2BENCH_REGISTRY_CA names {Path(authority).name}, which cannot be read: {error}",
            ) from None
    return context


def _blob(descriptor: dict[str, Any]) -> Blob:
    return Blob(descriptor["digest"], int(descriptor["size"]), descriptor.get("mediaType", ""))


def _check(answer: httpx.Response, reference: Reference, digest: str) -> None:
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise RegistryProblem("image_not_in_registry", f"{reference.host} has no {digest} of {reference}")
    if answer.is_error:
        raise RegistryProblem("registry_refused", f"{reference.host} answered {answer.status_code} for {reference}")


def _hashed(chunks: Iterator[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _unpacked(chunks: Iterator[bytes], layer: Blob) -> int:
    """Count the bytes of a plain or gzip-compressed layer; other compressions are refused by name."""
    if "gzip" not in layer.media_type:
        if "zstd" in layer.media_type:
            raise RegistryProblem("layer_compression_unknown", f"layer {layer.digest} is {layer.media_type}")
        return sum(len(chunk) for chunk in chunks)
    size = 0
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for chunk in chunks:
        pending = chunk
        while pending:
            size += len(inflate.decompress(pending))
            pending = inflate.unused_data
            if inflate.eof:
                # Parallel compressors write a layer as several gzip members.
                inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    return size
