"""The operator's key, and that the container accepts what the probes sign."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from images import signing as image_signing
from probes import signing
from probes.errors import UsageError
from tests.images.in_cluster import module

NOW_NS = 1_700_000_000_000_000_000
trusting = module("ros2bench_composition.signature")
requests = module("ros2bench_composition.request")


def test_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "components.pem"
    made = signing.operator_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing.public_text(signing.operator_key(path)) == signing.public_text(made)
    assert [file.name for file in path.parent.iterdir()] == ["components.pem"]


def test_build_and_probes_use_the_same_key(tmp_path: Path) -> None:
    for environment in (
        {"XDG_DATA_HOME": str(tmp_path)},
        {"ROS2BENCH_SIGNING_KEY": str(tmp_path / "own.pem"), "XDG_DATA_HOME": "/none"},
        {},
    ):
        assert signing.key_path(environment) == image_signing.key_path(environment)
    path = signing.key_path({"XDG_DATA_HOME": str(tmp_path)})
    built = image_signing.public_key(image_signing.operator_key(path))
    assert signing.public_text(signing.operator_key(path)) == built


def test_container_accepts_what_the_probes_sign(tmp_path: Path) -> None:
    key = signing.operator_key(tmp_path / "key.pem")
    authority = trusting.Authority(trusting.public_key(signing.public_text(key)), lambda: NOW_NS)
    content = {"call": "unload", "container": "/perception", "unique_id": 3}
    body = signing.signed(content, key, lambda: NOW_NS)
    assert "call" not in body
    request = requests.UnloadRequest(body["unique_id"], body["nonce"], body["time_ns"], body["signature"])
    authority.check(request.signed("/perception"), request.signature)
    again = signing.signed(content, key, lambda: NOW_NS)
    assert again["nonce"] != body["nonce"]


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing.operator_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="mode 0644") as refused:
        signing.operator_key(path)
    assert refused.value.next_step == f"chmod 600 {path}"


@pytest.mark.parametrize("kind", ["text", "rsa", "folder"])
def test_what_is_no_key_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pem"
    if kind == "folder":
        path.mkdir()
    elif kind == "rsa":
        key = generate_private_key(65537, 1024)  # noqa: S505 - only its kind matters
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    else:
        path.write_bytes(base64.b64encode(b"no key"))
    path.chmod(0o600)
    with pytest.raises(UsageError, match="key"):
        signing.operator_key(path)
