"""What was observed, as one Polars frame over any number of runs: a row for each run, repetition and metric key."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from probes.readings import RUN, reading_key

OBSERVATIONS: Mapping[str, type[pl.DataType]] = {
    "run_id": pl.String,
    "repetition": pl.Int32,
    "key": pl.String,
    "name": pl.String,
    "labels": pl.String,
    "value": pl.Float64,
    "missing": pl.String,
    "unit": pl.String,
}
"""Columns: `repetition` is -1 for what belongs to the run as a whole; `unit` is null where the run has no value."""

READ = ("repetition", "name", "labels", "value", "missing")
ORDER = ("key", "run_id", "repetition")


def observations_of(manifest: Mapping[str, Any], metrics: pl.DataFrame) -> pl.DataFrame:
    """Give the observations of one run, in no order.

    A metric that no repetition came far enough to tell is in the manifest alone, with its reason; it is of the run.

    Args:
        manifest: The checked manifest.
        metrics: The table `metrics` of the record.
    """
    run_id: str = manifest["run_id"]
    entries: Mapping[str, Mapping[str, Any]] = manifest["metrics"]
    keys: dict[tuple[str, str], str] = {}
    rows: list[tuple[Any, ...]] = []
    for repetition, name, labels, value, missing in metrics.select(READ).iter_rows():
        if (name, labels) not in keys:
            keys[name, labels] = reading_key(name, json.loads(labels))
        key = keys[name, labels]
        rows.append((run_id, repetition, key, name, labels, value, missing, entries.get(key, {}).get("unit")))
    told = set(keys.values())
    rows += [
        (run_id, RUN, key, *_parsed(key), entry.get("value"), entry.get("missing"), entry.get("unit"))
        for key, entry in entries.items()
        if key not in told
    ]
    return pl.DataFrame(rows, schema=dict(OBSERVATIONS), orient="row")


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort observations by key, run and repetition: what a comparison asks for lies together.

    Compacted files are sorted, day after day; of one key they are in order already, and seeing that costs less.
    """
    if frame["key"].n_unique() == 1 and _is_ordered_by_run(frame):
        return frame
    return frame.sort(ORDER)


def _is_ordered_by_run(frame: pl.DataFrame) -> bool:
    one, other = frame.head(-1), frame.tail(-1)
    is_same_run, is_later_run = one["run_id"] == other["run_id"], one["run_id"] < other["run_id"]
    return bool((is_later_run | (is_same_run & (one["repetition"] <= other["repetition"]))).all())


def nothing_observed() -> pl.DataFrame:
    """Give an empty frame of observations."""
    return pl.DataFrame(schema=dict(OBSERVATIONS))


def _parsed(key: str) -> tuple[str, str]:
    """Split a key into its name and its labels as JSON."""
    name, _, rest = key.partition("{")
    labels = dict(label.split("=", 1) for label in rest.removesuffix("}").split(",") if label)
    return name, json.dumps(labels, sort_keys=True)
