"""The operator's key file: made once for its owner alone, refused where it cannot be trusted."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signing.keys import KeyFileError, key_path, operator_key, public_text, signature_text


def test_place_of_the_key_follows_the_environment() -> None:
    own = {"ROS2BENCH_SIGNING_KEY": "/k.pem", "XDG_DATA_HOME": "/none"}
    assert key_path(own) == Path("/k.pem")
    assert key_path({"XDG_DATA_HOME": "/data"}) == Path("/data/ros2bench/keys/components.pem")
    assert key_path({}) == Path.home() / ".local/share/ros2bench/keys/components.pem"


def test_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "components.pem"
    key = operator_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_text(operator_key(path)) == public_text(key)
    assert [file.name for file in path.parent.iterdir()] == ["components.pem"]


def test_signature_is_the_keys(tmp_path: Path) -> None:
    key = operator_key(tmp_path / "k.pem")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_text(key)))
    public.verify(base64.b64decode(signature_text(key, b"content")), b"content")


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    operator_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match=r"may be read by others \(mode 0644\)") as refused:
        operator_key(path)
    assert refused.value.next_step == f"chmod 600 {path}"


def test_what_is_no_such_key_is_refused(tmp_path: Path) -> None:
    wrong, other, folder = tmp_path / "wrong.pem", tmp_path / "rsa.pem", tmp_path / "folder"
    wrong.write_text("no key")
    rsa = generate_private_key(65537, 1024)  # noqa: S505 - only its kind matters
    other.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    folder.mkdir(mode=0o700)
    for path, words in (
        (wrong, "is no private key in PEM"),
        (other, "is no Ed25519 key"),
        (folder, "cannot be used"),
        (wrong / "k.pem", "cannot be used"),
    ):
        if path.is_file():
            path.chmod(0o600)
        with pytest.raises(KeyFileError, match=words) as refused:
            operator_key(path)
        assert "ROS2BENCH_SIGNING_KEY" in refused.value.next_step
