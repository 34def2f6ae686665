"""Judges a history: what was promised must hold, and nothing may be claimed that does not."""

import functools
import io
import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from probes.integrity import Manifest, Problem, check_record, digest, read_manifest
from probes.journal import is_committed
from probes.samples import COLUMNS
from probes.spool import MANIFEST_FILE, Spool
from probes.store import Store
from tests.durability.scripted_run import RUN_ID, History, Shape, reading_of
from tests.durability.stand_ins import rows_of
from tests.probes.standins import TOPIC


def stored_manifests(store: Store, run_id: str = RUN_ID) -> list[str]:
    """Give the keys of all manifests of a run, wherever they lie."""
    return [key for key in store.list("") if key.endswith(f"/run={run_id}/{MANIFEST_FILE}")]


def check_claims(spool: Spool, store: Store) -> None:
    """What this machine says to be stored is in the store, whole."""
    for folder in spool.runs():
        if is_committed(folder.read_journal().entries):
            [key] = stored_manifests(store, folder.run_id)
            check_whole(store, key)
            assert store.get(key) == (folder.sealed / MANIFEST_FILE).read_bytes()


def check_promises(store: Store, history: History) -> None:
    """Every record that was said to be stored is there once, whole, with the bytes that it had then."""
    for address, manifest in history.stored.items():
        [key] = [key for key in stored_manifests(store) if store.address(key) == address]
        assert digest(store.get(key)) == manifest
        check_whole(store, key)
    assert len(stored_manifests(store)) <= 1


def check_whole(store: Store, key: str) -> None:
    """A record has every part that its manifest lists, byte by byte."""
    base = key.removesuffix(MANIFEST_FILE)
    assert whole({name.removeprefix(base): store.get(name) for name in store.list(base)}) == ()


def whole(files: Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Check a record as `probes.verify` does; equal files are checked once."""
    return _checked(tuple(sorted(files.items())))


@functools.cache
def _checked(files: tuple[tuple[str, bytes], ...]) -> tuple[Problem, ...]:
    there = dict(files)
    return check_record(there[MANIFEST_FILE], there.get).problems


@functools.cache
def _rows(payload: bytes) -> list[dict[str, Any]]:
    return pl.read_parquet(io.BytesIO(payload)).to_dicts()


def check_contents(store: Store, history: History, shape: Shape, runners_reasons: frozenset[str] = frozenset()) -> str:
    """What was measured and durable is in the record, once and unchanged; gives the record's state.

    Args:
        store: Where the record is.
        history: What was promised.
        shape: What the run is like.
        runners_reasons: For which the runner itself may have ended the run early, however far it came.
    """
    [key] = stored_manifests(store)
    manifest = read_manifest(store.get(key))
    assert isinstance(manifest, Manifest)
    base = manifest.prefix
    assert key == base + MANIFEST_FILE
    found: dict[int, list[tuple[int, ...]]] = {number: [] for number in range(shape.repetitions)}
    for row in _rows(store.get(f"{base}samples.parquet")):
        assert row["topic"] == TOPIC
        found[row["repetition"]].append(tuple(row[column] for column in COLUMNS))
    for repetition, rows in found.items():
        assert len(rows) >= history.synced.get(repetition, 0)
        assert rows == [tuple(row) for row in rows_of(len(rows)).tolist()]
    readings = _rows(store.get(f"{base}metrics.parquet"))
    counted = {row["repetition"]: row["value"] for row in readings}
    assert len(counted) == len(readings)
    assert history.kept <= counted.keys()
    assert all(value == reading_of(repetition).value for repetition, value in counted.items())
    content: dict[str, Any] = json.loads(store.get(key))
    assert content["repetitions_done"] == len(counted)
    is_whole = len(counted) == shape.repetitions
    expected = ("complete" if shape.passes else "invalid") if is_whole else "aborted"
    assert content["state"] == expected or content["reason"] in runners_reasons
    return content["state"]
