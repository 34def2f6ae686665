"""The operator's key and what it signs."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from images.errors import BuildError
from images.signing import key_path, operator_key, public_key, sign_manifest


def test_place_of_the_key_follows_the_environment() -> None:
    assert key_path({"ROS2BENCH_SIGNING_KEY": "/k.pem"}) == Path("/k.pem")
    assert key_path({"XDG_DATA_HOME": "/data"}) == Path("/data/ros2bench/keys/components.pem")
    assert key_path({}) == Path.home() / ".local/share/ros2bench/keys/components.pem"


def test_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "components.pem"
    key = operator_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_key(operator_key(path)) == public_key(key)
    assert [file.name for file in path.parent.iterdir()] == ["components.pem"]


def test_signature_is_of_the_purpose_and_the_very_bytes(tmp_path: Path) -> None:
    signed = sign_manifest(b"manifest", operator_key(tmp_path / "k.pem"))
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signed.public_key))
    signature = base64.b64decode(signed.signature)
    key.verify(signature, b"ros2bench-manifest-v1\nmanifest")
    for other in (b"manifest", b"ros2bench-manifest-v1\nmanifesto", b"ros2bench-request-v1\nmanifest"):
        with pytest.raises(InvalidSignature):
            key.verify(signature, other)


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    operator_key(path)
    path.chmod(0o644)
    with pytest.raises(BuildError, match=r"may be read by others \(mode 0644\)\. Type: chmod 600 .*k\.pem"):
        operator_key(path)


def test_what_is_no_such_key_is_refused(tmp_path: Path) -> None:
    wrong, other = tmp_path / "wrong.pem", tmp_path / "rsa.pem"
    wrong.write_text("no key")
    rsa = generate_private_key(65537, 1024)  # noqa: S505 (never used to sign)
    other.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for path, words in ((wrong, "is no private key in PEM"), (other, "is no Ed25519 key")):
        path.chmod(0o600)
        with pytest.raises(BuildError, match=words):
            operator_key(path)
    with pytest.raises(BuildError, match="cannot be used"):
        operator_key(wrong / "k.pem")
