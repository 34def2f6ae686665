"""A whole store or folder of records: what lies there, what does not belong, what is not what its manifest says.

The layout is that of docs/contracts.md, sections 8 and 16: `runs/` and `compacted/`. Beside them lies the marker of an
S3 store (`probes.store_s3`), and nothing else is ever written.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from probes.errors import StoreUnavailable
from probes.integrity import MANIFEST_FILE, Checked, Manifest, Part, Problem, check_record, part_problem, read_manifest
from probes.records import RecordStore
from probes.store_s3 import MARKER_KEY

RUN_KEY = re.compile(r"(runs/schema=\d+/date=\d{4}-\d\d-\d\d/pattern=[^/]+/run=[^/]+/)([^/]+)")
COMPACTED_KEY = re.compile(
    r"(compacted/schema=\d+/date=\d{4}-\d\d-\d\d/)((?:runs|observations)-[0-9a-f]{64}\.parquet|included-[0-9a-f]{64}\.json)"
)
OBJECT_MISSING = "object_missing"


@dataclass(frozen=True)
class Tree:
    """What was found: every record with its problems, and the problems of all other files."""

    records: tuple[Checked, ...]
    problems: tuple[Problem, ...]
    keys: int

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Problems of the records, then of the rest."""
        return (*(problem for record in self.records for problem in record.problems), *self.problems)


def check_tree(store: RecordStore) -> Tree:
    """Walk a whole store and check everything in it.

    Raises:
        StoreUnavailable: It cannot be listed or read.
    """
    keys = store.list("")
    names: dict[str, list[str]] = {}
    compacted: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for key in keys:
        if found := RUN_KEY.fullmatch(key):
            names.setdefault(found[1], []).append(found[2])
        elif found := COMPACTED_KEY.fullmatch(key):
            compacted.setdefault(found[1], []).append(found[2])
        elif key != MARKER_KEY:
            problems.append(Problem("unknown", key, "is no file that a record or its compaction has"))
    records: list[Checked] = []
    for prefix, there in names.items():
        if MANIFEST_FILE in there:
            records.append(check_stored(store, prefix, there))
        else:
            listed = ", ".join(there)
            problems.append(Problem("unfinished", prefix, f"has no manifest, only {listed}: the upload was cut short"))
    problems += _twice(names)
    runs = {record.run_id for record in records}
    for folder, there in compacted.items():
        problems += _compacted_problems(store, folder, there, runs)
    return Tree(tuple(records), tuple(problems), len(keys))


def check_stored(store: RecordStore, prefix: str, there: Iterable[str]) -> Checked:
    """Check a record of a store, its place, and that nothing else lies beside it.

    Args:
        store: The store.
        prefix: Of the record's keys, ending in a slash.
        there: Names of all files below it.
    """
    payload = store.get(prefix + MANIFEST_FILE)
    checked = check_record(payload, lambda name: read_or_none(store, prefix + name), prefix)
    manifest = read_manifest(payload)
    if not isinstance(manifest, Manifest):
        return Checked(checked.run_id, checked.parts, checked.size_bytes, checked.problems)
    problems = list(checked.problems)
    if manifest.prefix != prefix:
        problems.append(Problem("place", prefix, f"holds a record that belongs to {manifest.prefix}"))
    listed = {part.name for part in manifest.parts} | {MANIFEST_FILE}
    problems += [
        Problem("unknown", prefix + name, "is not listed in the manifest") for name in sorted(set(there) - listed)
    ]
    return Checked(checked.run_id, checked.parts, checked.size_bytes, tuple(problems))


def read_or_none(store: RecordStore, key: str) -> bytes | None:
    """Read an object, or give None where there is none.

    Raises:
        StoreUnavailable: The store cannot tell.
    """
    try:
        return store.get(key)
    except StoreUnavailable as problem:
        if problem.reason != OBJECT_MISSING:
            raise
        return None


def _twice(names: Mapping[str, Iterable[str]]) -> list[Problem]:
    """Find runs that have a manifest in two places."""
    places: dict[str, list[str]] = {}
    for prefix, there in names.items():
        if MANIFEST_FILE in there:
            places.setdefault(prefix.rstrip("/").rpartition("run=")[2], []).append(prefix)
    return [
        Problem("twice", prefix, f"holds run {run_id}, which also lies in {found[0]}")
        for run_id, found in places.items()
        for prefix in found[1:]
    ]


def _compacted_problems(store: RecordStore, folder: str, there: Iterable[str], runs: set[str]) -> list[Problem]:
    """Check the compacted files of a day: what is included is there, as listed, and made of runs that are there."""
    problems: list[Problem] = []
    listed: set[str] = set()
    for name in there:
        if not name.startswith("included-"):
            continue
        key = folder + name
        try:
            included = cast("dict[str, Any]", json.loads(store.get(key)))
            parts = [Part(part["name"], part["bytes"], part["sha256"]) for part in included["parts"]]
            named = set(included["runs"])
        except (ValueError, KeyError, TypeError) as error:
            problems.append(Problem("manifest", key, f"lacks or garbles {error}"))
            continue
        listed |= {part.name for part in parts}
        found = (part_problem(part, read_or_none(store, folder + part.name), folder + part.name) for part in parts)
        problems += [problem for problem in found if problem]
        problems += [
            Problem("missing", key, f"includes run {run_id}, of which there is no record")
            for run_id in sorted(named - runs)
        ]
    loose = [name for name in there if name.endswith(".parquet") and name not in listed]
    problems += [Problem("unfinished", folder + name, "is in no included-*.json; it is not read") for name in loose]
    return problems
