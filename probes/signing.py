"""What the operator's key signs while measuring.

Requests to a component container (docs/contracts.md, section 9) and calls of a recorder or machine reader (11).
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probes.errors import UsageError
from signing import keys

REQUEST_PREFIX = b"ros2bench-request-v1\n"
CALL_PREFIX = b"ros2bench-call-v1\n"


def operator_key(path: Path) -> Ed25519PrivateKey:
    """Read the operator's Ed25519 key; the first use makes it.

    Raises:
        UsageError: It cannot be used.
    """
    try:
        return keys.operator_key(path)
    except keys.KeyFileError as error:
        raise UsageError(error.problem, next_step=error.next_step) from None


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
    signature = keys.signature_text(key, REQUEST_PREFIX + canonical(complete))
    return {name: value for name, value in complete.items() if name != "call"} | {"signature": signature}


@dataclass(frozen=True)
class CallSigner:
    """Signs calls of one server.

    Attributes:
        key: The operator's key.
        audience: The server that is meant: `recorder/NAMESPACE` or `machine-reader/MACHINE`.
    """

    key: Ed25519PrivateKey
    audience: str

    def authorization(self, method: str, target: str, body: bytes, server_time_ns: int) -> str:
        """Give the header `Authorization` of one call.

        Args:
            method: `GET`, `POST` or `DELETE`.
            target: Path with query, as it will be on the wire.
            body: Content of the request, empty where there is none.
            server_time_ns: What the server's real-time clock shows now.
        """
        nonce = secrets.token_hex(16)
        lines = (self.audience, method, target, hashlib.sha256(body).hexdigest(), str(server_time_ns), nonce)
        signature = keys.signature_text(self.key, CALL_PREFIX + "\n".join(lines).encode())
        return f"ros2bench time_ns={server_time_ns},nonce={nonce},signature={signature}"
