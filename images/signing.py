"""The operator's key, and its signature of the list of components in an image."""

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

from images.errors import BuildError
from images.lock import LockedComponents

VARIABLE = "ROS2BENCH_SIGNING_KEY"
PURPOSE = b"ros2bench-manifest-v1\n"


def key_path(environment: Mapping[str, str]) -> Path:
    """`$ROS2BENCH_SIGNING_KEY`, by default `$XDG_DATA_HOME/ros2bench/keys/components.pem`."""
    data = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(environment.get(VARIABLE) or Path(data) / "ros2bench" / "keys" / "components.pem")


def operator_key(path: Path) -> Ed25519PrivateKey:
    """Read the operator's Ed25519 key; make it if there is none.

    Raises:
        BuildError: the file is no such key, others may read it, or it cannot be written.
    """
    try:
        _make_key(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except OSError as error:
        raise BuildError(f"The signing key {path} cannot be used: {error.strerror}. Check {VARIABLE}.") from error
    if mode & 0o077:
        raise BuildError(f"The signing key {path} may be read by others (mode {mode:04o}). Type: chmod 600 {path}")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BuildError(f"{path} is no private key in PEM without a password: {error}. Check {VARIABLE}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BuildError(f"{path} is no Ed25519 key. Check {VARIABLE}; without the file a new key is made.")
    return key


def public_key(key: Ed25519PrivateKey) -> str:
    """The public half, 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode("ascii")


def sign_manifest(manifest: bytes, key: Ed25519PrivateKey) -> LockedComponents:
    """Sign the bytes of an image's list of components."""
    signature = base64.b64encode(key.sign(PURPOSE + manifest)).decode("ascii")
    return LockedComponents(public_key=public_key(key), signature=signature)


def _make_key(path: Path) -> None:
    """Write a new key under its name in one move, unless there is one."""
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
        # Another command has made it meanwhile; its key is the one.
        return
    finally:
        part.unlink()
