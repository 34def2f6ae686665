"""A record as the proofs read it: the manifest and its tables, from a folder store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from probes.samples import COLUMNS, Samples, Window

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """One run's record."""

    folder: Path
    manifest: Manifest

    @property
    def problem(self) -> str | None:
        """Why the run proves nothing; None for a complete one."""
        if self.manifest["state"] == "complete":
            return None
        return f"the run is {self.manifest['state']}: {self.manifest['reason']}"

    def table(self, name: str) -> pl.DataFrame:
        """Read one of the record's tables."""
        return pl.read_parquet(self.folder / f"{name}.parquet")

    def samples(self, repetition: int, topic: str) -> Samples:
        """Every sample of a topic in one repetition."""
        rows = self.table("samples").filter((pl.col("repetition") == repetition) & (pl.col("topic") == topic))
        return Samples(rows.select(COLUMNS).to_numpy().astype(np.int64))

    def window(self, repetition: int) -> Window:
        """The measured window of a repetition."""
        found = next(item for item in self.manifest["repetitions"] if item["repetition"] == repetition)
        return Window(found["window"]["start_ns"], found["window"]["end_ns"])

    def value(self, key: str) -> float | None:
        """A metric's value; None where it is missing."""
        return self.manifest["metrics"].get(key, {}).get("value")

    def missing(self, key: str) -> str:
        """Why a metric is missing."""
        return str(self.manifest["metrics"].get(key, {}).get("missing", "not in the record"))

    def per_repetition(self, name: str, **labels: str) -> list[float | None]:
        """One metric's value in each repetition, in order."""
        rows = self.table("metrics").filter((pl.col("name") == name) & (pl.col("repetition") >= 0))
        wanted = json.dumps(labels, sort_keys=True)
        kept = [row for row in rows.sort("repetition").iter_rows(named=True) if row["labels"] == wanted]
        return [row["value"] for row in kept]


def newest(store: Path) -> Evidence | None:
    """Read the newest record in a folder store; None where there is none."""
    found = sorted(store.rglob("manifest.json"), key=lambda path: json.loads(path.read_bytes())["created_at"])
    if not found:
        return None
    return Evidence(found[-1].parent, json.loads(found[-1].read_bytes()))
