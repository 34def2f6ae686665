"""Identifiers of runs and campaigns: UUID version 7 (RFC 9562), which sorts by time of creation."""

import secrets
import time
import uuid
from datetime import UTC, datetime


def new_run_id(now_ns: int | None = None, random_bits: int | None = None) -> str:
    """Make an identifier.

    Args:
        now_ns: Nanoseconds since the Unix epoch; the clock of this machine by default.
        random_bits: 74 bits; from the operating system by default.
    """
    milliseconds = (time.time_ns() if now_ns is None else now_ns) // 1_000_000
    bits = secrets.randbits(74) if random_bits is None else random_bits & ((1 << 74) - 1)
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 7 << 76
    value |= (bits >> 62) << 64
    value |= 0b10 << 62
    value |= bits & ((1 << 62) - 1)
    return str(uuid.UUID(int=value))


def created_at(run_id: str) -> datetime:
    """Read the time of creation, to the millisecond, back from an identifier."""
    return datetime.fromtimestamp((uuid.UUID(run_id).int >> 80) / 1000, tz=UTC)
