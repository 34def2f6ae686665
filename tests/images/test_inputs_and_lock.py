"""Digests of inputs, the lock, and what the registry says about it."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.errors import BuildError
from images.inputs import digest_of_files, digest_of_texts, short
from images.lock import (
    Lock,
    LockedComponents,
    LockedImage,
    LockedOperator,
    LockedOverlay,
    read_lock,
    with_images,
    write_lock,
)
from images.publish import check_lock, locked_already, locked_overlays, missing_images
from images.registry import Registry

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")
HOST = "registry.example:5000"


def image(digest: str = A, inputs: str = B, role: str = "recorder") -> LockedImage:
    return LockedImage(repository=f"ros2bench/{role}", digest=digest, inputs=inputs)


def lock_of(**images: LockedImage) -> Lock:
    return with_images(None, registry=HOST, flavour="wheels", ros_distro="jazzy", operator="b3Bl", images=images)


def registry_that(answer: Callable[[httpx.Request], httpx.Response]) -> Registry:
    return Registry(HOST, None, httpx.MockTransport(answer))


def registry_with(*digests: str, tags: dict[str, str] | None = None) -> Registry:
    known = {digest: digest for digest in digests} | (tags or {})

    def answer(request: httpx.Request) -> httpx.Response:
        digest = known.get(request.url.path.rpartition("/")[2])
        return httpx.Response(200, headers={"Docker-Content-Digest": digest}) if digest else httpx.Response(404)

    return registry_that(answer)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.py").write_text("a")
    (tmp_path / "b.sh").write_text("b")
    return tmp_path


def test_digest_sees_content_name_and_execute_bit(tree: Path) -> None:
    paths = [tree / "folder", tree / "b.sh"]
    digests = [digest_of_files(tree, paths)]
    (tree / "b.sh").write_text("c")
    digests.append(digest_of_files(tree, paths))
    (tree / "b.sh").chmod(0o755)
    digests.append(digest_of_files(tree, paths))
    (tree / "folder" / "a.py").rename(tree / "folder" / "b.py")
    digests.append(digest_of_files(tree, paths))
    assert len(set(digests)) == 4


def test_digest_does_not_see_leftovers_times_and_places(tree: Path) -> None:
    before = digest_of_files(tree, [tree])
    (tree / "folder" / "__pycache__").mkdir()
    (tree / "folder" / "__pycache__" / "a.pyc").write_bytes(b"x")
    (tree / "b.sh").touch()
    moved = tree.rename(tree.with_name("elsewhere"))
    assert digest_of_files(moved, [moved]) == before


@given(st.lists(st.text(), max_size=5), st.lists(st.text(), max_size=5))
def test_different_texts_have_different_digests(one: list[str], other: list[str]) -> None:
    assert (digest_of_texts(*one) == digest_of_texts(*other)) == (one == other)


def test_short_is_the_beginning_of_the_digits() -> None:
    assert short(A) == "a" * 16


def test_lock_is_written_as_the_contract_says_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "images.lock.json"
    write_lock(path, lock_of(recorder=image()))
    assert json.loads(path.read_text()) == {
        "contract": 1,
        "registry": HOST,
        "flavour": "wheels",
        "rosDistro": "jazzy",
        "operator": {"public_key": "b3Bl"},
        "images": {"recorder": {"repository": "ros2bench/recorder", "digest": A, "inputs": B}},
    }
    assert read_lock(path) == lock_of(recorder=image())
    assert [file.name for file in path.parent.iterdir()] == ["images.lock.json"]


def test_lock_of_an_earlier_version_is_read_and_gets_the_operator_with_the_next_image(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    write_lock(path, lock_of(recorder=image()))
    content = json.loads(path.read_text())
    del content["operator"]
    path.write_text(json.dumps(content))
    earlier = read_lock(path)
    assert earlier
    assert earlier.operator is None
    again = with_images(
        earlier, registry=HOST, flavour="wheels", ros_distro="jazzy", operator="b3Bl", images=earlier.images
    )
    assert again == lock_of(recorder=image())


def test_lock_holds_signatures_and_what_overlays_stand_on(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    components = LockedComponents(public_key="a2V5", signature="c2ln")
    overlay = LockedOverlay(base="b", below=["interfaces"], packages=B, interfaces={}, against={"m/msg/A": A})
    images = {
        "application-composition": image().model_copy(update={"components": components}),
        "overlay-nodes-carrier": image().model_copy(update={"overlay": overlay}),
    }
    write_lock(path, lock_of(**images))
    written = json.loads(path.read_text())["images"]
    assert written["application-composition"]["components"] == {"public_key": "a2V5", "signature": "c2ln"}
    assert written["overlay-nodes-carrier"]["overlay"]["below"] == ["interfaces"]
    read = read_lock(path)
    assert read == lock_of(**images)
    assert locked_overlays(read) == {"nodes": overlay}
    assert locked_overlays(None) == {}


@pytest.mark.parametrize("content", ["", "{}", '{"contract": 2}', "[1]"])
def test_broken_lock_is_named_with_the_way_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock.json"
    path.write_text(content)
    with pytest.raises(BuildError, match=r"lock\.json is no lock of images: .*python -m images\.build"):
        read_lock(path)


def test_digest_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="digest"):
        image(digest="sha256:short")


def test_other_roles_stay_only_in_the_same_registry_and_flavour() -> None:
    earlier = lock_of(recorder=image())
    change: dict[str, Any] = {"ros_distro": "jazzy", "operator": "bmV3", "images": {"other": image(role="other")}}
    both = with_images(earlier, registry=HOST, flavour="wheels", **change)
    assert set(both.images) == {"recorder", "other"}
    assert both.operator == LockedOperator(public_key="bmV3")
    assert set(with_images(earlier, registry="another", flavour="wheels", **change).images) == {"other"}
    assert set(with_images(earlier, registry=HOST, flavour="official", **change).images) == {"other"}


def test_missing_lock_is_none_but_check_asks_for_a_build(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "none.json") is None
    with pytest.raises(BuildError, match=r"There is no lock .*none\.json"):
        check_lock(tmp_path / "none.json", registry_with())


def test_image_is_not_built_again_when_the_registry_has_it() -> None:
    lock = lock_of(recorder=image(A, B))
    assert locked_already("recorder", B, lock, registry_with(A)) == image(A, B)
    assert locked_already("recorder", C, lock, registry_with(A)) is None
    assert locked_already("recorder", B, lock, registry_with()) is None
    by_tag = locked_already("recorder", C, None, registry_with(tags={short(C): A}))
    assert by_tag == image(A, C)


def test_check_names_what_the_registry_lacks(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    write_lock(path, lock_of(recorder=image()))
    check_lock(path, registry_with(A))
    assert missing_images(lock_of(recorder=image()), registry_with()) == [f"{HOST}/ros2bench/recorder@{A}"]
    with pytest.raises(BuildError, match=r"does not hold registry\.example:5000/ros2bench/recorder@sha256:a"):
        check_lock(path, registry_with())


def test_registry_errors_are_sentences_with_the_next_step() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno 111] Connection refused", request=request)

    def distrust(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", request=request)

    with pytest.raises(BuildError, match=r"does not answer .*ROS2BENCH_REGISTRY"):
        registry_that(refuse).digest("a", "b")
    with pytest.raises(BuildError, match=r"not signed by a trusted authority .*--ca"):
        registry_that(distrust).digest("a", "b")
    with pytest.raises(BuildError, match="no container registry"):
        registry_that(lambda _: httpx.Response(500)).digest("a", "b")
    assert registry_that(lambda _: httpx.Response(401)).digest("a", "b") is None


def test_certificate_authority_that_is_none_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.crt"
    wrong.write_text("not a certificate")
    assert issubclass(ssl.SSLError, OSError)
    for path in (wrong, tmp_path / "none.crt"):
        with pytest.raises(BuildError, match=r"cannot be used as a certificate authority.*--ca"):
            Registry(HOST, path)
