"""What the machine reader tells of containerd's images and what it removes: with a containerd of the tests' own."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.images.in_cluster import module
from tests.images.private_containerd import MadeImage, PrivateContainerd, layer_of, make_image

client = module("ros2bench_machine_reader.containerd_client")
containerd_images = module("ros2bench_machine_reader.containerd_images")
image_inventory = module("ros2bench_machine_reader.image_inventory")

pytestmark = pytest.mark.image
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def daemon() -> Iterator[PrivateContainerd]:
    """One for all tests of this file; each loads images of its own."""
    made = PrivateContainerd()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def containerd(daemon: PrivateContainerd) -> Iterator[Any]:
    """The machine reader's client of it."""
    with closing(client.Containerd(daemon.socket)) as made:
        yield made


def program() -> bytes:
    """Something that a container can run for ever."""
    found = shutil.which("catatonit")
    assert found
    return Path(found).read_bytes()


def load(daemon: PrivateContainerd, folder: Path, name: str, *layers: bytes) -> MadeImage:
    made = make_image(f"example.test/{name}:1", layers, folder / f"{name}.tar")
    daemon.load(made)
    return made


def told(containerd: Any) -> dict[str, Any]:
    return containerd_images.as_json(containerd_images.take_inventory(containerd))


def image_of(found: dict[str, Any], made: MadeImage) -> dict[str, Any] | None:
    return next((image for image in found["images"] if image["digest"] == made.manifest), None)


def test_an_image_is_told_with_all_its_parts(daemon: PrivateContainerd, containerd: Any, tmp_path: Path) -> None:
    made = load(daemon, tmp_path, "told", layer_of({"base": b"x" * 5000}), layer_of({"upper": b"y"}))
    found = told(containerd)
    image = image_of(found, made)
    assert image is not None
    assert image["names"][0] == made.name
    assert image["config"] == made.config
    assert [layer["digest"] for layer in image["layers"]] == list(made.layers)
    assert all(layer["is_present"] and layer["is_unpacked"] for layer in image["layers"])
    assert image["used_by"] == []
    assert image["incomplete"] is None
    assert {made.manifest, made.config, *made.layers} <= {blob["digest"] for blob in found["content"]}
    snapshots = {snapshot["key"]: snapshot for snapshot in found["snapshots"]}
    lower, upper = (layer["chain_id"] for layer in image["layers"])
    assert snapshots[upper]["parent"] == lower
    assert snapshots[lower]["bytes"] > 5000
    assert snapshots[lower]["kind"] == "committed"


def test_an_image_goes_with_what_only_it_has(daemon: PrivateContainerd, containerd: Any, tmp_path: Path) -> None:
    shared = layer_of({"shared": b"s" * 3000})
    first = load(daemon, tmp_path, "first", shared, layer_of({"first": b"1"}))
    second = load(daemon, tmp_path, "second", shared, layer_of({"second": b"2"}))
    answer = containerd_images.remove(containerd, [first.manifest, first.layers[0], UNKNOWN])
    removed = {(entry["kind"], entry["digest"]) for entry in answer["removed"]}
    assert {("image", first.manifest), ("content", first.config), ("content", first.layers[1])} <= removed
    assert sum(kind == "snapshot" for kind, _ in removed) == 1
    left = {(entry["kind"], entry["digest"]): entry["reason"] for entry in answer["left"]}
    assert left[("content", first.layers[0])] == "needed by image example.test/second:1"
    assert len(left) == 2
    assert answer["absent"] == [UNKNOWN]
    found = told(containerd)
    assert image_of(found, first) is None
    whole = image_of(found, second)
    assert whole is not None
    assert all(layer["is_present"] and layer["is_unpacked"] for layer in whole["layers"])
    again = containerd_images.remove(containerd, [second.config])
    assert ("image", second.manifest) in {(entry["kind"], entry["digest"]) for entry in again["removed"]}
    assert again["left"] == []
    assert not {*second.layers, second.config} & {blob["digest"] for blob in told(containerd)["content"]}


def test_what_a_lease_or_a_snapshot_keeps_goes_when_it_is_named(
    daemon: PrivateContainerd, containerd: Any, tmp_path: Path
) -> None:
    made = load(daemon, tmp_path, "leased", layer_of({"leased": b"l" * 900}), layer_of({"more": b"m"}))
    chains = [layer["chain_id"] for layer in (image_of(told(containerd), made) or {})["layers"]]
    daemon.ctr("leases", "create", "--id", "kept", "--expires", "1h")
    for digest in made.layers:
        _lease(containerd, "kept", digest, "content")
    for chain in chains:
        _lease(containerd, "kept", chain, "snapshots/overlayfs")
    first = containerd_images.remove(containerd, [made.manifest])
    left = {entry["digest"]: entry["reason"] for entry in first["left"]}
    assert set(left) == {*made.layers, *chains}
    assert left[made.layers[0]] == "needed by lease kept"
    second = containerd_images.remove(containerd, [*made.layers, *chains])
    assert {entry["digest"] for entry in second["removed"]} == {*made.layers, *chains}
    assert second["left"] == []
    daemon.ctr("leases", "delete", "kept")


