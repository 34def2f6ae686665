"""Compacted files: of each day the summaries and observations of all its runs in one Parquet set. Derived, and safe.

    compacted/schema=1/date=YYYY-MM-DD/runs-DIGEST.parquet
    compacted/schema=1/date=YYYY-MM-DD/observations-DIGEST.parquet
    compacted/schema=1/date=YYYY-MM-DD/included-DIGEST.json      last: without it the other two do not count

DIGEST is that of the sorted run identifiers. Rows are sorted by what is asked for, so that Parquet's statistics let a
query skip most of a file. Files of a folder are read in place; those of S3 once, into the user's cache.
"""

import hashlib
import io
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from probes.errors import ProbeError, RecordInvalid
from probes.integrity import digest
from probes.observations import OBSERVATIONS
from probes.run_summary import EVERY_RUN, RUNS, RunFilter
from probes.spool import cache_home

CONTRACT = 1
ROOT = "compacted/schema=1/"
INCLUDED = re.compile(r"compacted/schema=1/date=(\d{4}-\d\d-\d\d)/included-([0-9a-f]{64})\.json")
LEAST_ROWS_OF_A_GROUP, MOST_ROWS_OF_A_GROUP = 1_024, 4_096
"""Few enough that a day's observations of one metric are a small share of what is read."""


_read_before: dict[str, "DaySet"] = {}
"""Lists that were read and hold what their names say, by their SHA-256: a comparison asks for them twice."""


class Readable(Protocol):
    """Where the files lie."""

    def address(self, key: str) -> str:
        """Name an object for people."""
        ...

    def get(self, key: str) -> bytes:
        """Read an object."""
        ...

    def list(self, prefix: str) -> Sequence[str]:
        """Give the keys that begin with a prefix."""
        ...


@dataclass(frozen=True)
class File:
    """A Parquet file of a set."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class DaySet:
    """A whole set of one day."""

    day: str
    digest: str
    run_ids: tuple[str, ...]
    files: tuple[File, ...]

    def key(self, kind: str) -> str:
        """Give the key of its `runs` or `observations`."""
        return folder(self.day) + self.file(kind).name

    def file(self, kind: str) -> File:
        """Give its file of `runs` or `observations`."""
        return next(file for file in self.files if file.name == file_name(kind, self.digest))


def digest_of(run_ids: Iterable[str]) -> str:
    """Give the digest that names a set."""
    return hashlib.sha256("\n".join(sorted(run_ids)).encode()).hexdigest()


def file_name(kind: str, set_digest: str) -> str:
    """Name a Parquet file of a set."""
    return f"{kind}-{set_digest}.parquet"


def folder(day: str) -> str:
    """Give the key prefix of a day's sets."""
    return f"{ROOT}date={day}/"


def included_key(day: str, set_digest: str) -> str:
    """Give the key of the list that makes a set count."""
    return f"{folder(day)}included-{set_digest}.json"


def encode_included(run_ids: Iterable[str], files: Sequence[File]) -> bytes:
    """Give the bytes of that list: the same for the same set."""
    parts = [{"name": file.name, "bytes": file.bytes, "sha256": file.sha256} for file in files]
    return json.dumps({"contract": CONTRACT, "runs": sorted(run_ids), "parts": parts}, sort_keys=True).encode() + b"\n"


