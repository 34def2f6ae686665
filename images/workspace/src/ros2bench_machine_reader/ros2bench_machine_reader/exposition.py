"""The counters of now as Prometheus text, made only when somebody asks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ros2bench_machine_reader.sources import COLUMNS, TIMES, Row

TEXT = 'text/plain; version=0.0.4; charset=utf-8'
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
        'energy_j': ('machine_energy_joules_total', 'counter', 'Energy of a rail.', 1),
    },
    'gpu': {
        'busy_ratio': ('machine_gpu_busy_ratio', 'gauge', 'Share of the GPU in use.', 1),
        'memory_used_bytes': ('machine_gpu_memory_used_bytes', 'gauge', 'GPU memory in use.', 1),
        'temperature_c': ('machine_gpu_temperature_celsius', 'gauge', 'GPU temperature.', 1),
    },
}
LABELS: Mapping[str, Sequence[str]] = {
    'containers': ('pod_uid', 'container_id'),
    'machine': (),
    'power': ('rail',),
    'gpu': ('gpu',),
}


def exposition(rows: Mapping[str, Iterable[Row]], own_cpu_ns: int) -> bytes:
    """Prometheus text.

    Args:
        rows: newest row of everything, by kind; a value that is None is left out.
        own_cpu_ns: processor time of the machine reader itself.
    """
    parts: list[str] = []
    for kind, families in FAMILIES.items():
        columns = (*TIMES, *COLUMNS[kind])
        found = [dict(zip(columns, row, strict=True)) for row in rows.get(kind, ())]
        for column, family in families.items():
            parts += _family(family, LABELS[kind], column, found)
    own = ('machine_reader_cpu_seconds_total', 'counter', 'Of the machine reader.', SECOND_NS)
    parts += _family(own, (), 'cpu_ns', [{'cpu_ns': own_cpu_ns}])
    return ('\n'.join(parts) + '\n').encode()


def _family(
    family: Family, labels: Sequence[str], column: str, found: Iterable[Mapping[str, Any]]
) -> list[str]:
    name, kind, meaning, divisor = family
    samples = [
        f'ros2bench_{name}{_labels(row, labels)} {row[column] / divisor!r}'
        for row in found
        if row[column] is not None
    ]
    if not samples:
        return []
    return [f'# HELP ros2bench_{name} {meaning}', f'# TYPE ros2bench_{name} {kind}', *samples]


def _labels(row: Mapping[str, Any], labels: Sequence[str]) -> str:
    if not labels:
        return ''
    shown = (f'{label}="{_escaped(str(row[label]))}"' for label in labels)
    return f'{{{",".join(shown)}}}'


def _escaped(text: str) -> str:
    return text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
