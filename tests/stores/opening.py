"""Stores of the program as tests open them: no waiting between two requests, small parts."""

import random

from probes.backoff import Backoff
from probes.store_s3 import MARKER_KEY, S3Store
from tests.stores.strict_store import BUCKET

PART_BYTES = 1000
PREFIX = "p/"
MARKER_PATH = f"/{BUCKET}/{PREFIX}{MARKER_KEY}"


def impatient(seed: int = 0, **options: float) -> Backoff:
    """Draw the waits, and do not wait them."""
    waited: list[float] = []
    chance = random.Random(seed)  # noqa: S311 - waits, not secrets
    return Backoff(sleep=waited.append, clock=lambda: sum(waited), chance=chance, **options)  # pyright: ignore[reportArgumentType]


def open_s3(
    endpoint: str, *, backoff: Backoff | None = None, answer_s: float = 10, part_bytes: int = PART_BYTES
) -> S3Store:
    """Open the bucket that all stand-ins have."""
    return S3Store(
        BUCKET,
        PREFIX,
        endpoint,
        "us-east-1",
        backoff=backoff or impatient(),
        part_bytes=part_bytes,
        answer_s=answer_s,
    )
