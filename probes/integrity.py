"""Whether a record is what its manifest says: names, sizes, SHA-256, schemas. For `verify`, `resume` and `doctor`.

Pure: the bytes are handed in. A damaged record is described, never repaired here.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import polars as pl

from probes.errors import ProbeError
from probes.tables import LATER_COLUMNS, TABLES

MANIFEST_FILE = "manifest.json"
SCHEMA = 1
"""Version of the record's schema that this program writes, and the newest that it reads."""
Kind = Literal["manifest", "newer", "missing", "size", "sha256", "schema", "place", "unknown", "twice", "unfinished"]
"""What can be wrong: `manifest` unreadable, `newer` than this program, a part `missing`, of another `size`, `sha256` or
table `schema`, a record at another `place` than its manifest says, a file that is `unknown` there, a run that is there
`twice`, parts without a manifest (`unfinished`)."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be; `key` names the file, `text` says what was expected and what is there."""

    kind: Kind
    key: str
    text: str


@dataclass(frozen=True)
class Part:
    """One file of a record as its manifest lists it."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a manifest says of itself; `content` is all of it."""

    run_id: str
    prefix: str
    parts: tuple[Part, ...]
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Checked:
    """The outcome for one record."""

    run_id: str
    parts: int
    size_bytes: int
    problems: tuple[Problem, ...]


def record_prefix(content: Mapping[str, Any]) -> str:
    """Give the key prefix of a run's record, ending in a slash, from its context or manifest."""
    date = datetime.fromisoformat(content["created_at"]).date().isoformat()
    return f"runs/schema={SCHEMA}/date={date}/pattern={content['pattern']}/run={content['run_id']}/"


def digest(payload: bytes) -> str:
    """Give the SHA-256 of some bytes as hexadecimal digits."""
    return hashlib.sha256(payload).hexdigest()


def read_manifest(payload: bytes, key: str = MANIFEST_FILE) -> Manifest | Problem:
    """Read a manifest, or say why it cannot be read."""
    try:
        parsed: object = json.loads(payload)
    except (ValueError, RecursionError) as error:
        return Problem("manifest", key, f"is not JSON ({error})")
    if not isinstance(parsed, dict):
        return Problem("manifest", key, "holds no JSON object")
    content = cast("dict[str, Any]", parsed)
    schema = content.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        return Problem("newer", key, f"has schema {schema}; this program reads up to {SCHEMA}: use a newer ros2bench")
    if schema != SCHEMA:
        return Problem("manifest", key, f"has schema {schema!r}; {SCHEMA} was expected")
    try:
        listed = tuple(Part(part["name"], part["bytes"], part["sha256"]) for part in content["parts"])
        return Manifest(content["run_id"], record_prefix(content), listed, content)
    except (KeyError, TypeError, ValueError) as error:
        return Problem("manifest", key, f"lacks or garbles {error}: run_id, created_at, pattern and parts are needed")


def part_problem(part: Part, payload: bytes | None, key: str) -> Problem | None:
    """Compare one file with what the manifest lists; None where it is the same."""
    if payload is None:
        return Problem("missing", key, f"is not there; the manifest lists it with {part.size_bytes} bytes")
    if len(payload) != part.size_bytes:
        return Problem("size", key, f"has {len(payload)} bytes; the manifest lists {part.size_bytes}")
    if (found := digest(payload)) != part.sha256:
        return Problem("sha256", key, f"has SHA-256 {found}; the manifest lists {part.sha256}")
    return None


def schema_problem(name: str, payload: bytes, key: str) -> Problem | None:
    """Compare the columns of a table with those of its schema; None where they are the same."""
    table = name.removesuffix(".parquet")
    if table not in TABLES or not name.endswith(".parquet"):
        return Problem("schema", key, f"is no table of schema {SCHEMA}; those are {', '.join(TABLES)}")
    try:
        found = pl.read_parquet_schema(io.BytesIO(payload))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return Problem("schema", key, f"is not readable as Parquet ({error})")
    expected = TABLES[table]
    lacking = [column for column in expected if column not in found]
    lacking = [column for column in lacking if column not in LATER_COLUMNS.get(table, ())]
    other = [
        f"{column} ({dtype})" for column, dtype in found.items() if column not in expected or dtype != expected[column]
    ]
    if not lacking and not other:
        return None
    told = [f"lacks {', '.join(lacking)}"] * bool(lacking) + [f"has {', '.join(other)}"] * bool(other)
    return Problem("schema", key, f"{' and '.join(told)}, unlike schema {SCHEMA}")


def check_record(payload: bytes, read: Callable[[str], bytes | None], base: str = "") -> Checked:
    """Check a manifest against its schema, and every part against the manifest and the schema of its table.

    Args:
        payload: Bytes of the manifest.
        read: Gives the bytes of a part by its name, or None where there is none.
        base: What stands before the names in the keys of problems.
    """
    # Imported here because making the model takes longer than what most commands need of this module.
    from probes.manifest import parse_manifest  # noqa: PLC0415

    manifest = read_manifest(payload, base + MANIFEST_FILE)
    if isinstance(manifest, Problem):
        return Checked("", 0, len(payload), (manifest,))
    problems: list[Problem] = []
    try:
        parse_manifest(payload, base + MANIFEST_FILE)
    except ProbeError as error:
        problems.append(Problem("manifest", base + MANIFEST_FILE, error.message))
    size_bytes = len(payload)
    for part in manifest.parts:
        found = read(part.name)
        size_bytes += len(found or b"")
        problem = part_problem(part, found, base + part.name)
        if problem is None and found is not None:
            problem = schema_problem(part.name, found, base + part.name)
        problems += [problem] if problem else []
    return Checked(manifest.run_id, len(manifest.parts), size_bytes, tuple(problems))
