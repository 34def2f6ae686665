"""What repetitions leave in a run's folder, and how it is read again: only what is still what was written.

repetitions/000.json              facts: window, gates, SHA-256 of the tables and of the facts themselves; last
repetitions/000.NAME.parquet      one for each table
repetitions/000.window.json       the measured window, known before the repetition has ended
repetitions/000.copy/             samples as they were fetched while it ran
repetitions/run.metrics.parquet   readings of the run as a whole
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from probes.errors import SpoolDamaged
from probes.integrity import digest
from probes.readings import RUN, Reading
from probes.sample_copy import read_copy
from probes.samples import Window
from probes.spool import RESERVE_BYTES, RunFolder
from probes.tables import TABLES, conform, decode_table, encode_table, readings_from, rows_table, samples_table

RUN_READINGS = "run.metrics.parquet"
NOISE_FLOOR_FILE = "noise_floor.json"
WINDOW_FILE = "window.json"
WINDOW_KEYS = {"start_ns", "end_ns"}
DIGEST = "sha256"
COPY = "copy"
FACTS_NAME = re.compile(r"(\d+)\.json")
TABLE_NAME = re.compile(r"(\d+|run)\.([a-z]+)\.parquet")


@dataclass(frozen=True)
class Kept:
    """Everything of a run's folder that is intact.

    Args:
        repetitions: Facts of the complete repetitions, in their order.
        tables: By repetition as its files are named (`000`, or `run`), then by the table's name.
        windows: Measured windows, by repetition.
        copies: Repetitions whose samples lie in a copy only.
        noise_floor: Of the A/A control; None without one.
        damaged: Files, relative to the folder, that are not what was written.
    """

    repetitions: tuple[Mapping[str, Any], ...]
    tables: Mapping[str, Mapping[str, pl.DataFrame]]
    windows: Mapping[str, Window]
    copies: tuple[str, ...]
    noise_floor: Mapping[str, Any] | None
    damaged: tuple[str, ...]

    def joined(self, name: str) -> pl.DataFrame:
        """Put the table of all repetitions together."""
        found = [tables[name] for _, tables in sorted(self.tables.items(), key=_by_number) if name in tables]
        return pl.concat([rows_table(name, ()), *found])

    def readings(self) -> tuple[Reading, ...]:
        """Collect the readings of complete repetitions and of the run."""
        complete = {f"{facts['repetition']:03d}" for facts in self.repetitions} | {"run"}
        found: list[Reading] = []
        for repetition, tables in sorted(self.tables.items(), key=_by_number):
            if "metrics" in tables and repetition in complete:
                found += readings_from(tables["metrics"])
        return tuple(found)


def repetition_file(repetition: int, name: str) -> str:
    """Name a file of one repetition in a run's folder."""
    return f"repetitions/{repetition:03d}.{name}"


def samples_folder(folder: RunFolder, repetition: int) -> Path:
    """Give the folder into which the samples of a repetition are copied while it runs."""
    return folder.path / repetition_file(repetition, COPY)


def write_repetition(
    folder: RunFolder, repetition: int, facts: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]
) -> None:
    """Keep what one repetition left behind; the facts come last and make it count.

    They name the SHA-256 of each table and of themselves, so that a damaged file is never taken for a measurement.

    Raises:
        SpoolFull: The disk has no room for them and for the record that will be made of them.
        DiskFailed: The disk returns errors.
    """
    payloads = {name: encode_table(table) for name, table in tables.items()}
    present = sum(path.stat().st_size for path in folder.repetitions.glob("*.parquet"))
    folder.reserve(RESERVE_BYTES + present + sum(map(len, payloads.values())))
    for name, payload in payloads.items():
        folder.write(repetition_file(repetition, f"{name}.parquet"), payload)
    digests = {name: digest(payload) for name, payload in payloads.items()}
    folder.write_json(repetition_file(repetition, "json"), _with_digest({**facts, "tables": digests}))


def write_window(folder: RunFolder, repetition: int, window: Window) -> None:
    """Keep the measured window of a repetition before it has ended."""
    folder.write_json(repetition_file(repetition, WINDOW_FILE), _with_digest(asdict(window)))


def measured_something(folder: RunFolder) -> bool:
    """Tell whether any sample or reading of the run is on the disk."""
    kinds = ("*.samples.parquet", f"*.{COPY}/*", RUN_READINGS)
    return any(found for kind in kinds for found in folder.repetitions.glob(kind))


def count_complete(folder: RunFolder) -> int:
    """Count the repetitions that came to their end."""
    return sum(FACTS_NAME.fullmatch(path.name) is not None for path in folder.repetitions.glob("*.json"))


