"""Images come from the lock and nowhere else, and a missing digest is found before anything is deployed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from components import image
from components.refusal import Refusal
from tests.support import values


def write(folder: Path, document: Any) -> Path:
    path = folder / "lock.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def asked(answer: Callable[[httpx.Request], httpx.Response], lock: image.ImageLock) -> list[str]:
    """Warnings of a check against a registry that answers so."""
    warnings: list[str] = []
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        image.check_registry(lock, values.ROLES, client=client, warn=warnings.append)
    return warnings


def test_a_reference_names_registry_repository_and_digest(tmp_path: Path) -> None:
    lock = image.read_lock(values.lock_file(tmp_path))
    assert lock.reference("recorder") == f"registry.example:5000/ros2bench/recorder@{values.DIGEST}"


def test_no_path_says_how_to_get_one() -> None:
    with pytest.raises(Refusal, match=r"Set ROS2BENCH_IMAGES_LOCK .* python -m images\.build"):
        image.read_lock(None)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none\.json: the image lock does not exist.*python -m images\.build"):
        image.read_lock(tmp_path / "none.json")


def test_a_missing_role_says_what_there_is_and_how_to_build_it(tmp_path: Path) -> None:
    lock = image.read_lock(values.lock_file(tmp_path))
    with pytest.raises(
        Refusal, match=r"images\.recordr is not .* Did you mean recorder\?[\s\S]*images\.build .* recordr"
    ):
        lock.reference("recordr")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": 2}, "contract is 2"),
        (
            {"images": {"recorder": {"repository": "r", "digest": "sha256:1"}}},
            r"images\.recorder\.digest is 'sha256:1'",
        ),
        ({"images": {"recorder": {"repository": "r"}}}, "no image lock: 'digest'"),
        ({"images": ["recorder"]}, "no image lock"),
        ({"operator": "a2V5"}, "key operator is str"),
        ({"operator": {}}, "no image lock: 'public_key'"),
        ({"images": {"recorder": 3}}, "no image lock"),
    ],
)
def test_a_file_that_is_no_lock_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        image.read_lock(write(tmp_path, values.lock_document() | change))


def test_a_lock_of_an_earlier_version_says_which_command_adds_the_operator(tmp_path: Path) -> None:
    assert image.read_lock(values.lock_file(tmp_path)).operator_key() == values.OPERATOR
    document = values.lock_document()
    del document["operator"]
    lock = image.read_lock(write(tmp_path, document))
    with pytest.raises(Refusal, match=r"key operator is missing.*python -m images\.build --registry .* recorder$"):
        lock.operator_key()


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_text_that_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Refusal, match=r"lock\.json: "):
        image.read_lock(path)


def test_the_registry_is_asked_for_every_digest_over_tls(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url}")
        return httpx.Response(200)

    assert asked(answer, image.read_lock(values.lock_file(tmp_path))) == []
    base = "HEAD https://registry.example:5000/v2/ros2bench"
    assert seen == [f"{base}/{role}/manifests/{values.DIGEST}" for role in sorted(values.ROLES)]


def test_a_missing_digest_is_refused_with_the_command_that_pushes_it(tmp_path: Path) -> None:
    lock = image.read_lock(values.lock_file(tmp_path))
    with pytest.raises(Refusal, match=r"image digest missing in the registry: .*python -m images\.build"):
        asked(lambda _: httpx.Response(404), lock)


def test_a_registry_that_wants_a_password_is_left_to_the_cluster(tmp_path: Path) -> None:
    lock = image.read_lock(values.lock_file(tmp_path))
    (warning,) = asked(lambda _: httpx.Response(401), lock)
    assert "answered 401" in warning
    assert "not checked" in warning


def test_a_registry_that_does_not_answer_is_left_to_the_cluster(tmp_path: Path) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    (warning,) = asked(fail, image.read_lock(values.lock_file(tmp_path)))
    assert "could not be asked" in warning


def test_a_certificate_authority_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    for exists in (False, True):
        if exists:
            path.write_text("nothing", encoding="utf-8")
        with pytest.raises(Refusal, match="ROS2BENCH_REGISTRY_CA"):
            image.registry_client(path)


def test_a_reference_by_digest_is_its_own_name_and_left_to_the_cluster(tmp_path: Path) -> None:
    lock = image.read_lock(values.lock_file(tmp_path))
    foreign = f"registry.example/robot/app@{values.DIGEST}"
    assert lock.reference(foreign) == foreign

    def fail(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"asked for {request.url}")

    with httpx.Client(transport=httpx.MockTransport(fail)) as client:
        image.check_registry(lock, [foreign], client=client, warn=print)


def test_the_signature_of_an_images_components_comes_from_the_lock(tmp_path: Path) -> None:
    lock = image.read_lock(values.lock_file(tmp_path))
    assert lock.signature("application-composition") == image.ComponentSignature(**values.SIGNATURE)
    with pytest.raises(
        Refusal, match=r"image recorder has no signed component manifest \(images\.recorder\.components\)"
    ):
        lock.signature("recorder")


def test_third_party_images_are_read_from_their_lock_and_the_stack_file_comes_first(tmp_path: Path) -> None:
    lock = tmp_path / "platform-images.json"
    lock.write_text(json.dumps({"contract": 1, "images": {"prometheus": f"host.example/prometheus@{values.DIGEST}"}}))
    found = image.read_third_party(lock, {"grafana": f"host.example/grafana@{values.DIGEST}"})
    assert found.reference("prometheus") == f"host.example/prometheus@{values.DIGEST}"
    assert found.holds("grafana")
    assert not found.holds("loki")
    with pytest.raises(Refusal, match=r"images\.alertmanager is not in the lock"):
        found.reference("alertmanager")
    with pytest.raises(Refusal, match="No lock of them is named"):
        image.read_third_party(None, {}).reference("prometheus")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "this is no lock of the platform's images"),
        ('{"contract": 2, "images": {}}', "key contract is 2"),
        ('{"contract": 1}', "'images'"),
        ('{"contract": 1, "images": {"prometheus": "host.example/prometheus:v3"}}', "@sha256"),
    ],
)
def test_what_is_no_lock_of_third_party_images_is_refused(tmp_path: Path, text: str, said: str) -> None:
    lock = tmp_path / "platform-images.json"
    lock.write_text(text)
    with pytest.raises(Refusal, match=said):
        image.read_third_party(lock, {})
    with pytest.raises(Refusal, match="does not exist"):
        image.read_third_party(tmp_path / "absent.json", {})
