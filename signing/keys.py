"""The file that holds the operator's Ed25519 key: found, made once, read, and refused where it cannot be trusted."""

import base64
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

VARIABLE = "ROS2BENCH_SIGNING_KEY"


class KeyFileError(Exception):
    """The key cannot be used. Each command words it in its own way.

    Attributes:
        problem: What is wrong with which file, a sentence.
        next_step: What to type or to check, without a full stop.
    """

    def __init__(self, problem: str, *, next_step: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.next_step = next_step


def key_path(environment: Mapping[str, str]) -> Path:
    """`$ROS2BENCH_SIGNING_KEY`, by default `$XDG_DATA_HOME/ros2bench/keys/components.pem`."""
    data = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(environment.get(VARIABLE) or Path(data) / "ros2bench" / "keys" / "components.pem")


def operator_key(path: Path) -> Ed25519PrivateKey:
    """Read the operator's Ed25519 key; the first use makes it, readable by its owner alone.

    Raises:
        KeyFileError: The file is no such key, others may read it, or it cannot be read or written.
    """
    check_variable = f"check {VARIABLE}"
    try:
        _make_key(path)
        mode, content = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"The signing key {path} cannot be used: {error.strerror}.", next_step=check_variable
        ) from error
    if mode & 0o077:
        raise KeyFileError(
            f"The signing key {path} may be read by others (mode {mode:04o}).", next_step=f"chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{path} is no private key in PEM without a password: {error}.", next_step=check_variable
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(
            f"{path} is no Ed25519 key.", next_step=f"{check_variable}; without the file a new key is made"
        )
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half, 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode("ascii")


def signature_text(key: Ed25519PrivateKey, content: bytes) -> str:
    """Signature of some bytes in base64."""
    return base64.b64encode(key.sign(content)).decode("ascii")


def _make_key(path: Path) -> None:
    """Write a new key under its name in one move, unless there is one or another command has just done so."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        part.unlink()