def repetition_readings(folder: RunFolder) -> tuple[Reading, ...]:
    """Collect the readings of repetitions, without those of the run."""
    return tuple(reading for reading in read_kept(folder).readings() if reading.repetition != RUN)


def read_kept(folder: RunFolder) -> Kept:
    """Read what is intact in a run's folder, and name what is not."""
    damaged: set[str] = set()
    facts = _facts(folder, damaged)
    tables = _tables(folder, facts, damaged)
    windows = _windows(folder, damaged)
    copies = sorted(path.stem for path in folder.repetitions.glob(f"*.{COPY}"))
    has_floor = (folder.path / NOISE_FLOOR_FILE).exists()
    return Kept(
        repetitions=tuple(facts[repetition] for repetition in sorted(facts, key=int)),
        tables=tables,
        windows=windows,
        copies=tuple(repetition for repetition in copies if "samples" not in tables.get(repetition, {})),
        noise_floor=_read_object(folder, NOISE_FLOOR_FILE, damaged) if has_floor else None,
        damaged=tuple(sorted(damaged)),
    )


def copied_samples(folder: RunFolder, kept: Kept, topics: Sequence[str]) -> list[pl.DataFrame]:
    """Give the samples of repetitions that were cut off in the middle, as far as they had been copied until then."""
    return [
        samples_table(number, read_copy(samples_folder(folder, number), topics), kept.windows.get(f"{number:03d}"))
        for number in map(int, kept.copies)
    ]


def _facts(folder: RunFolder, damaged: set[str]) -> dict[str, Mapping[str, Any]]:
    """Read the facts of complete repetitions, by the number that their files have."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.repetitions.glob("*.json")):
        named = FACTS_NAME.fullmatch(path.name)
        facts = _read_object(folder, f"repetitions/{path.name}", damaged) if named else None
        if named is None or facts is None:
            continue
        found[named[1]] = facts
    return found


def _windows(folder: RunFolder, damaged: set[str]) -> dict[str, Window]:
    found: dict[str, Window] = {}
    for path in sorted(folder.repetitions.glob(f"*.{WINDOW_FILE}")):
        times = _read_object(folder, f"repetitions/{path.name}", damaged)
        if times is not None and times.keys() == WINDOW_KEYS:
            found[path.name.removesuffix(f".{WINDOW_FILE}")] = Window(**times)
        else:
            damaged.add(f"repetitions/{path.name}")
    return found


def _tables(
    folder: RunFolder, facts: Mapping[str, Mapping[str, Any]], damaged: set[str]
) -> dict[str, dict[str, pl.DataFrame]]:
    """Read the tables that are what was written; those that facts name must be there."""
    expected = {
        f"{repetition}.{name}.parquet": told
        for repetition, known in facts.items()
        for name, told in known.get("tables", {}).items()
    }
    there = {path.name for path in folder.repetitions.glob("*.parquet")}
    found: dict[str, dict[str, pl.DataFrame]] = {}
    for file in sorted(there | expected.keys()):
        named = TABLE_NAME.fullmatch(file)
        if named is None:
            continue
        table = _read_table(folder.repetitions / file, named[2], expected.get(file))
        if table is None:
            damaged.add(f"repetitions/{file}")
        else:
            found.setdefault(named[1], {})[named[2]] = table
    return found


def _read_table(path: Path, name: str, told: str | None) -> pl.DataFrame | None:
    """Read a table; columns that an earlier version did not write are null. None where it is not what was written."""
    try:
        payload = path.read_bytes()
        if told is not None and digest(payload) != told:
            return None
        table = decode_table(payload)
        return table if dict(table.schema) == dict(TABLES[name]) else conform(name, table)
    except (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None


def _read_object(folder: RunFolder, name: str, damaged: set[str]) -> dict[str, Any] | None:
    """Read a JSON object and take its digest off; None where it is not what was written."""
    try:
        found = folder.read_json(name)
    except SpoolDamaged:
        damaged.add(name)
        return None
    told = found.pop(DIGEST, None)
    # Earlier versions wrote no digest, neither here nor of the tables.
    if told == _digest_of(found) or (told is None and "tables" not in found):
        return found
    damaged.add(name)
    return None


def _with_digest(value: Mapping[str, Any]) -> dict[str, Any]:
    # As it will be read back, so that the digest is of the same text.
    plain: dict[str, Any] = json.loads(json.dumps(dict(value)))
    return plain | {DIGEST: _digest_of(plain)}


def _digest_of(value: Mapping[str, Any]) -> str:
    return digest(json.dumps(dict(value), sort_keys=True).encode())


def _by_number(item: tuple[str, object]) -> float:
    """Sort repetitions by their number, the run as a whole last."""
    return float("inf") if item[0] == "run" else int(item[0])
