"""Pure: the machine readers' rows as one table of the record, and the check that they are what they should be."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from probes.evidence import Cell, Readers, ReaderSeries, SeriesTable
from probes.metrics import READER_GARBLED

KINDS: Mapping[str, tuple[str, ...]] = {
    "containers": (
        "pod_uid", "container_id", "cpu_ns", "throttled_ns", "throttled_periods", "memory_bytes", "memory_peak_bytes",
        "io_read_bytes", "io_write_bytes",
    ),
    "processes": ("pod_uid", "container_id", "pid", "name", "cpu_ns", "rss_bytes"),
    "machine": (
        "cpu_busy_ns", "cpu_total_ns", "cpu_stolen_ns", "memory_available_bytes", "io_read_bytes", "io_write_bytes",
        "network_received_bytes", "network_sent_bytes", "load_1m",
    ),
    "power": ("rail", "power_w", "energy_j", "is_total"),
    "gpu": ("gpu", "busy_ratio", "memory_used_bytes", "memory_total_bytes", "temperature_c", "clock_hz"),
}  # fmt: skip
"""What each kind of row holds after `time_ns` and `monotonic_ns` (docs/contracts.md, section 12)."""

TEXTS = frozenset({"pod_uid", "container_id", "name", "rail", "gpu"})
FRACTIONS = frozenset({"load_1m", "power_w", "energy_j", "busy_ratio", "temperature_c", "clock_hz"})
TRUTHS = frozenset({"is_total"})
NEVER_NULL = frozenset({"time_ns", "monotonic_ns"})
WINDOW, IDLE = "window", "idle"
LARGEST_INTEGER = 2**63


def _type_of(column: str) -> type[pl.DataType]:
    if column in TEXTS:
        return pl.String
    if column in FRACTIONS:
        return pl.Float64
    return pl.Boolean if column in TRUTHS else pl.Int64


COUNTERS: Mapping[str, type[pl.DataType]] = {
    "repetition": pl.Int32,
    "during": pl.String,
    "machine": pl.String,
    "kind": pl.String,
    "time_ns": pl.Int64,
    "monotonic_ns": pl.Int64,
    **{column: _type_of(column) for columns in KINDS.values() for column in columns},
}


def counter_rows(repetition: int, during: str, readers: Readers) -> Iterable[dict[str, Cell]]:
    """Give the rows of the table `counters`; a column that the contract does not know stays out.

    Args:
        repetition: Number of the repetition.
        during: `window`, or `idle` while the stack was parked.
        readers: What was captured.
    """
    empty: dict[str, Cell] = dict.fromkeys(COUNTERS)
    for machine, series in sorted(readers.items()):
        if not isinstance(series, ReaderSeries):
            continue
        for kind, table in series.tables.items():
            head: dict[str, Cell] = {"repetition": repetition, "during": during, "machine": machine, "kind": kind}
            for record in table.records():
                yield empty | head | {name: cell for name, cell in record.items() if name in COUNTERS}


def checked(kind: str, table: SeriesTable) -> SeriesTable:
    """Give a table as it is, or empty with `machine_reader_garbled` where it cannot be what it says."""
    return table if _is_sound(kind, table) else SeriesTable(table.columns, (), READER_GARBLED)


def _is_sound(kind: str, table: SeriesTable) -> bool:
    if not table.rows:
        return True
    expected = {"time_ns", "monotonic_ns", *KINDS.get(kind, ())}
    if not expected <= set(table.columns) or any(len(row) != len(table.columns) for row in table.rows):
        return False
    return all(_cells_fit(name, table.column(name)) for name in expected) and _never_goes_back(table)


def _cells_fit(column: str, cells: Sequence[Cell]) -> bool:
    return all(_fits(column, cell) for cell in cells)


def _fits(column: str, cell: Cell) -> bool:
    if cell is None:
        return column not in NEVER_NULL
    if column in TEXTS:
        return isinstance(cell, str)
    if column in TRUTHS:
        return isinstance(cell, bool)
    if isinstance(cell, (bool, str)):
        return False
    if column in FRACTIONS:
        return math.isfinite(cell)
    return isinstance(cell, int) and 0 <= cell < LARGEST_INTEGER


def _never_goes_back(table: SeriesTable) -> bool:
    """Rows come in the order of the machine's monotonic clock, which nothing can set back."""
    times = [int(str(cell)) for cell in table.column("monotonic_ns")]
    return all(later >= earlier for earlier, later in itertools.pairwise(times))
