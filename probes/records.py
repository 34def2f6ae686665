"""The one way to read records back: from compacted files where they are there, from the manifests where not.

    runs = list_runs(store, RunFilter(stacks=("monolithic", "overlay")))
    frame = observations(store, runs, keys=("inference_s",))

Both ways give the same. What is read is checked: manifests against their model, tables against size, SHA-256 and
columns. Nothing here writes.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar, runtime_checkable

import polars as pl

from probes.compacted import best_sets, collected, scan_observations, scan_runs
from probes.errors import ProbeError, RecordInvalid, StoreUnavailable
from probes.integrity import MANIFEST_FILE, SCHEMA, digest
from probes.observations import in_order as observations_in_order
from probes.observations import nothing_observed, observations_of
from probes.run_summary import EVERY_RUN, RunFilter, RunSummary, in_order, run_row, runs_frame, summaries
from probes.tables import conform, decode_table, rows_table

RUN_PREFIX = re.compile(r"runs/schema=(\d+)/date=(\d{4}-\d\d-\d\d)/pattern=([^/]+)/run=([^/]+)/")
RUNS = "runs/"
RUN = "run="
OBJECT_MISSING = "object_missing"
THREADS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


class RecordStore(Protocol):
    """Where records lie: an S3 bucket or a folder (`probes.store`)."""

    def address(self, key: str) -> str:
        """Name an object for people."""
        ...

    def get(self, key: str) -> bytes:
        """Read an object."""
        ...

    def list(self, prefix: str) -> Sequence[str]:
        """Give the keys that begin with a prefix."""
        ...


@runtime_checkable
class ListsFolders(Protocol):
    """A store that can list the runs without everything in them."""

    def folders(self, prefix: str, known: AbstractSet[str] = frozenset()) -> Sequence[str]:
        """Give the names of the folders right below a prefix, but for those that are known."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a record lies, as its key tells."""

    prefix: str
    schema: int
    day: str
    pattern: str
    run_id: str


@dataclass(frozen=True)
class Found:
    """Runs that can be read, and what was wrong with others."""

    runs: tuple[RunSummary, ...]
    problems: tuple[ProbeError, ...]


def list_runs(store: RecordStore, where: RunFilter = EVERY_RUN) -> tuple[RunSummary, ...]:
    """Give the committed runs that are asked for, oldest first.

    Raises:
        SchemaTooNew: One of them was written by a later version of the program.
        RecordInvalid: One of them is no record.
        StoreUnavailable: The store cannot be read.
    """
    found = find_runs(store, where)
    if found.problems:
        raise found.problems[0]
    return found.runs


def find_runs(store: RecordStore, where: RunFilter = EVERY_RUN) -> Found:
    """As `list_runs`, but tell what cannot be read beside what can.

    Raises:
        StoreUnavailable: The store cannot be read.
    """
    sets = best_sets(store, where)
    held = set(chain.from_iterable(day_set.run_ids for day_set in sets))
    loose = places(store, where, held)
    rows: list[dict[str, Any]] = []
    problems: list[ProbeError] = []
    for outcome in _each(lambda place: _row(store, place), loose):
        if isinstance(outcome, ProbeError):
            problems.append(outcome)
        elif outcome is not None:
            rows.append(outcome)
    expression = where.expression()
    compacted = collected(store, scan_runs(store, sets).filter(expression))
    frame = in_order(pl.concat([compacted, runs_frame(rows).filter(expression)]))
    return Found(summaries(frame), tuple(problems))


def observations(store: RecordStore, runs: Iterable[RunSummary], keys: Collection[str] | None = None) -> pl.DataFrame:
    """Give what was observed in some runs: columns of `probes.observations.OBSERVATIONS`, sorted by key and run.

    Args:
        store: Where their records lie.
        runs: The runs.
        keys: Metric keys as in the manifest; all where none is given. Naming them makes reading many runs fast.

    Raises:
        RecordInvalid: A record or a compacted file is not what it should be.
        StoreUnavailable: The store cannot be read.
    """
    wanted = {run.run_id: run for run in runs}
    sets = [day_set for day_set in best_sets(store) if not wanted.keys().isdisjoint(day_set.run_ids)]
    in_sets = set(chain.from_iterable(day_set.run_ids for day_set in sets))
    held = in_sets & wanted.keys()
    chosen = pl.lit(value=True) if keys is None else pl.col("key").is_in(list(keys))
    compacted = scan_observations(store, sets).filter(chosen)
    if held != in_sets:
        compacted = compacted.join(
            pl.LazyFrame({"run_id": sorted(held)}, schema={"run_id": pl.String}), on="run_id", how="semi"
        )
    loose = [run for run_id, run in wanted.items() if run_id not in held]
    read = _each(lambda run: read_observations(store, run.prefix).filter(chosen), loose)
    for outcome in read:
        if isinstance(outcome, ProbeError):
            raise outcome
    frames = [frame for frame in read if isinstance(frame, pl.DataFrame)]
    return observations_in_order(pl.concat([nothing_observed(), collected(store, compacted), *frames]))


