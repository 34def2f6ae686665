"""From a run's folder to its record: seal (pure function of the folder), then upload, manifest last.

Sealing needs nothing but what the folder holds, so that a run whose process was killed is sealed just as well.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from probes.journal import Journal
from probes.provenance import without_home
from probes.readings import RUN, Reading
from probes.sample_copy import read_copy
from probes.samples import Window
from probes.spool import MANIFEST_FILE, RunFolder
from probes.store import Store
from probes.summary import Value, summarise
from probes.tables import TABLES, decode_table, encode_table, readings_from, readings_table, rows_table, samples_table

SCHEMA = 1
CONTEXT_FILE = "context.json"
RUN_READINGS = "run.metrics.parquet"
NOISE_FLOOR_FILE = "noise_floor.json"
WINDOW_FILE = "window.json"
PARTS = ("counters", "events", "metrics", "pods", "samples", "timeline")
FACTS = (
    "repetition",
    "window",
    "deployment",
    "clock",
    "capture",
    "load_average",
    "regime",
    "readers",
    "updates",
    "faults",
)

EndState = Literal["complete", "invalid", "failed", "aborted"]


@dataclass(frozen=True)
class End:
    """How a run ended; the reason of a complete run is None."""

    state: EndState
    reason: str | None


def record_prefix(context: Mapping[str, Any]) -> str:
    """Give the key prefix of a run's record, ending in a slash."""
    date = datetime.fromisoformat(context["created_at"]).date().isoformat()
    pattern, run_id = context["pattern"], context["run_id"]
    return f"runs/schema={SCHEMA}/date={date}/pattern={pattern}/run={run_id}/"


def repetition_file(repetition: int, name: str) -> str:
    """Name a file of one repetition in a run's folder."""
    return f"repetitions/{repetition:03d}.{name}"


def write_repetition(
    folder: RunFolder, repetition: int, facts: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]
) -> None:
    """Keep what one repetition left behind; the facts come last and make it count."""
    for name, table in tables.items():
        folder.write(repetition_file(repetition, f"{name}.parquet"), encode_table(table))
    folder.write_json(repetition_file(repetition, "json"), dict(facts))


def measured_something(folder: RunFolder) -> bool:
    """Tell whether any sample or reading of the run is on the disk."""
    kinds = ("*.samples.parquet", "*.copy/*", RUN_READINGS)
    return any(found for kind in kinds for found in folder.repetitions.glob(kind))


def decide_end(context: Mapping[str, Any], repetitions: Sequence[Mapping[str, Any]], end: End) -> End:
    """Turn a run that came to its planned end into an invalid one where a gate failed."""
    failed = sorted({gate["name"] for facts in repetitions for gate in facts["gates"] if not gate["passed"]})
    if end.state == "complete" and len(repetitions) < context["plan"]["repetitions"]:
        return End("aborted", "incomplete")
    if end.state == "complete" and failed:
        return End("invalid", ",".join(failed))
    return end


def seal(folder: RunFolder, journal: Journal, end: End) -> dict[str, Any]:
    """Write the record into the run's folder and give its manifest.

    Sealing again replaces a seal that was never committed.
    """
    folder.release()
    context = folder.read_json(CONTEXT_FILE)
    repetitions = [json.loads(path.read_bytes()) for path in sorted(folder.repetitions.glob("[0-9][0-9][0-9].json"))]
    final = decide_end(context, repetitions, end)
    tables = {name: _joined(folder, name) for name in ("counters", "pods", "events", "timeline")}
    tables["samples"] = _all_samples(folder, context)
    readings = _readings(folder)
    tables["metrics"] = readings_table(readings)
    values = summarise(readings, seed=context["plan"]["seed"])
    parts = {f"{name}.parquet": encode_table(tables[name]) for name in PARTS}
    for name, payload in parts.items():
        folder.write(f"sealed/{name}", payload)
    floor = folder.read_json(NOISE_FLOOR_FILE) if (folder.path / NOISE_FLOOR_FILE).exists() else None
    manifest = without_home(build_manifest(context, repetitions, values, final, parts) | {"noise_floor": floor})
    folder.write_json(f"sealed/{MANIFEST_FILE}", manifest)
    if final.state != "complete":
        journal.append(final.state, final.reason)
    journal.append("sealed", manifest_sha256=_sha256((folder.sealed / MANIFEST_FILE).read_bytes()))
    return manifest