def test_what_containerd_collects_meanwhile_is_gone_and_no_error(
    daemon: PrivateContainerd, containerd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = load(daemon, tmp_path, "collected", layer_of({"collected": b"c" * 900}))
    chains = [layer["chain_id"] for layer in (image_of(told(containerd), made) or {})["layers"]]
    daemon.ctr("leases", "create", "--id", "collecting", "--expires", "1h")
    for chain in chains:
        _lease(containerd, "collecting", chain, "snapshots/overlayfs")
    remove = containerd.remove_snapshot

    def collected_first(snapshotter: str, key: str) -> None:
        remove(snapshotter, key)
        remove(snapshotter, key)

    monkeypatch.setattr(containerd, "remove_snapshot", collected_first)
    found = containerd_images.remove(containerd, [made.manifest, *made.layers, *chains])
    assert {*chains} <= {entry["digest"] for entry in found["removed"]}
    assert found["left"] == []
    assert containerd._snapshot_bytes("overlayfs", UNKNOWN) is None
    daemon.ctr("leases", "delete", "collecting")


def _lease(containerd: Any, lease: str, resource: str, kind: str) -> None:
    encode = module("ros2bench_machine_reader.protobuf").encode
    request = encode([(1, lease), (2, encode([(1, resource), (2, kind)]))])
    containerd._one("leases.v1.Leases/AddResource", request)


def test_a_download_that_was_begun_is_told_and_forgotten(containerd: Any) -> None:
    digest = "sha256:" + "ab" * 32
    encode = module("ros2bench_machine_reader.protobuf").encode
    # A write that is not committed when its stream ends stays, as that of an interrupted pull.
    request = encode([(1, 1), (2, f"layer-{digest}"), (3, 9000), (4, digest), (6, b"part")])
    containerd._stream("content.v1.Content/Write", request)
    (download,) = told(containerd)["downloads"]
    assert (download["reference"], download["bytes"], download["total_bytes"]) == (f"layer-{digest}", 4, 9000)
    answer = containerd_images.remove(containerd, [digest])
    assert [(entry["kind"], entry["digest"]) for entry in answer["removed"]] == [("download", digest)]
    assert told(containerd)["downloads"] == []


def test_what_running_containers_use_stays(daemon: PrivateContainerd, containerd: Any, tmp_path: Path) -> None:
    base = layer_of({"pause": program()})
    pause = load(daemon, tmp_path, "pause", base)
    application = load(daemon, tmp_path, "application", base, layer_of({"of-application": b"a"}))
    volume = load(daemon, tmp_path, "volume", layer_of({"of-volume": b"v"}))
    pod, container = daemon.run_pod(application.name, volume.name)
    wanted = [pause.manifest, application.manifest, volume.manifest, *application.layers, *volume.layers]
    answer = containerd_images.remove(containerd, wanted)
    assert answer["removed"] == []
    reasons = {entry["digest"]: entry["reason"] for entry in answer["left"] if entry["kind"] == "image"}
    assert reasons[application.manifest] == f"running containers use it: {container}"
    assert reasons[volume.manifest] == f"running containers use it: {container}"
    assert reasons[pause.manifest] == "it is pinned on this machine"
    for made in (pause, application, volume):
        image = image_of(told(containerd), made)
        assert image is not None
        assert all(layer["is_present"] and layer["is_unpacked"] for layer in image["layers"])
    daemon.remove_pod(pod)
    answer = containerd_images.remove(containerd, [application.manifest, volume.manifest])
    gone = {entry["digest"] for entry in answer["removed"] if entry["kind"] == "image"}
    assert gone == {application.manifest, volume.manifest}


def test_an_image_that_lacks_its_configuration_is_told_as_such(
    daemon: PrivateContainerd, containerd: Any, tmp_path: Path
) -> None:
    made = load(daemon, tmp_path, "torn", layer_of({"torn": b"t"}))
    containerd.remove_blob(made.config)
    image = image_of(told(containerd), made)
    assert image is not None
    assert image["incomplete"] == f"{made.config}: {made.config} is not on this machine"
    assert [layer["chain_id"] for layer in image["layers"]] == [None]
    containerd_images.remove(containerd, [made.manifest, *made.layers])
    found = told(containerd)
    assert image_of(found, made) is None
    assert not {made.manifest, *made.layers} & {blob["digest"] for blob in found["content"]}