def read_manifest(store: RecordStore, run: RunSummary) -> dict[str, Any]:
    """Give the manifest of a run as plain JSON values, checked, with every key of its schema.

    Raises:
        RecordInvalid: It is none.
        StoreUnavailable: It cannot be read.
    """
    return manifest_at(store, run.prefix)


def read_table(store: RecordStore, run: RunSummary, name: str) -> pl.DataFrame:
    """Give a table of a run; an empty one where the record's version had no such table.

    Args:
        store: Where the record lies.
        run: The run.
        name: One of `probes.tables.TABLES`.

    Raises:
        RecordInvalid: The table is not what the manifest lists, or not of its schema.
        StoreUnavailable: It cannot be read.
    """
    return table_at(store, run.prefix, manifest_at(store, run.prefix), name)


def places(store: RecordStore, where: RunFilter = EVERY_RUN, known: Collection[str] = frozenset()) -> tuple[Place, ...]:
    """Give the places of all runs of the span of days but the known ones.

    A record is committed by its manifest. A store that lists folders tells also of those that have none yet.
    """
    if isinstance(store, ListsFolders):
        prefixes = _run_folders(store, known)
    else:
        found = (key.removesuffix(MANIFEST_FILE) for key in store.list(RUNS) if key.endswith(f"/{MANIFEST_FILE}"))
        prefixes = (prefix for prefix in found if prefix.rpartition(RUN)[2][:-1] not in known)
    told = (_place(prefix) for prefix in prefixes)
    return tuple(place for place in told if place is not None and where.holds_day(place.day))


def _run_folders(store: ListsFolders, known: Collection[str]) -> Iterator[str]:
    above = [RUNS]
    for _ in ("schema", "date", "pattern"):
        above = [f"{prefix}{name}/" for prefix in above for name in store.folders(prefix)]
    names = {f"{RUN}{run_id}" for run_id in known}
    for prefix in above:
        yield from (f"{prefix}{name}/" for name in store.folders(prefix, names))


def manifest_at(store: RecordStore, prefix: str) -> dict[str, Any]:
    """Read the manifest below a prefix; see `read_manifest`."""
    # Imported here because making the model takes as long as comparing a hundred thousand compacted runs.
    from probes.manifest import read_document, too_new  # noqa: PLC0415

    place, key = _place_of_run(prefix), prefix + MANIFEST_FILE
    if place.schema > SCHEMA:
        raise too_new(store.address(key), place.schema)
    document = read_document(store.get(key), store.address(key))
    if document["run_id"] != place.run_id:
        raise RecordInvalid(
            f"{store.address(key)} says that it is run {document['run_id']}: the record is not where it belongs.",
            next_step="python -m probes.verify",
        )
    return document


def table_at(store: RecordStore, prefix: str, manifest: dict[str, Any], name: str) -> pl.DataFrame:
    """Read a table below a prefix; see `read_table`."""
    file = f"{name}.parquet"
    part = next((part for part in manifest["parts"] if part["name"] == file), None)
    if part is None:
        return rows_table(name, ())
    address, payload = store.address(prefix + file), store.get(prefix + file)
    if (len(payload), digest(payload)) != (part["bytes"], part["sha256"]):
        raise RecordInvalid(
            f"{address} is not what the manifest of run {manifest['run_id']} lists: {len(payload)} bytes instead of "
            f"{part['bytes']}, or another SHA-256.",
            next_step="python -m probes.verify",
        )
    try:
        return conform(name, decode_table(payload))
    except ValueError as error:
        raise RecordInvalid(f"{address}: {error}", next_step="python -m probes.verify") from None


def read_observations(store: RecordStore, prefix: str) -> pl.DataFrame:
    """Give what was observed in the run below a prefix, from its own manifest and table."""
    manifest = manifest_at(store, prefix)
    return observations_of(manifest, table_at(store, prefix, manifest, "metrics"))


def _row(store: RecordStore, place: Place) -> dict[str, Any] | None:
    """Give the row of a run; None where no manifest commits it."""
    try:
        return run_row(manifest_at(store, place.prefix), place.prefix)
    except StoreUnavailable as problem:
        if problem.reason == OBJECT_MISSING:
            return None
        raise


def _place(key: str) -> Place | None:
    found = RUN_PREFIX.match(key)
    return Place(found[0], int(found[1]), found[2], found[3], found[4]) if found else None


def _place_of_run(prefix: str) -> Place:
    place = _place(prefix)
    if place is None:
        raise RecordInvalid(
            f"{prefix} is not where a record belongs: runs/schema=N/date=YYYY-MM-DD/pattern=PATTERN/run=RUN_ID/.",
            next_step="python -m probes.verify",
        )
    return place


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result | ProbeError]:
    """Do the same for many items at once; what is wrong with one record is its result.

    Raises:
        StoreUnavailable: The store cannot be read.
    """

    def attempt(item: Item) -> Result | ProbeError:
        try:
            return work(item)
        except StoreUnavailable:
            raise
        except ProbeError as problem:
            return problem

    if len(items) < 2:
        return [attempt(item) for item in items]
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(attempt, items))