def build_manifest(
    context: Mapping[str, Any],
    repetitions: Sequence[Mapping[str, Any]],
    values: Mapping[str, Value],
    end: End,
    parts: Mapping[str, bytes],
) -> dict[str, Any]:
    """Join all that a record says into its manifest."""
    gates = [{"repetition": facts["repetition"], **gate} for facts in repetitions for gate in facts["gates"]]
    return {
        "schema": SCHEMA,
        **context,
        "state": end.state,
        "reason": end.reason,
        "cycle_regime": context["plan"].get("regime", "warm") if context["plan"]["cycles"] != "none" else None,
        "repetitions_done": len(repetitions),
        "repetitions": [{key: facts.get(key) for key in FACTS} for facts in repetitions],
        "gates": gates,
        "metrics": {key: value.as_record() for key, value in values.items()},
        "parts": [
            {"name": name, "bytes": len(payload), "sha256": _sha256(payload)} for name, payload in sorted(parts.items())
        ],
    }


def upload(folder: RunFolder, journal: Journal, store: Store) -> str:
    """Store the sealed record, manifest last, and give the manifest's address.

    Every call may be repeated: what is stored already with the same bytes is left as it is.

    Raises:
        StoreUnavailable: The store cannot be reached, refuses, or is not to be trusted.
        RecordConflict: Another record has the name of this run.
    """
    manifest = (folder.sealed / MANIFEST_FILE).read_bytes()
    prefix = record_prefix(json.loads(manifest))
    for part in json.loads(manifest)["parts"]:
        store.put(prefix + part["name"], (folder.sealed / part["name"]).read_bytes())
    address = store.address(prefix + MANIFEST_FILE)
    journal.append("uploaded", address=address)
    store.put(prefix + MANIFEST_FILE, manifest)
    journal.append("committed", address=address)
    return address


def _readings(folder: RunFolder) -> tuple[Reading, ...]:
    """Collect the readings of complete repetitions and of the run."""
    complete = {path.name.split(".")[0] for path in folder.repetitions.glob("[0-9][0-9][0-9].json")}
    found: list[Reading] = []
    for path in sorted(folder.repetitions.glob("*.metrics.parquet")):
        if path.name.split(".")[0] in complete or path.name.startswith("run."):
            found += readings_from(decode_table(path.read_bytes()))
    return tuple(found)


def repetition_readings(folder: RunFolder) -> tuple[Reading, ...]:
    """Collect the readings of repetitions, without those of the run."""
    return tuple(reading for reading in _readings(folder) if reading.repetition != RUN)


def samples_folder(folder: RunFolder, repetition: int) -> Path:
    """Give the folder into which the samples of a repetition are copied while it runs."""
    return folder.path / repetition_file(repetition, "copy")


def _joined(folder: RunFolder, name: str) -> pl.DataFrame:
    empty = rows_table(name, ())
    found = [decode_table(path.read_bytes()) for path in sorted(folder.repetitions.glob(f"*.{name}.parquet"))]
    return pl.concat([empty.select(TABLES[name].keys()), *found])


def _all_samples(folder: RunFolder, context: Mapping[str, Any]) -> pl.DataFrame:
    """Join the samples of all repetitions; of one that was cut off in the middle, what had been copied until then."""
    whole = _joined(folder, "samples")
    copies = sorted(
        path for path in folder.repetitions.glob("*.copy") if not path.with_suffix(".samples.parquet").exists()
    )
    return pl.concat([whole, *(_copied(folder, int(path.stem), context) for path in copies)])


def _copied(folder: RunFolder, repetition: int, context: Mapping[str, Any]) -> pl.DataFrame:
    names = [topic["name"] for topic in context["outputs"]["application"]["topics"]]
    samples = read_copy(samples_folder(folder, repetition), names)
    file = repetition_file(repetition, WINDOW_FILE)
    window = Window(**folder.read_json(file)) if (folder.path / file).exists() else None
    return samples_table(repetition, samples, window)


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
