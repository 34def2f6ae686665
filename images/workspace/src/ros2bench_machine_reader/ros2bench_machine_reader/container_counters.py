"""Counters of one container, whichever version of control groups keeps them.

`memory_bytes` is the working set: what the group is charged less file pages that nobody has used
lately, which the kernel gives back before it ends anything. The kubelet evicts by the same number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ros2bench_machine_reader.cgroup_tree import Tree
from ros2bench_machine_reader.counter_file import CounterFile, keyed, whole, words

V1_BUFFERED = 'cgroup_v1_buffered'
NO_CONTROLLER = 'no_controller'
NO_COUNTER = 'no_counter'
UNREADABLE = 'unreadable_counter'
MICROSECOND_NS = 1000
Devices = Mapping[str, str]
Contents = Sequence[bytes]


@dataclass(frozen=True)
class Counter:
    """How one column is read.

    Attributes:
        controller: which one keeps it, by its name in v1.
        files: files of the group that are needed.
        value: from their contents, in order, and the hardware disks.
    """

    controller: str
    files: tuple[str, ...]
    value: Callable[[Contents, Devices], int]


def v1_bytes(content: bytes, operation: bytes, devices: Devices) -> int:
    """Sum over disks of lines `8:0 Read 4096`.

    Raises:
        ValueError: a line makes no sense.
    """
    return sum(
        whole(line[2])
        for line in words(content)
        if len(line) == 3 and line[1] == operation and is_counted(line[0], devices)
    )


def unified_bytes(content: bytes, key: bytes, devices: Devices) -> int:
    """Sum over disks of lines `8:0 rbytes=4096 wbytes=0 …`.

    Raises:
        ValueError: a line makes no sense.
    """
    return sum(
        whole(pair.partition(b'=')[2])
        for device, *pairs in words(content)
        if is_counted(device, devices)
        for pair in pairs
        if pair.partition(b'=')[0] == key
    )


def is_counted(device: bytes, devices: Devices) -> bool:
    """Whether a disk is hardware; where none is known, every one counts."""
    return not devices or device.decode('ascii', 'replace') in devices


V1: Mapping[str, Counter] = {
    'cpu_ns': Counter('cpuacct', ('cpuacct.usage',), lambda found, _: whole(found[0])),
    'throttled_ns': Counter(
        'cpu', ('cpu.stat',), lambda found, _: keyed(found[0], b'throttled_time')
    ),
    'throttled_periods': Counter(
        'cpu', ('cpu.stat',), lambda found, _: keyed(found[0], b'nr_throttled')
    ),
    'memory_bytes': Counter(
        'memory',
        ('memory.usage_in_bytes', 'memory.stat'),
        lambda found, _: max(0, whole(found[0]) - keyed(found[1], b'total_inactive_file')),
    ),
    'memory_peak_bytes': Counter(
        'memory', ('memory.max_usage_in_bytes',), lambda found, _: whole(found[0])
    ),
    'io_read_bytes': Counter(
        'blkio',
        ('blkio.throttle.io_service_bytes_recursive',),
        lambda found, devices: v1_bytes(found[0], b'Read', devices),
    ),
}
"""Writes are left out: v1 does not know whose pages the kernel writes back later."""
V2: Mapping[str, Counter] = {
    'cpu_ns': Counter(
        'cpuacct', ('cpu.stat',), lambda found, _: MICROSECOND_NS * keyed(found[0], b'usage_usec')
    ),
    'throttled_ns': Counter(
        'cpu', ('cpu.stat',), lambda found, _: MICROSECOND_NS * keyed(found[0], b'throttled_usec')
    ),
    'throttled_periods': Counter(
        'cpu', ('cpu.stat',), lambda found, _: keyed(found[0], b'nr_throttled')
    ),
    'memory_bytes': Counter(
        'memory',
        ('memory.current', 'memory.stat'),
        lambda found, _: max(0, whole(found[0]) - keyed(found[1], b'inactive_file')),
    ),
    'memory_peak_bytes': Counter('memory', ('memory.peak',), lambda found, _: whole(found[0])),
    'io_read_bytes': Counter(
        'blkio', ('io.stat',), lambda found, devices: unified_bytes(found[0], b'rbytes', devices)
    ),
    'io_write_bytes': Counter(
        'blkio', ('io.stat',), lambda found, devices: unified_bytes(found[0], b'wbytes', devices)
    ),
}
COLUMNS = tuple(V2)


class ContainerCounters:
    """Reads one container through descriptors that stay bound to it.

    Attributes:
        missing: why a column is None, by its name; grows while reading.
    """

    def __init__(self, tree: Tree, group: Path, devices: Devices) -> None:
        """Open its files; where the kernel has one not, its columns are None.

        Args:
            tree: hierarchies of the machine.
            group: folder of the container, relative to any hierarchy.
            devices: hardware disks by `major:minor`; none known: all are counted.

        Raises:
            OSError: the container is gone.
        """
        self.missing: dict[str, str] = {}
        self._devices = devices
        self._files: dict[Path, CounterFile] = {}
        self._counters: dict[str, tuple[Counter, tuple[Path, ...]]] = {}
        self._processes: CounterFile | None = None
        try:
            if tree.main is not None:
                self._processes = CounterFile(tree.main / group / 'cgroup.procs')
            for column in COLUMNS:
                self._offer(column, tree, group)
        except OSError:
            self.close()
            raise

    def read(self) -> dict[str, int | None]:
        """Value of every column now; each file is read once.

        Raises:
            OSError: the container is gone.
        """
        contents = {path: file.read() for path, file in self._files.items()}
        return {column: self._value(column, contents) for column in COLUMNS}

    def process_ids(self) -> list[int]:
        """Processes in the container now, those of other PID namespaces left out.

        Raises:
            OSError: the container is gone.
            ValueError: the kernel's list makes no sense.
        """
        if self._processes is None:
            return []
        return [pid for line in words(self._processes.read()) if (pid := whole(line[0])) > 0]

    def close(self) -> None:
        """Let go of its files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        if self._processes is not None:
            self._processes.close()
            self._processes = None

    def _offer(self, column: str, tree: Tree, group: Path) -> None:
        hierarchy = tree.controllers.get(V2[column].controller)
        if hierarchy is None:
            self.missing[column] = NO_CONTROLLER
            return
        counter = (V2 if hierarchy.is_unified else V1).get(column)
        if counter is None:
            self.missing[column] = V1_BUFFERED
            return
        paths = tuple(hierarchy.folder / group / name for name in counter.files)
        try:
            for path in paths:
                if path not in self._files:
                    self._files[path] = CounterFile(path)
        except FileNotFoundError:
            self.missing[column] = NO_COUNTER
            return
        self._counters[column] = (counter, paths)

    def _value(self, column: str, contents: Mapping[Path, bytes]) -> int | None:
        if column not in self._counters:
            return None
        counter, paths = self._counters[column]
        try:
            return counter.value([contents[path] for path in paths], self._devices)
        except (ValueError, KeyError):
            self.missing[column] = UNREADABLE
            return None
