"""What images weigh: each blob once, by digest, and bytes that do not have their digest are refused."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from probes.measurements.images import unique_bytes, wire_bytes
from probes.registry import Blob, Image, Registry, RegistryProblem, parse_reference

HOST = "registry.example:5000"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Blobs:
    """A stand-in registry in memory."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.wants_token = False

    def add(self, content: bytes) -> str:
        """Keep a blob under its digest."""
        self.blobs[digest_of(content)] = content
        return digest_of(content)

    def image(self, *layers: bytes, kind: str = "application/vnd.oci.image.layer.v1.tar+gzip") -> str:
        """Keep an image and give its reference."""
        described = [{"digest": self.add(layer), "size": len(layer), "mediaType": kind} for layer in layers]
        config = b'{"architecture":"amd64"}'
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"digest": self.add(config), "size": len(config), "mediaType": "application/json"},
            "layers": described,
        }
        return f"{HOST}/ros2bench/app@{self.add(json.dumps(manifest).encode())}"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as a registry does."""
        self.asked.append(request.url.path)
        if request.url.host == "auth.example":
            return httpx.Response(200, json={"token": "anonymous"})
        if self.wants_token and request.headers.get("Authorization") != "Bearer anonymous":
            challenge = 'Bearer realm="https://auth.example/token",service="s",scope="repository:app:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        content = self.blobs.get(request.url.path.rpartition("/")[2])
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Blobs()


def registry(blobs: Blobs) -> Registry:
    return Registry(None, transport=httpx.MockTransport(blobs))


def test_sizes_on_the_wire_and_unpacked(blobs: Blobs) -> None:
    content = bytes(100_000)
    layer = gzip.compress(content[:60_000], mtime=0) + gzip.compress(content[60_000:], mtime=0)
    reference = parse_reference(blobs.image(layer))
    with registry(blobs) as client:
        image = client.image(reference, "amd64")
        assert wire_bytes([image]) == len(layer) + image.configuration.bytes_wire
        assert client.unpacked_bytes(reference, image.layers[0]) == 100_000
        asked = len(blobs.asked)
        assert client.unpacked_bytes(reference, image.layers[0]) == 100_000
        assert len(blobs.asked) == asked


def test_a_shared_layer_counts_once_and_is_not_unique(blobs: Blobs) -> None:
    base, one, two = (gzip.compress(name * 50, mtime=0) for name in (b"base", b"one", b"two"))
    with registry(blobs) as client:
        images = [client.image(parse_reference(blobs.image(*layers)), "amd64") for layers in ((base, one), (base, two))]
    configuration = images[0].configuration.bytes_wire
    assert wire_bytes(images) == len(base) + len(one) + len(two) + configuration
    assert unique_bytes(images) == len(one) + len(two)
    assert unique_bytes(images[:1]) == len(base) + len(one)


def test_layers_become_snapshots_whose_keys_follow_from_the_configuration(blobs: Blobs) -> None:
    unpacked = [digest_of(b"one"), digest_of(b"two"), digest_of(b"three")]
    configuration = blobs.add(json.dumps({"rootfs": {"diff_ids": unpacked}}).encode())
    reference = parse_reference(blobs.image(b"layer"))
    image = Image(reference, Blob(configuration, 1, ""), ())
    second = digest_of(f"{unpacked[0]} {unpacked[1]}".encode())
    with registry(blobs) as client:
        assert client.chain_ids(image) == (unpacked[0], second, digest_of(f"{second} {unpacked[2]}".encode()))
        blobs.blobs[configuration] = b"{}"
        with pytest.raises(RegistryProblem, match="differs"):
            client.chain_ids(image)


def test_an_index_leads_to_the_image_of_the_architecture(blobs: Blobs) -> None:
    inner = parse_reference(blobs.image(b"layer")).digest
    platform = {"os": "linux", "architecture": "arm64"}
    index = {"schemaVersion": 2, "manifests": [{"digest": inner, "size": 1, "platform": platform}]}
    reference = parse_reference(f"{HOST}/app@{blobs.add(json.dumps(index).encode())}")
    with registry(blobs) as client:
        assert len(client.image(reference, "arm64").layers) == 1
        with pytest.raises(RegistryProblem, match="linux/amd64") as caught:
            client.image(reference, "amd64")
    assert caught.value.reason == "no_image_for_architecture"


def test_a_missing_image_is_told_apart_from_a_registry_that_cannot_tell(blobs: Blobs) -> None:
    absent = parse_reference(f"{HOST}/app@sha256:{'0' * 64}")
    with registry(blobs) as client:
        assert not client.has(absent)
        assert client.has(parse_reference(blobs.image(b"layer")))

    def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with (
        Registry(None, transport=httpx.MockTransport(broken)) as client,
        pytest.raises(RegistryProblem, match="refused") as caught,
    ):
        client.has(absent)
    assert caught.value.reason == "registry_unreachable"


def test_bytes_without_their_digest_are_refused(blobs: Blobs) -> None:
    reference = parse_reference(blobs.image(gzip.compress(b"layer", mtime=0)))
    with registry(blobs) as client:
        image = client.image(reference, "amd64")
        blobs.blobs[image.layers[0].digest] = gzip.compress(b"other", mtime=0)
        with pytest.raises(RegistryProblem, match="differ") as caught:
            client.unpacked_bytes(reference, image.layers[0])
    assert caught.value.reason == "layer_corrupt"


def test_an_unknown_compression_is_a_reason_and_not_a_wrong_size(blobs: Blobs) -> None:
    reference = parse_reference(blobs.image(b"x", kind="application/vnd.oci.image.layer.v1.tar+zstd"))
    with registry(blobs) as client:
        image = client.image(reference, "amd64")
        with pytest.raises(RegistryProblem, match="zstd"):
            client.unpacked_bytes(reference, image.layers[0])


def test_an_anonymous_token_is_fetched_where_the_registry_asks_for_one(blobs: Blobs) -> None:
    reference = parse_reference(blobs.image(b"layer"))
    blobs.wants_token = True
    with registry(blobs) as client:
        assert client.has(reference)


@pytest.mark.parametrize("text", ["app:latest", "app@sha256:" + "0" * 64, f"{HOST}/app:tag", f"{HOST}/app@sha256:12"])
def test_only_references_by_digest_are_read(text: str) -> None:
    with pytest.raises(RegistryProblem, match="is not HOST/REPOSITORY@sha256"):
        parse_reference(text)


def test_only_the_loopback_interface_is_spoken_to_without_tls() -> None:
    digest: Any = f"sha256:{'0' * 64}"
    assert parse_reference(f"127.0.0.1:5000/app@{digest}").url("blobs", digest).startswith("http://127.0.0.1:5000/")
    assert parse_reference(f"198.51.100.2:5000/app@{digest}").url("blobs", digest).startswith("https://")


def test_an_unreadable_authority_is_named_by_its_variable(tmp_path: Path) -> None:
    with pytest.raises(RegistryProblem, match=r"ROS2BENCH_REGISTRY_CA names ca\.pem"):
        Registry(str(tmp_path / "ca.pem"))
