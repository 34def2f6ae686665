"""From a run's folder to its record: seal (pure function of the folder), then upload, manifest last.

Sealing needs nothing but what the folder holds, so that a run whose process was killed is sealed just as well. A file
of the folder that is not what was written is left out, stays where it is, and makes the record invalid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from probes.checksums import Proof, weakest
from probes.errors import RecordConflict, SchemaTooNew, SpoolDamaged
from probes.integrity import SCHEMA, Manifest, digest, part_problem, read_manifest
from probes.journal import Entry, Journal, is_committed
from probes.kept import copied_samples, read_kept
from probes.manifest import Repetition
from probes.provenance import without_places
from probes.spool import MANIFEST_FILE, RunFolder
from probes.store import Store
from probes.summary import Value, summarise
from probes.tables import encode_table, readings_table

CONTEXT_FILE = "context.json"
DAMAGED = "damaged_files"
CONFLICT = "record_conflict"
PARTS = ("counters", "events", "metrics", "pods", "samples", "timeline")
FACTS = tuple(Repetition.model_fields)
"""What a manifest says of a repetition, its schema knows."""

EndState = Literal["complete", "invalid", "failed", "aborted"]


@dataclass(frozen=True)
class End:
    """How a run ended; the reason of a complete run is None."""

    state: EndState
    reason: str | None


def decide_end(
    context: Mapping[str, Any], repetitions: Sequence[Mapping[str, Any]], end: End, damaged: Sequence[str] = ()
) -> End:
    """Turn a run that came to its planned end into an invalid one where a gate failed or a file is damaged."""
    failed = sorted({gate["name"] for facts in repetitions for gate in facts["gates"] if not gate["passed"]})
    if end.state == "complete" and damaged:
        return End("invalid", DAMAGED)
    if end.state == "complete" and len(repetitions) < context["plan"]["repetitions"]:
        return End("aborted", "incomplete")
    if end.state == "complete" and failed:
        return End("invalid", ",".join(failed))
    return end


def seal(folder: RunFolder, journal: Journal, end: End) -> dict[str, Any]:
    """Write the record into the run's folder and give its manifest.

    Sealing again, from the same files, writes the same bytes.

    Raises:
        SpoolFull: The disk has no room.
        DiskFailed: The disk returns errors.
        SpoolDamaged: What was known before the first repetition cannot be read.
    """
    folder.release()
    context = folder.read_json(CONTEXT_FILE)
    kept = read_kept(folder)
    topics = [topic["name"] for topic in context["outputs"]["application"]["topics"]] if kept.copies else []
    final = decide_end(context, kept.repetitions, end, kept.damaged)
    joined = {name: kept.joined(name) for name in ("counters", "pods", "events", "timeline")}
    readings = kept.readings()
    joined["samples"] = pl.concat([kept.joined("samples"), *copied_samples(folder, kept, topics)])
    joined["metrics"] = readings_table(readings)
    values = summarise(readings, seed=context["plan"]["seed"])
    parts = {f"{name}.parquet": encode_table(joined[name]) for name in PARTS}
    for name, payload in parts.items():
        folder.write(f"sealed/{name}", payload)
    manifest = build_manifest(context, kept.repetitions, values, final, parts) | {"noise_floor": kept.noise_floor}
    if kept.damaged:
        manifest["damaged"] = list(kept.damaged)
    manifest = without_places(manifest)
    folder.write_json(f"sealed/{MANIFEST_FILE}", manifest)
    if final.state != "complete":
        journal.append(final.state, final.reason)
    journal.append("sealed", manifest_sha256=digest((folder.sealed / MANIFEST_FILE).read_bytes()))
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
            {"name": name, "bytes": len(payload), "sha256": digest(payload)} for name, payload in sorted(parts.items())
        ],
    }


def upload(folder: RunFolder, journal: Journal, store: Store) -> str:
    """Store the sealed record, manifest last, and give the manifest's address.

    Every call may be repeated: what is stored already with the same bytes is left as it is.

    Raises:
        StoreUnavailable: The store cannot be reached, refuses, or is not to be trusted.
        RecordConflict: Another record has the name of this run; the journal says so.
        SpoolDamaged: What lies in the folder is not what was sealed.
        SchemaTooNew: A later version of the program has sealed it.
    """
    payload = (folder.sealed / MANIFEST_FILE).read_bytes()
    manifest = sealed_manifest(folder, payload)
    address = store.address(manifest.prefix + MANIFEST_FILE)
    try:
        proofs: list[Proof] = [
            store.put(manifest.prefix + part.name, intact_part(folder, manifest, part.name)) for part in manifest.parts
        ]
        journal.append("uploaded", address=address)
        proofs.append(store.put(manifest.prefix + MANIFEST_FILE, payload))
    except RecordConflict:
        if not is_committed(journal.entries):
            journal.append("sealed", CONFLICT, address=address)
        raise
    journal.append("committed", address=address, proof=weakest(proofs))
    return address


def sealed_manifest(folder: RunFolder, payload: bytes) -> Manifest:
    """Read the manifest of a sealed record.

    Raises:
        SchemaTooNew: A later version of the program has sealed it.
        SpoolDamaged: It is no manifest.
    """
    place = str(folder.sealed / MANIFEST_FILE)
    manifest = read_manifest(payload, place)
    if isinstance(manifest, Manifest):
        return manifest
    if manifest.kind == "newer":
        raise SchemaTooNew(f"{place} {manifest.text}.", next_step="resume it with the version that measured")
    raise SpoolDamaged(f"{place} {manifest.text}.", next_step="python -m probes.doctor")


def intact_part(folder: RunFolder, manifest: Manifest, name: str) -> bytes:
    """Read a sealed part.

    Raises:
        SpoolDamaged: It is not what the manifest lists.
    """
    path = folder.sealed / name
    payload = path.read_bytes() if path.exists() else None
    listed = next(part for part in manifest.parts if part.name == name)
    problem = part_problem(listed, payload, str(path))
    if payload is None or problem is not None:
        raise SpoolDamaged(
            f"{path} {problem.text if problem else 'is not there'}. Nothing was stored under its name.",
            next_step=f"python -m probes.resume {folder.run_id}",
        )
    return payload


def sealed_damage(folder: RunFolder, journal_digest: str | None) -> str | None:
    """Say what is wrong with the sealed record in a folder; None where it is whole.

    Args:
        folder: The run's folder; it has a manifest.
        journal_digest: SHA-256 of the manifest as the journal says it; None where it says nothing.

    Raises:
        SchemaTooNew: A later version of the program has sealed it.
    """
    payload = (folder.sealed / MANIFEST_FILE).read_bytes()
    try:
        manifest = sealed_manifest(folder, payload)
        if journal_digest not in {None, digest(payload)}:
            return f"{MANIFEST_FILE} is not the one that the journal names"
        for part in manifest.parts:
            intact_part(folder, manifest, part.name)
    except SpoolDamaged as damage:
        return damage.message
    return None


def sealed_digest(entries: Iterable[Entry]) -> str | None:
    """Give the SHA-256 of the manifest that a journal says was sealed last; None where it says nothing."""
    told = [entry.data.get("manifest_sha256") for entry in entries if entry.state == "sealed"]
    known = [value for value in told if value]
    return known[-1] if known else None