def encode_frame(frame: pl.DataFrame) -> bytes:
    """Give the Parquet bytes of a frame, in groups of rows that a query can skip."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True, row_group_size=rows_of_a_group(frame))
    return buffer.getvalue()


def rows_of_a_group(frame: pl.DataFrame) -> int:
    """Give the rows of a group: of observations a whole part of the rows of a key.

    A day's runs have mostly the same keys; then the groups that a query reads hold nothing of any other.
    """
    if "key" not in frame.columns or frame.is_empty():
        return MOST_ROWS_OF_A_GROUP
    of_a_key = int(frame.group_by("key").len()["len"].mode().max())  # pyright: ignore[reportArgumentType]
    return max(LEAST_ROWS_OF_A_GROUP, math.ceil(of_a_key / math.ceil(of_a_key / MOST_ROWS_OF_A_GROUP)))


def best_sets(store: Readable, where: RunFilter = EVERY_RUN) -> tuple[DaySet, ...]:
    """Give of each day of a span the set with most runs, by day.

    Raises:
        RecordInvalid: A list of included runs is none.
        StoreUnavailable: The store cannot be read.
    """
    best: dict[str, DaySet] = {}
    for key in store.list(ROOT):
        found = INCLUDED.fullmatch(key)
        if found is None or not where.holds_day(found[1]):
            continue
        one = _read_included(store, key, found[1], found[2])
        other = best.get(one.day)
        if other is None or (len(one.run_ids), other.digest) > (len(other.run_ids), one.digest):
            best[one.day] = one
    return tuple(best[day] for day in sorted(best))


def scan_runs(store: Readable, sets: Sequence[DaySet]) -> pl.LazyFrame:
    """Give the runs of some sets; nothing is read before it is needed."""
    return _scan(store, sets, "runs", RUNS)


def scan_observations(store: Readable, sets: Sequence[DaySet]) -> pl.LazyFrame:
    """Give the observations of some sets; nothing is read before it is needed."""
    return _scan(store, sets, "observations", OBSERVATIONS)


def collected(store: Readable, frame: pl.LazyFrame) -> pl.DataFrame:
    """Read what is left of a scan.

    Raises:
        RecordInvalid: A file is no Parquet any more.
    """
    try:
        return frame.collect()
    except pl.exceptions.PolarsError as error:
        raise RecordInvalid(
            f"A compacted file below {store.address(ROOT)} cannot be read: {error}. "
            "It is derived: no measurement is lost.",
            next_step="python -m probes.verify says which; remove the included-….json beside it",
        ) from None


def _scan(
    store: Readable, sets: Sequence[DaySet], kind: str, schema: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.LazyFrame:
    if not sets:
        return pl.LazyFrame(schema=dict(schema))
    return pl.scan_parquet([_local(store, day_set, kind) for day_set in sets]).select(schema.keys())


def _read_included(store: Readable, key: str, day: str, set_digest: str) -> DaySet:
    payload = store.get(key)
    content_digest = digest(payload)
    known = _read_before.get(content_digest)
    if known is not None and (known.day, known.digest) == (day, set_digest):
        return known
    try:
        content: dict[str, Any] = json.loads(payload)
        files = tuple(File(part["name"], part["bytes"], part["sha256"]) for part in content["parts"])
        run_ids = tuple(content["runs"])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(store, key, f"lacks or garbles {error}") from None
    if digest_of(run_ids) != set_digest:
        raise damaged(store, key, "does not list the runs that it is named after")
    _read_before[content_digest] = DaySet(day, set_digest, run_ids, files)
    return _read_before[content_digest]


def _local(store: Readable, day_set: DaySet, kind: str) -> Path:
    """Give a path at which Polars can read a file: the store's own, or a copy in the cache, checked when it is made."""
    key, file = day_set.key(kind), day_set.file(kind)
    own = Path(store.address(key))
    if "://" not in store.address(key):
        if not own.is_file() or own.stat().st_size != file.bytes:
            raise damaged(store, key, f"is not there with {file.bytes} bytes")
        return own
    copy = cache_home() / "compacted" / day_set.day / f"{file.sha256}.parquet"
    if not copy.exists() or copy.stat().st_size != file.bytes:
        payload = store.get(key)
        if digest(payload) != file.sha256:
            raise damaged(store, key, "has another SHA-256 than its list says")
        _write_whole(copy, payload)
    return copy


def _write_whole(path: Path, payload: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
        Path(name).rename(path)
    except OSError:
        Path(name).unlink()
        raise


def damaged(store: Readable, key: str, text: str) -> ProbeError:
    """Say that a compacted file cannot be used, and that it is not needed."""
    return RecordInvalid(
        f"{store.address(key)} {text}. It is derived: no measurement is lost.",
        next_step="remove the included-….json beside it, then: python -m probes.compact",
    )
