"""Counters of the machine as a whole, from /proc and /sys of its own namespaces."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ros2bench_machine_reader.block_devices import physical_devices
from ros2bench_machine_reader.counter_file import CounterFile, whole, words
from ros2bench_machine_reader.sources import COLUMNS, Row

SECOND_NS = 1_000_000_000
SECTOR_BYTES = 512
KIBIBYTE = 1024
FIRST_PROCESS = '1'
NO_INTERFACE = 'no_outward_interface'
NO_DISK = 'no_physical_disk'
UNREADABLE = 'unreadable_counter'
Interfaces = frozenset[str]
FILES = ('stat', 'meminfo', 'diskstats', 'loadavg', f'{FIRST_PROCESS}/net/dev')


class MachineCounters:
    """Source of kind `machine`.

    Attributes:
        missing: why a column is None, by its name.
    """

    kind = 'machine'
    name = 'proc'

    def __init__(self, proc_root: Path, sys_root: Path) -> None:
        """Open its files.

        Args:
            proc_root: /proc of the machine's first PID namespace: its process 1 has the network.
            sys_root: the machine's /sys.

        Raises:
            OSError: /proc is not what it should be.
        """
        self.missing: dict[str, str] = {}
        self._files = {name: CounterFile(proc_root / name) for name in FILES}
        disks = frozenset(physical_devices(sys_root).values())
        interfaces = outward_interfaces(
            sys_root, (proc_root / FIRST_PROCESS / 'net' / 'route').read_bytes()
        )
        tick_ns = SECOND_NS // os.sysconf('SC_CLK_TCK')
        self._readers: Mapping[str, Callable[[Mapping[str, bytes]], float]] = {
            'cpu_busy_ns': lambda found: processor_ticks(found['stat'])[0] * tick_ns,
            'cpu_total_ns': lambda found: processor_ticks(found['stat'])[1] * tick_ns,
            'cpu_stolen_ns': lambda found: processor_ticks(found['stat'])[2] * tick_ns,
            'memory_available_bytes': lambda found: available_bytes(found['meminfo']),
            'io_read_bytes': lambda found: disk_bytes(found['diskstats'], disks)[0],
            'io_write_bytes': lambda found: disk_bytes(found['diskstats'], disks)[1],
            'network_received_bytes': lambda found: network_bytes(found[FILES[4]], interfaces)[0],
            'network_sent_bytes': lambda found: network_bytes(found[FILES[4]], interfaces)[1],
            'load_1m': lambda found: load(found['loadavg']),
        }
        if not disks:
            self.missing |= {'io_read_bytes': NO_DISK, 'io_write_bytes': NO_DISK}
        if not interfaces:
            reason = NO_INTERFACE
            self.missing |= {'network_received_bytes': reason, 'network_sent_bytes': reason}

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row]:
        """One row.

        Raises:
            OSError: /proc is gone.
        """
        found = {name: file.read() for name, file in self._files.items()}
        values = [self._value(column, found) for column in COLUMNS[self.kind]]
        return [[time_ns, monotonic_ns, *values]]

    def close(self) -> None:
        """Let go of its files."""
        for file in self._files.values():
            file.close()

    def _value(self, column: str, found: Mapping[str, bytes]) -> float | None:
        if column in self.missing and self.missing[column] != UNREADABLE:
            return None
        try:
            return self._readers[column](found)
        except (ValueError, KeyError, IndexError):
            self.missing[column] = UNREADABLE
            return None


def processor_ticks(content: bytes) -> tuple[int, int, int]:
    """Busy, total and stolen ticks of all processors, from the first line of /proc/stat.

    Busy is user, nice, system, irq and softirq; not idle, iowait and what another guest took,
    which is stolen.

    Raises:
        ValueError: it is no such line.
    """
    first, *values = content.partition(b'\n')[0].split()
    if first != b'cpu' or len(values) < 8:
        raise ValueError(f'{content[:40]!r} is no first line of /proc/stat')
    user, nice, system, idle, iowait, irq, softirq, steal = (whole(value) for value in values[:8])
    busy = user + nice + system + irq + softirq
    return busy, busy + idle + iowait + steal, steal


def available_bytes(content: bytes) -> int:
    """`MemAvailable` of /proc/meminfo.

    Raises:
        ValueError, KeyError: it is not there.
    """
    line = next((line for line in words(content) if line[0] == b'MemAvailable:'), None)
    if line is None:
        raise KeyError('MemAvailable')
    return whole(line[1]) * KIBIBYTE


def disk_bytes(content: bytes, disks: frozenset[str]) -> tuple[int, int]:
    """Bytes read and written by whole disks, from /proc/diskstats.

    Raises:
        ValueError, IndexError: a line makes no sense, or no disk is there.
    """
    found = [line for line in words(content) if line[2].decode('ascii', 'replace') in disks]
    if not found:
        raise ValueError('no line of /proc/diskstats is of a known disk')
    read = sum(whole(line[5]) for line in found)
    return read * SECTOR_BYTES, sum(whole(line[9]) for line in found) * SECTOR_BYTES


def network_bytes(content: bytes, interfaces: Interfaces) -> tuple[int, int]:
    """Bytes received and sent by some interfaces, from /proc/net/dev.

    Raises:
        ValueError, IndexError: a line makes no sense, or no interface is there.
    """
    named = [line.partition(b':') for line in content.splitlines()[2:]]
    found = [
        rest.split()
        for name, _, rest in named
        if name.strip().decode('utf-8', 'replace') in interfaces
    ]
    if not found:
        raise ValueError('no line of /proc/net/dev is of a known interface')
    return sum(whole(values[0]) for values in found), sum(whole(values[8]) for values in found)


def outward_interfaces(sys_root: Path, routes: bytes) -> Interfaces:
    """Interfaces through which the machine talks to others: its hardware, else its default route.

    Args:
        sys_root: the machine's /sys.
        routes: /proc/net/route of the machine's network namespace.
    """
    hardware = {path.parent.name for path in (sys_root / 'class' / 'net').glob('*/device')}
    lines = list(words(routes))[1:]
    known = {line[0].decode('utf-8', 'replace') for line in lines}
    default = {
        line[0].decode('utf-8', 'replace')
        for line in lines
        if len(line) > 1 and line[1] == b'00000000'
    }
    # A machine that is a namespace of another one sees that one's hardware in /sys.
    return frozenset(hardware & known) or frozenset(default)


def load(content: bytes) -> float:
    """Load of the last minute, from /proc/loadavg.

    Raises:
        ValueError, IndexError: it is none.
    """
    whole_part, _, fraction = content.split()[0].partition(b'.')
    return whole(whole_part) + whole(fraction) / 10 ** len(fraction)
