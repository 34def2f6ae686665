"""The counters of now as Prometheus text, made only when somebody asks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ros2bench_machine_reader import board_facts, energy_counter
from ros2bench_machine_reader.sources import COLUMNS, TIMES, Row
from ros2bench_service.exposition import CONTENT_TYPE, document, labels_text
from ros2bench_service.exposition import family as lines_of_family

TEXT = CONTENT_TYPE
SECOND_NS = 1_000_000_000
# Column: name, type, meaning, divisor.
Family = tuple[str, str, str, int]
FAMILIES: Mapping[str, Mapping[str, Family]] = {
    'containers': {
        'cpu_ns': ('container_cpu_seconds_total', 'counter', 'Processor time.', SECOND_NS),
        'throttled_ns': (
            'container_throttled_seconds_total',
            'counter',
            'Time for which a limit held it back.',
            SECOND_NS,
        ),
        'throttled_periods': (
            'container_throttled_periods_total',
            'counter',
            'Periods in which a limit held it back.',
            1,
        ),
        'memory_bytes': ('container_memory_bytes', 'gauge', 'Working set.', 1),
        'memory_peak_bytes': ('container_memory_peak_bytes', 'gauge', 'Most ever charged.', 1),
        'io_read_bytes': ('container_io_read_bytes_total', 'counter', 'Read from disks.', 1),
        'io_write_bytes': ('container_io_write_bytes_total', 'counter', 'Written to disks.', 1),
    },
    'machine': {
        'cpu_busy_ns': (
            'machine_cpu_busy_seconds_total',
            'counter',
            'Processor time in use.',
            SECOND_NS,
        ),
        'cpu_total_ns': (
            'machine_cpu_seconds_total',
            'counter',
            'Processor time in all.',
            SECOND_NS,
        ),
        'cpu_stolen_ns': (
            'machine_cpu_stolen_seconds_total',
            'counter',
            'Processor time that the host gave to other guests.',
            SECOND_NS,
        ),
        'memory_available_bytes': (
            'machine_memory_available_bytes',
            'gauge',
            'Memory that programs may still get.',
            1,
        ),
        'io_read_bytes': ('machine_io_read_bytes_total', 'counter', 'Read from disks.', 1),
        'io_write_bytes': ('machine_io_write_bytes_total', 'counter', 'Written to disks.', 1),
        'network_received_bytes': (
            'machine_network_received_bytes_total',
            'counter',
            'Received from other machines.',
            1,
        ),
        'network_sent_bytes': (
            'machine_network_sent_bytes_total',
            'counter',
            'Sent to other machines.',
            1,
        ),
        'load_1m': ('machine_load_1m', 'gauge', 'Load of the last minute.', 1),
    },
    'power': {
        'power_w': ('machine_power_watts', 'gauge', 'Power of a rail.', 1),
    },
    'energy': {
        'energy_j': ('machine_energy_joules_total', 'counter', 'Energy of a rail.', 1),
        'covered_s': (
            'machine_energy_covered_seconds_total',
            'counter',
            'Time for which the energy of a rail is known.',
            1,
        ),
    },
    'gpu': {
        'busy_ratio': ('machine_gpu_busy_ratio', 'gauge', 'Share of the GPU in use.', 1),
        'memory_used_bytes': ('machine_gpu_memory_used_bytes', 'gauge', 'GPU memory in use.', 1),
        'memory_total_bytes': ('machine_gpu_memory_total_bytes', 'gauge', 'GPU memory in all.', 1),
        'temperature_c': ('machine_gpu_temperature_celsius', 'gauge', 'GPU temperature.', 1),
        'clock_hz': ('machine_gpu_clock_hertz', 'gauge', 'Clock of the GPU.', 1),
    },
    'throttle': {
        'throttled': (
            'machine_gpu_throttled',
            'gauge',
            'Whether heat or a power limit holds the clock of the GPU down.',
            1,
        ),
    },
    'temperature': {
        'celsius': ('machine_temperature_celsius', 'gauge', 'Temperature of a sensor.', 1),
    },
    'core': {
        'clock_hz': ('machine_cpu_clock_hertz', 'gauge', 'Clock of a processor core.', 1),
        'busy_ratio': ('machine_cpu_busy_ratio', 'gauge', 'Share of a core in use.', 1),
    },
    'memory_controller': {
        'clock_hz': (
            'machine_memory_controller_clock_hertz',
            'gauge',
            'Clock of the memory controller.',
            1,
        ),
        'busy_ratio': (
            'machine_memory_controller_busy_ratio',
            'gauge',
            'Share of the bandwidth of the memory in use.',
            1,
        ),
    },
    'limit': {
        'limit_w': ('machine_power_limit_watts', 'gauge', 'Power that a rail may take.', 1),
    },
}
EXPOSED: Mapping[str, Sequence[str]] = {
    **COLUMNS,
    'energy': energy_counter.COLUMNS,
    **board_facts.COLUMNS,
}
"""Columns of every kind that is told here, after the two times."""
LABELS: Mapping[str, Sequence[str]] = {
    'containers': ('pod_uid', 'container_id'),
    'machine': (),
    # Rails overlap: only those that are the machine's total may be added up.
    'power': ('rail', 'is_total'),
    'energy': ('rail', 'is_total'),
    'gpu': ('gpu',),
    'throttle': ('gpu',),
    'temperature': ('sensor',),
    'core': ('core',),
    'memory_controller': (),
    'limit': ('rail',),
}


def exposition(rows: Mapping[str, Iterable[Row]], own_cpu_ns: int) -> bytes:
    """Prometheus text.

    Args:
        rows: newest row of everything, by kind; a value that is None is left out.
        own_cpu_ns: processor time of the machine reader itself.
    """
    parts: list[str] = []
    for kind, families in FAMILIES.items():
        columns = (*TIMES, *EXPOSED[kind])
        found = [dict(zip(columns, row, strict=True)) for row in rows.get(kind, ())]
        for column, family in families.items():
            parts += _family(family, LABELS[kind], column, found)
    own = ('machine_reader_cpu_seconds_total', 'counter', 'Of the machine reader.', SECOND_NS)
    parts += _family(own, (), 'cpu_ns', [{'cpu_ns': own_cpu_ns}])
    return document(parts)


def _family(
    family: Family, labels: Sequence[str], column: str, found: Iterable[Mapping[str, Any]]
) -> list[str]:
    name, kind, meaning, divisor = family
    samples = (
        (labels_text({label: _text(row[label]) for label in labels}), row[column] / divisor)
        for row in found
        if row[column] is not None
    )
    return lines_of_family(f'ros2bench_{name}', kind, meaning, samples)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
