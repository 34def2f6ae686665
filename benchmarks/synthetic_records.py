"""A stand-in for years of measuring: records and compacted sets with made-up numbers, in the shapes of real ones.

Nothing here was measured. A record is that of `examples/records/first-light` with other identifiers and values, so
that reading it costs what reading a real one costs.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from probes.compacted import File, digest_of, encode_frame, encode_included, file_name, folder, included_key
from probes.integrity import digest, record_prefix
from probes.observations import OBSERVATIONS, in_order
from probes.readings import reading_key
from probes.run_id import new_run_id
from probes.run_summary import RUNS, run_row, runs_frame
from probes.tables import METRICS, encode_table

TEMPLATE = Path(__file__).parents[1] / "examples" / "records" / "first-light"
PATTERNS = ("monolithic", "microservices", "composition", "overlay")
FIRST_DAY = date(2027, 1, 1)
STATISTICS = ("", "mean", "p50", "p95", "p99")
NAMES = ("inference_s", "install_s", "ready_s", "cpu_cores", "memory_bytes", "frames_hz", "jitter_s", "service_gap_s")


@dataclass(frozen=True)
class Size:
    """How much there is.

    Args:
        runs: In all.
        runs_a_day: Of the four patterns together.
        keys: Metric keys of a run, 40 at most.
        repetitions: Of a run.
    """

    runs: int
    runs_a_day: int = 1_000
    keys: int = 40
    repetitions: int = 5

    def days(self) -> Iterator[tuple[date, range]]:
        """Give each day with the numbers of its runs."""
        for number in range(math.ceil(self.runs / self.runs_a_day)):
            first = number * self.runs_a_day
            yield FIRST_DAY + timedelta(days=number), range(first, min(first + self.runs_a_day, self.runs))


@dataclass(frozen=True)
class Key:
    """A metric key in its parts."""

    name: str
    labels: Mapping[str, str]

    @property
    def text(self) -> str:
        """As the manifest has it."""
        return reading_key(self.name, self.labels)

    @property
    def unit(self) -> str:
        """Unit of its values."""
        return next(
            (unit for ending, unit in (("_s", "s"), ("_hz", "Hz"), ("_bytes", "B")) if self.name.endswith(ending)), "1"
        )


def keys_of(size: Size) -> tuple[Key, ...]:
    """Give the keys of every run."""
    every = [Key(name, {"statistic": statistic} if statistic else {}) for statistic in STATISTICS for name in NAMES]
    return tuple(every[: size.keys])


def run_id_of(day: date, number: int) -> str:
    """Give a run's identifier: the same for the same number."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return new_run_id(
        int(midnight.timestamp() * 1e9) + (number % 86_400_000) * 1_000_000, random_bits=number * 2_654_435_761
    )


def pattern_of(number: int) -> str:
    """Give a run's pattern: they take turns."""
    return PATTERNS[number % len(PATTERNS)]


