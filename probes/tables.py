"""The tables of a record: Polars schemas, and Parquet with zstd that is the same bytes for the same rows."""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from probes.counters import COUNTERS
from probes.readings import Reading
from probes.samples import COLUMNS, Samples, Window

SAMPLES: Mapping[str, type[pl.DataType]] = {
    "repetition": pl.Int32,
    "topic": pl.String,
    **dict.fromkeys(COLUMNS, pl.Int64),
    "in_window": pl.Boolean,
}
PODS: Mapping[str, type[pl.DataType]] = {
    "repetition": pl.Int32,
    "pod": pl.String,
    "machine": pl.String,
    "phase": pl.String,
    "at_ns": pl.Int64,
    "source": pl.String,
    "resolution_ns": pl.Int64,
}
EVENTS: Mapping[str, type[pl.DataType]] = {
    "repetition": pl.Int32,
    "object": pl.String,
    "reason": pl.String,
    "message": pl.String,
    "at_ns": pl.Int64,
    "source": pl.String,
}
METRICS: Mapping[str, type[pl.DataType]] = {
    "repetition": pl.Int32,
    "name": pl.String,
    "labels": pl.String,
    "value": pl.Float64,
    "missing": pl.String,
    "source": pl.String,
    "resolution": pl.Float64,
}
TIMELINE: Mapping[str, type[pl.DataType]] = {
    "repetition": pl.Int32,
    "pod": pl.String,
    "stage": pl.String,
    "from_ns": pl.Int64,
    "to_ns": pl.Int64,
    "source": pl.String,
    "resolution_ns": pl.Int64,
    "missing": pl.String,
}
TABLES: Mapping[str, Mapping[str, type[pl.DataType]]] = {
    "samples": SAMPLES,
    "pods": PODS,
    "events": EVENTS,
    "metrics": METRICS,
    "timeline": TIMELINE,
    "counters": COUNTERS,
}

LATER_COLUMNS: Mapping[str, frozenset[str]] = {"metrics": frozenset({"source", "resolution"})}
"""Columns that the first records of schema 1 do not have: nobody told them, so they are null."""


def conform(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """Give the table `name` with exactly its columns; columns that a later program of this schema added are left out.

    Raises:
        ValueError: A column is missing or of another type.
    """
    expected = TABLES[name]
    wrong = [
        f"{column} is {table.schema[column]} instead of {dtype}"
        for column, dtype in expected.items()
        if column in table.schema and table.schema[column] != dtype
    ]
    lacking = expected.keys() - table.schema.keys()
    wrong += [f"{column} is missing" for column in sorted(lacking - LATER_COLUMNS.get(name, frozenset()))]
    if wrong:
        raise ValueError(f"the columns of {name} are not those of its schema: {', '.join(wrong)}")
    return table.with_columns(pl.lit(None, dtype=expected[column]).alias(column) for column in lacking).select(
        expected.keys()
    )


def samples_table(repetition: int, topics: Mapping[str, Samples], window: Window | None) -> pl.DataFrame:
    """Make the samples table of one repetition; without a window no sample is inside one."""
    frames = [pl.DataFrame(schema=dict(SAMPLES))]
    for topic, samples in topics.items():
        inside = samples.in_window(window).tolist() if window else [False] * len(samples)
        columns: dict[str, Any] = {name: samples.column(name).tolist() for name in COLUMNS}
        size = len(samples)
        rows = {"repetition": [repetition] * size, "topic": [topic] * size, **columns, "in_window": inside}
        frames.append(pl.DataFrame(rows, schema=dict(SAMPLES)))
    return pl.concat(frames)


def rows_table(name: str, rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Make the table `name` of rows that hold exactly its columns."""
    return pl.DataFrame(list(rows), schema=dict(TABLES[name]), orient="row")


def readings_table(readings: Iterable[Reading]) -> pl.DataFrame:
    """Make the metrics table."""
    return rows_table(
        "metrics",
        (
            {
                "repetition": reading.repetition,
                "name": reading.name,
                "labels": json.dumps(dict(reading.labels), sort_keys=True),
                "value": reading.value,
                "missing": reading.missing,
                "source": reading.source or None,
                "resolution": reading.resolution,
            }
            for reading in readings
        ),
    )


def readings_from(table: pl.DataFrame) -> tuple[Reading, ...]:
    """Read readings back from a metrics table."""
    return tuple(
        Reading(
            row["name"],
            row["value"],
            row["missing"],
            json.loads(row["labels"]),
            row["repetition"],
            row.get("source") or "",
            row.get("resolution"),
        )
        for row in table.iter_rows(named=True)
    )


def encode_table(table: pl.DataFrame) -> bytes:
    """Give the Parquet bytes of a table."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def decode_table(payload: bytes) -> pl.DataFrame:
    """Read a table back from Parquet bytes."""
    return pl.read_parquet(io.BytesIO(payload))
