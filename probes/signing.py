"""The operator's key, and what it signs for a component container (docs/contracts.md, section 9)."""

import base64
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from probes.errors import UsageError

VARIABLE = "ROS2BENCH_SIGNING_KEY"
REQUEST_PREFIX = b"ros2bench-request-v1\n"


def key_path(environment: Mapping[str, str]) -> Path:
    """`$ROS2BENCH_SIGNING_KEY`, by default `$XDG_DATA_HOME/ros2bench/keys/components.pem`."""
    data = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(environment.get(VARIABLE) or Path(data) / "ros2bench" / "keys" / "components.pem")


def operator_key(path: Path) -> Ed25519PrivateKey:
    """Read the operator's Ed25519 key; the first use makes it, readable by its owner alone.

    Raises:
        UsageError: The file is no such key, others may read it, or it cannot be read or written.
    """
    try:
        if not path.exists():
            _make_key(path)
        mode, content = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The signing key {path} cannot be used: {error.strerror}.", next_step=f"check {VARIABLE}"
        ) from None
    if mode & 0o077:
        raise UsageError(
            f"The signing key {path} may be read by others (mode {mode:04o}).", next_step=f"chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} is no private key in PEM without a password: {error}.", next_step=f"check {VARIABLE}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is no Ed25519 key.", next_step=f"check {VARIABLE}; without the file a key is made")
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half, 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one JSON text of a request: keys sorted, no spaces, ASCII, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def signed(
    content: Mapping[str, Any], key: Ed25519PrivateKey, clock_ns: Callable[[], int] = time.time_ns
) -> dict[str, Any]:
    """Complete a request with a number that is used once, the time, and the signature of all.

    Args:
        content: `call` and every field of the request that the contract lists.
        key: The operator's key.
        clock_ns: The real-time clock.

    Returns:
        The body for the recorder, without `call`.
    """
    complete = {**content, "nonce": secrets.token_hex(16), "time_ns": clock_ns()}
    signature = base64.b64encode(key.sign(REQUEST_PREFIX + canonical(complete))).decode("ascii")
    return {name: value for name, value in complete.items() if name != "call"} | {"signature": signature}


def _make_key(path: Path) -> None:
    """Write a new key under its name in one move, unless another command has just done so."""
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
