"""Fast in-memory stand-ins of what surrounds a run: a recorder, a bucket; and what is computed over and over, once."""

import functools
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

import probes.kept
import probes.record
from probes.checksums import Proof
from probes.errors import StoreUnavailable
from probes.readings import Reading
from probes.samples import COLUMNS, Samples
from probes.store_conflict import conflict
from probes.summary import Value, summarise
from probes.tables import decode_table, encode_table
from tests.durability.disk_model import ModelledDisk

Fault = Literal["lost request", "lost answer"]


class InMemoryRecorder:
    """A recorder whose n-th sample is known: every value of its row follows from n."""

    def __init__(self) -> None:
        self.count = 0

    async def samples(self, _capture: str, _topic: str, offset: int = 0) -> Samples:
        """Give what was recorded from an offset on."""
        return Samples(rows_of(self.count)[offset:])


@functools.cache
def rows_of(count: int) -> Any:
    """Give the first rows that the recorder takes."""
    return (np.arange(count, dtype=np.int64)[:, None] + 1) * 1000 + np.arange(len(COLUMNS), dtype=np.int64)


class InMemoryBucket:
    """A bucket that creates objects once and whole, as S3 does with `If-None-Match: *`.

    A request is a point at which the process may die, before or after the store has done it. `faults` are lost requests
    and lost answers by the number of the request; `meanwhile` is what somebody else does just before one.
    """

    def __init__(self, disk: ModelledDisk, faults: Mapping[int, Fault] | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0
        self.created: list[str] = []
        self.meanwhile: dict[int, Callable[[], None]] = {}
        self._disk = disk
        self._faults = dict(faults or {})

    def address(self, key: str) -> str:
        """Name an object."""
        return f"memory://{key}"

    def check(self) -> None:
        """Be there."""

    def put(self, key: str, payload: bytes) -> Proof:
        """Create an object once."""
        self.puts += 1
        if self.puts in self.meanwhile:
            self.meanwhile.pop(self.puts)()
        fault = self._faults.pop(self.puts, None)
        unavailable = StoreUnavailable(f"{fault} of {key}", next_step="python -m probes.resume")
        if fault == "lost request":
            raise unavailable

        def effect() -> None:
            if key not in self.objects:
                self.objects[key] = payload
                self.created.append(key)

        self._disk.point(effect)
        if fault == "lost answer":
            raise unavailable
        if self.objects[key] != payload:
            raise conflict(self.address(key))
        return "read_back"

    def get(self, key: str) -> bytes:
        """Read an object."""
        if key not in self.objects:
            raise StoreUnavailable(f"There is no {key}.", reason="object_missing")
        return self.objects[key]

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys that begin with a prefix."""
        return tuple(sorted(key for key in self.objects if key.startswith(prefix)))


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waits for something")


@contextmanager
def computed_once() -> Generator[None]:
    """Remember summaries and encoded tables by what they are made of: ten thousand runs have few different ones.

    Of the summaries without the metrics that are missing, which would be most of what is written.
    """
    summaries: dict[str, dict[str, Value]] = {}
    encoded: dict[Any, bytes] = {}

    def remembered_summary(readings: tuple[Reading, ...], *, seed: int) -> dict[str, Value]:
        key = f"{seed} {readings!r}"
        if key not in summaries:
            whole = summarise(readings, seed=seed)
            summaries[key] = {name: value for name, value in whole.items() if value.missing is None}
        return summaries[key]

    def remembered_bytes(table: pl.DataFrame) -> bytes:
        key = (tuple(table.schema.items()), tuple(table.rows()))
        if key not in encoded:
            encoded[key] = encode_table(table)
        return encoded[key]

    patch = pytest.MonkeyPatch()
    patch.setattr(probes.record, "summarise", remembered_summary)
    for module in (probes.record, probes.kept):
        patch.setattr(module, "encode_table", remembered_bytes)
    patch.setattr(probes.kept, "decode_table", functools.cache(decode_table))
    try:
        yield
    finally:
        patch.undo()
