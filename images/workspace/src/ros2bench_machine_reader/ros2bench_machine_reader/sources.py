"""What a source of numbers is: something that gives rows of one kind whenever it is asked.

A module adds sources by a function `open_sources(configuration) -> Sequence[Source | Absent]`. Each
source is read in a thread of its own, so that one that hangs delays no other. A source raises
`OSError` or `ValueError` for what it cannot read: the reading is counted as failed, the rows of
the other sources stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = Sequence[Any]
TIMES = ('time_ns', 'monotonic_ns')
COLUMNS = {
    'containers': (
        'pod_uid',
        'container_id',
        'cpu_ns',
        'throttled_ns',
        'throttled_periods',
        'memory_bytes',
        'memory_peak_bytes',
        'io_read_bytes',
        'io_write_bytes',
    ),
    'processes': ('pod_uid', 'container_id', 'pid', 'name', 'cpu_ns', 'rss_bytes'),
    'machine': (
        'cpu_busy_ns',
        'cpu_total_ns',
        'cpu_stolen_ns',
        'memory_available_bytes',
        'io_read_bytes',
        'io_write_bytes',
        'network_received_bytes',
        'network_sent_bytes',
        'load_1m',
    ),
    'power': ('rail', 'power_w', 'energy_j', 'is_total'),
    'gpu': (
        'gpu',
        'busy_ratio',
        'memory_used_bytes',
        'memory_total_bytes',
        'temperature_c',
        'clock_hz',
    ),
}
"""Columns of each kind after the two times; every row begins with the two times."""


@dataclass(frozen=True)
class Missing:
    """Why there is nothing: a reason code like `no_power_source`."""

    reason: str


@dataclass(frozen=True)
class Absent:
    """A kind that this machine does not offer, and why."""

    kind: str
    reason: str


class Source(Protocol):
    """Gives rows of one kind.

    Attributes:
        kind: a key of `COLUMNS`.
        name: what is read, for the status: `rapl`, `ina3221`, `tegrastats`, `nvml`.

    One that learns more with its readings than captures keep has it in `facts`
    (`ros2bench_machine_reader.board_facts.Facts`, None before the first reading).
    """

    kind: str
    name: str

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Give the rows of now, or why there are none.

        Args:
            time_ns: real time, first column of rows that have no time of their own.
            monotonic_ns: CLOCK_MONOTONIC of the same moment, second column.

        Returns:
            Complete rows (the two times, then `COLUMNS[kind]`, None where the machine does not
            tell); none where nothing is new: a row is never given twice.

        Raises:
            OSError: it cannot be read now.
            ValueError: what was read makes no sense.
        """
        ...

    def close(self) -> None:
        """Let go of files and programs."""
        ...
