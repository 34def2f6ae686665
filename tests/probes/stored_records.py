"""Records for tests of what reads them, and a store that forgets nothing and can be cut off anywhere.

The numbers are made up; the manifest is that of examples/records/first-light with some changes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from benchmarks.synthetic_records import TEMPLATE
from probes.checksums import Proof
from probes.errors import StoreUnavailable
from probes.integrity import digest, record_prefix
from probes.readings import Reading
from probes.store_conflict import conflict
from probes.summary import summarise
from probes.tables import encode_table, readings_table, rows_table

TEMPLATE_TEXT = (TEMPLATE / "manifest.json").read_text()
Damage = Literal["none", "no manifest", "table changed", "table lost", "manifest torn", "newer schema"]


class KilledError(Exception):
    """The process ends here."""


@dataclass
class MemoryStore:
    """Keeps objects in memory, conditionally as S3 does; `before_put` may do anything before a put counts."""

    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    puts: int = 0
    before_put: Callable[[int], None] = lambda _: None
    after_put: Callable[[int], None] = lambda _: None

    def address(self, key: str) -> str:
        """Name an object."""
        return f"memory://{key}"

    def check(self) -> None:
        """It is there."""

    def put(self, key: str, payload: bytes) -> Proof:
        """Create an object."""
        self.puts += 1
        self.before_put(self.puts)
        if self.objects.setdefault(key, payload) != payload:
            raise conflict(self.address(key))
        self.after_put(self.puts)
        return "read_back"

    def get(self, key: str) -> bytes:
        """Read an object."""
        if key not in self.objects:
            raise StoreUnavailable(f"There is no {key}.", reason="object_missing")
        return self.objects[key]

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys that begin with a prefix."""
        return tuple(sorted(key for key in self.objects if key.startswith(prefix)))


@dataclass(frozen=True)
class Recipe:
    """What a made-up record is like; `values` are its repetitions, None for one that has a reason instead."""

    number: int
    day: int = 1
    stack: str = "monolithic"
    state: str = "complete"
    values: tuple[float | None, ...] = (1.0, 2.0)
    first_columns: bool = False
    damage: Damage = "none"
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def run_id(self) -> str:
        """Identifier."""
        return f"01a1fe67-0000-7000-8000-{self.number:012d}"


def manifest_of(recipe: Recipe) -> dict[str, Any]:
    """Make a manifest without parts."""
    return {
        **json.loads(TEMPLATE_TEXT),
        "run_id": recipe.run_id,
        "created_at": f"2027-03-{recipe.day:02d}T12:00:00+00:00",
        "stack": recipe.stack,
        "pattern": recipe.stack,
        "state": recipe.state,
        "reason": None if recipe.state == "complete" else "a_reason",
        "repetitions_done": len(recipe.values),
        "metrics": json.loads(_metrics(recipe.values)),
        **recipe.changes,
    }


def store_record(store: MemoryStore, recipe: Recipe) -> str:
    """Keep a record and give its prefix."""
    table = readings_table(_readings(recipe.values))
    if recipe.first_columns:
        table = table.drop("source", "resolution")
    parts = {"metrics.parquet": encode_table(table), "events.parquet": encode_table(rows_table("events", ()))}
    manifest = manifest_of(recipe)
    prefix = record_prefix(manifest)
    manifest["parts"] = [
        {"name": name, "bytes": len(payload), "sha256": digest(payload)} for name, payload in sorted(parts.items())
    ]
    payload = json.dumps(manifest).encode()
    if recipe.damage == "newer schema":
        payload = json.dumps(manifest | {"schema": 2}).encode()
    elif recipe.damage == "manifest torn":
        payload = payload[:-9]
    elif recipe.damage == "table changed":
        parts["events.parquet"] += b"!"
    elif recipe.damage == "table lost":
        del parts["events.parquet"]
    store.objects |= {prefix + name: part for name, part in parts.items()}
    if recipe.damage != "no manifest":
        store.objects[prefix + "manifest.json"] = payload
    return prefix


@cache
def _metrics(values: tuple[float | None, ...]) -> str:
    return json.dumps({key: value.as_record() for key, value in summarise(_readings(values), seed=1).items()})


def _readings(values: tuple[float | None, ...]) -> list[Reading]:
    readings = [Reading("image_bytes_wire", value=7.0)]
    for repetition, value in enumerate(values):
        missing = None if value is not None else "too_few_samples"
        readings += [
            Reading("inference_s", value, missing, labels, repetition) for labels in ({}, {"statistic": "p95"})
        ]
    return readings
