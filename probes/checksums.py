"""SHA-256 as S3 writes it, and what proves that a store holds the bytes that it was given."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Literal

Proof = Literal["read_back", "checksum"]
"""`read_back`: the bytes were read again and compared. `checksum`: the credentials may not read; the store named
the SHA-256 of what it received."""


def sha256(payload: bytes) -> bytes:
    """Give the digest of some bytes."""
    return hashlib.sha256(payload).digest()


def as_header(digest: bytes) -> str:
    """Write a digest as `x-amz-checksum-sha256` does: base64."""
    return base64.b64encode(digest).decode()


def composite(digests: Iterable[bytes]) -> str:
    """Write the checksum of an object that was uploaded in parts: the digest of the parts' digests and their number.

    Source: Amazon S3 User Guide, "Checking object integrity", composite checksums.
    """
    listed = list(digests)
    return f"{as_header(sha256(b''.join(listed)))}-{len(listed)}"


def weakest(proofs: Iterable[Proof]) -> Proof:
    """Give the proof that holds for all: `read_back` only where every part was read back."""
    return "checksum" if "checksum" in set(proofs) else "read_back"