def values_of(numbers: Sequence[int], size: Size) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Draw the values of some runs: runs × keys × repetitions, about 1 % apart, patterns 10 % apart."""
    chance = np.random.default_rng(numbers[0])
    slower = 1 + 0.1 * (np.asarray(numbers) % len(PATTERNS))
    noise = chance.normal(1, 0.01, size=(len(numbers), size.keys, size.repetitions))
    return np.arange(1, size.keys + 1)[None, :, None] * slower[:, None, None] * noise


def template() -> dict[str, Any]:
    """Read the manifest that all others are made of."""
    return json.loads((TEMPLATE / "manifest.json").read_bytes())


def manifest_of(
    day: date, number: int, size: Size, values: np.ndarray[Any, Any], made_of: dict[str, Any]
) -> dict[str, Any]:
    """Make the manifest of a run, without the sizes of its parts."""
    run_id, pattern = run_id_of(day, number), pattern_of(number)
    metrics = {
        key.text: {
            "value": float(row.mean()),
            "unit": key.unit,
            "interval": [float(row.min()), float(row.max())],
            "confidence": 0.95,
            "n": size.repetitions,
        }
        for key, row in zip(keys_of(size), values, strict=True)
    }
    return made_of | {
        "run_id": run_id,
        "campaign": run_id,
        "created_at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC).isoformat(),
        "stack": pattern,
        "pattern": pattern,
        "arm": None,
        "cell": None,
        "noise_floor": None,
        "repetitions_done": size.repetitions,
        "metrics": metrics,
    }


def metrics_table(size: Size, values: np.ndarray[Any, Any]) -> pl.DataFrame:
    """Make the table `metrics` of a run."""
    keys = keys_of(size)
    count = size.repetitions
    return pl.DataFrame(
        {
            "repetition": list(range(count)) * len(keys),
            "name": [key.name for key in keys for _ in range(count)],
            "labels": [json.dumps(dict(key.labels)) for key in keys for _ in range(count)],
            "value": values.ravel(),
            "missing": [None] * values.size,
            "source": [None] * values.size,
            "resolution": [None] * values.size,
        },
        schema=dict(METRICS),
    )


def write_records(root: Path, size: Size) -> None:
    """Write whole records below a folder, as a store of kind `dir:` has them."""
    made_of = template()
    others = {path.name: path.read_bytes() for path in TEMPLATE.glob("*.parquet") if path.stem != "metrics"}
    for day, numbers in size.days():
        for number, values in zip(numbers, values_of(numbers, size), strict=True):
            manifest = manifest_of(day, number, size, values, made_of)
            parts = {**others, "metrics.parquet": encode_table(metrics_table(size, values))}
            listed = [
                {"name": name, "bytes": len(payload), "sha256": digest(payload)}
                for name, payload in sorted(parts.items())
            ]
            place = root / record_prefix(manifest)
            place.mkdir(parents=True)
            for name, payload in parts.items():
                (place / name).write_bytes(payload)
            (place / "manifest.json").write_text(json.dumps(manifest | {"parts": listed}, indent=1, sort_keys=True))


def write_compacted(root: Path, size: Size, *, with_folders: bool = True) -> None:
    """Write the compacted sets of such records without the records; by default an empty folder in the place of each."""
    made_of = template()
    for day, numbers in size.days():
        runs, observations = day_frames(day, numbers, size, made_of)
        for prefix in runs["prefix"] if with_folders else ():
            (root / prefix).mkdir(parents=True)
        run_ids = runs["run_id"].to_list()
        set_digest = digest_of(run_ids)
        place = root / folder(day.isoformat())
        place.mkdir(parents=True)
        files: list[File] = []
        for kind, frame in (("observations", observations), ("runs", runs)):
            payload = encode_frame(frame)
            files.append(File(file_name(kind, set_digest), len(payload), digest(payload)))
            (place / files[-1].name).write_bytes(payload)
        (root / included_key(day.isoformat(), set_digest)).write_bytes(encode_included(run_ids, files))


def day_frames(
    day: date, numbers: Sequence[int], size: Size, made_of: dict[str, Any]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the frames of a day's set, without going through records."""
    keys, count = keys_of(size), size.repetitions
    values = values_of(numbers, size)
    # Only identifiers and pattern tell the rows of runs apart.
    pattern_rows = {}
    for number in numbers[: len(PATTERNS)]:
        manifest = manifest_of(day, number, size, values[0], made_of)
        pattern_rows[pattern_of(number)] = run_row(manifest, record_prefix(manifest)), manifest["run_id"]
    rows: list[dict[str, Any]] = []
    for number in numbers:
        row, other = pattern_rows[pattern_of(number)]
        own = run_id_of(day, number)
        rows.append(row | {"run_id": own, "campaign": own, "prefix": row["prefix"].replace(other, own)})
    runs = runs_frame(rows).select(RUNS.keys())
    run_ids = [row["run_id"] for row in rows]
    each_key = len(run_ids) * count
    observations = pl.DataFrame(
        {
            "run_id": pl.Series(np.repeat(run_ids, len(keys) * count)),
            "repetition": np.tile(np.arange(count, dtype=np.int32), len(run_ids) * len(keys)),
            "key": pl.Series(np.tile(np.repeat([key.text for key in keys], count), len(run_ids))),
            "name": pl.Series(np.tile(np.repeat([key.name for key in keys], count), len(run_ids))),
            "labels": pl.Series(
                np.tile(np.repeat([json.dumps(dict(key.labels)) for key in keys], count), len(run_ids))
            ),
            "value": values.ravel(),
            "missing": pl.Series([None] * (each_key * len(keys)), dtype=pl.String),
            "unit": pl.Series(np.tile(np.repeat([key.unit for key in keys], count), len(run_ids))),
        }
    ).cast(pl.Schema(OBSERVATIONS))
    return runs, in_order(observations)
