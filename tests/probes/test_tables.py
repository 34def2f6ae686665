"""Columns say their units, and types are those of integers where times are meant."""

import polars as pl
import pytest

from probes.observations import OBSERVATIONS
from probes.run_summary import RUNS
from probes.tables import TABLES

UNITS = ("_ns", "_bytes", "_w", "_j", "_c", "_hz", "_ratio", "_s")
COUNTS = {
    "repetition",
    "frame_number",
    "sequence_number",
    "pid",
    "throttled_periods",
    "load_1m",
    "repetitions",
    "schema",
}
UNIT_BESIDE = {("metrics", "value"), ("metrics", "resolution"), ("observations", "value")}
"""Of these the unit follows from the metric's name, or stands in a column beside."""

NUMBERS = (pl.Int32, pl.Int64, pl.Float64)
EVERY = {**TABLES, "observations": OBSERVATIONS, "runs": RUNS}


@pytest.mark.parametrize("table", EVERY)
def test_every_number_says_its_unit_or_is_a_count(table: str) -> None:
    numbers = [name for name, dtype in EVERY[table].items() if dtype in NUMBERS]
    assert [
        name for name in numbers if name not in COUNTS and not name.endswith(UNITS) and (table, name) not in UNIT_BESIDE
    ] == []


@pytest.mark.parametrize("table", EVERY)
def test_nanoseconds_are_integers(table: str) -> None:
    assert {dtype for name, dtype in EVERY[table].items() if name.endswith("_ns")} <= {pl.Int64}
