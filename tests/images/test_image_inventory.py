"""What belongs to an image and what may be removed, from plain values; what the calls refuse."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.images.in_cluster import module
from tests.images.private_containerd import digest_of
from tests.images.test_reader_http import settings

client = module("ros2bench_machine_reader.containerd_client")
configuration = module("ros2bench_machine_reader.configuration")
containerd_images = module("ros2bench_machine_reader.containerd_images")
inventory = module("ros2bench_machine_reader.image_inventory")
routing = module("ros2bench_machine_reader.routing")

DIFF_IDS = ("sha256:" + "1" * 64, "sha256:" + "2" * 64, "sha256:" + "3" * 64)


def documents(*contents: Mapping[str, Any]) -> dict[str, bytes]:
    """Blobs by digest."""
    packed = [json.dumps(content).encode() for content in contents]
    return {digest_of(blob): blob for blob in packed}


def made(blobs: Mapping[str, bytes], target: str, **changed: Any) -> Any:
    """The image of a target."""
    sizes = {digest: client.Blob(digest, len(content)) for digest, content in blobs.items()}
    given = {"records": [client.ImageRecord("example.test/a:1", target)], "cri": [], "containers": []} | changed
    (image,) = inventory.make_images(given["records"], sizes, given["cri"], given["containers"], blobs.__getitem__)
    return image


def test_chain_ids_as_the_specification_computes_them() -> None:
    first, second, third = inventory.chain_ids(DIFF_IDS)
    assert first == DIFF_IDS[0]
    assert second == digest_of(f"{DIFF_IDS[0]} {DIFF_IDS[1]}".encode())
    assert third == digest_of(f"{second} {DIFF_IDS[2]}".encode())
    assert inventory.chain_ids(()) == ()


def example(layers: int = 2, diff_ids: int = 2) -> tuple[dict[str, bytes], str, str]:
    """Blobs of an image, its index, and its configuration."""
    config_blob = documents({"rootfs": {"diff_ids": DIFF_IDS[:diff_ids]}})
    config = next(iter(config_blob))
    described = [{"digest": f"sha256:{number:064d}", "size": 10 + number} for number in range(layers)]
    manifest_blob = documents({"config": {"digest": config}, "layers": described})
    manifest = next(iter(manifest_blob))
    entries = [
        {"digest": "sha256:" + "f" * 64, "platform": {"architecture": "s390x", "os": "linux"}},
        *({"digest": manifest, "platform": {"architecture": name, "os": "linux"}} for name in ("amd64", "arm64")),
    ]
    index_blob = documents({"manifests": entries})
    return config_blob | manifest_blob | index_blob, next(iter(index_blob)), config


def test_an_index_leads_to_the_manifest_of_this_machine() -> None:
    blobs, index, config = example()
    image = made(blobs, index)
    assert image.config == config
    assert image.parts == frozenset(blobs)
    assert [layer.chain_id for layer in image.layers] == list(inventory.chain_ids(DIFF_IDS[:2]))
    assert [layer.size_bytes for layer in image.layers] == [10, 11]


@pytest.mark.parametrize("lacking", ["index", "manifest", "config"])
def test_what_lacks_is_said_and_nothing_is_made_up(lacking: str) -> None:
    blobs, index, config = example()
    manifest = next(digest for digest in blobs if digest not in {index, config})
    del blobs[{"index": index, "manifest": manifest, "config": config}[lacking]]
    image = made(blobs, index)
    assert "is not on this machine" in image.incomplete
    assert all(layer.chain_id is None for layer in image.layers)
    assert len(image.layers) == (2 if lacking == "config" else 0)


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"manifests": []}', b'{"manifests": [5]}', b'{"layers": 5}', b"\xff"]
)
def test_a_manifest_that_is_none_is_said(content: bytes) -> None:
    target = digest_of(content)
    image = made({target: content}, target)
    assert image.incomplete.startswith(target)
    assert image.layers == ()


def test_a_configuration_that_tells_of_other_layers_tells_of_none() -> None:
    blobs, index, _ = example(layers=2, diff_ids=3)
    assert [layer.chain_id for layer in made(blobs, index).layers] == [None, None]


@pytest.mark.parametrize("named", ["target", "config", "name"])
def test_a_container_uses_an_image_however_it_names_it(named: str) -> None:
    blobs, index, config = example()
    word = {"target": index, "config": config, "name": "example.test/a:1"}[named]
    image = made(blobs, index, containers=[client.RunningContainer("c1", ("other", word))])
    assert image.used_by == ("c1",)
    assert containerd_images.why_kept(image) == "running containers use it: c1"
    assert made(blobs, index, containers=[client.RunningContainer("c1", ("other",))]).used_by == ()
    pinned = made(blobs, index, cri=[client.CriImage(config, is_pinned=True)])
    assert containerd_images.why_kept(pinned) == "it is pinned on this machine"


@pytest.mark.parametrize(
    "digests", [None, [], "sha256:" + "0" * 64, ["latest"], ["sha256:" + "0" * 63], ["sha256:" + "G" * 64], [5]]
)
def test_only_digests_name_what_is_removed(tmp_path: Path, digests: Any) -> None:
    extension = reader(tmp_path, allow={"image_removal": True, "faults": False})
    request = routing.Request(
        "POST", "/v1/images/remove", "/v1/images/remove", body=json.dumps({"digests": digests}).encode()
    )
    with pytest.raises(routing.CallRefused) as refused:
        extension.routes["POST", "/v1/images/remove"].handler(request)
    assert refused.value.status == 400


def reader(folder: Path, **changed: Any) -> Any:
    return containerd_images.extension(configuration.parse_configuration(settings(folder, **changed)))


def test_what_the_platform_does_not_allow_is_refused_with_its_setting(tmp_path: Path) -> None:
    body = json.dumps({"digests": [DIFF_IDS[0]]}).encode()
    request = routing.Request("POST", "/v1/images/remove", "/v1/images/remove", body=body)
    with pytest.raises(routing.CallRefused, match=r"machineReaders\.allowImageRemoval") as refused:
        reader(tmp_path).routes["POST", "/v1/images/remove"].handler(request)
    assert refused.value.status == 403
    shown = routing.Request("GET", "/v1/images", "/v1/images")
    with pytest.raises(routing.CallRefused, match=r"machineReaders\.allowImageRemoval") as refused:
        reader(tmp_path).routes["GET", "/v1/images"].handler(shown)
    assert refused.value.status == 501
    with pytest.raises(routing.CallRefused, match="No such file") as refused:
        reader(tmp_path, containerd=f"{tmp_path}/none.sock").routes["GET", "/v1/images"].handler(shown)
    assert refused.value.status == 502
