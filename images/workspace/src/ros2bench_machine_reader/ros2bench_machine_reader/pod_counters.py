"""Rows of kinds `containers` and `processes` for pods that are asked for."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ros2bench_machine_reader.cgroup_tree import (
    Tree,
    find_containers,
    find_pods,
    find_roots,
)
from ros2bench_machine_reader.container_counters import ContainerCounters
from ros2bench_machine_reader.process_counters import ProcessCounters
from ros2bench_machine_reader.sources import Row

SEARCH_PERIOD_NS = 1_000_000_000
ROOTS_PERIOD_NS = 10_000_000_000


@dataclass
class _Known:
    """A container that is being read."""

    pod: str
    counters: ContainerCounters
    processes: dict[int, ProcessCounters] = field(default_factory=dict)

    def close(self) -> None:
        for file in (*self.processes.values(), self.counters):
            file.close()


class PodCounters:
    """Finds the containers of pods and reads them. Used by one thread.

    Attributes:
        missing: for each of the two kinds, why a column is None.
        unreadable: processes whose file made no sense, counted at each reading.
    """

    def __init__(
        self,
        tree: Tree,
        proc_root: Path,
        devices: Mapping[str, str],
        real_clock_ns: Callable[[], int] = time.time_ns,
        monotonic_clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.missing: dict[str, dict[str, str]] = {'containers': {}, 'processes': {}}
        self.unreadable = 0
        self._tree = tree
        self._proc_root = proc_root
        self._devices = devices
        self._real_clock_ns = real_clock_ns
        self._monotonic_clock_ns = monotonic_clock_ns
        self._containers: dict[str, _Known] = {}
        self._roots: list[Path] = []
        self._roots_due_ns = 0
        self._search_due_ns = 0

    def read(self, pods: Collection[str] | None) -> dict[str, list[Row]]:
        """Rows of now, each with the time at which its container was read.

        Args:
            pods: UIDs; None means every pod of the machine.
        """
        self._search(pods)
        rows: dict[str, list[Row]] = {'containers': [], 'processes': []}
        for identifier, known in list(self._containers.items()):
            try:
                # Processor time has to be read at the moment that the row claims.
                times = (self._real_clock_ns(), self._monotonic_clock_ns())
                values = known.counters.read()
                process_ids = known.counters.process_ids()
            except (OSError, ValueError):
                # Its group is gone; what took its place is found at once.
                self._forget(identifier)
                self._search_due_ns = 0
                continue
            self.missing['containers'] |= known.counters.missing
            start = (*times, known.pod, identifier)
            rows['containers'].append([*start, *values.values()])
            rows['processes'] += self._processes(known, identifier, process_ids)
        return rows

    def close(self) -> None:
        """Let go of all files; the next reading looks for everything anew."""
        for identifier in list(self._containers):
            self._forget(identifier)
        self._search_due_ns = 0

    def _processes(self, known: _Known, identifier: str, process_ids: list[int]) -> list[Row]:
        for pid in known.processes.keys() - set(process_ids):
            known.processes.pop(pid).close()
        rows: list[Row] = []
        for pid in process_ids:
            times = (self._real_clock_ns(), self._monotonic_clock_ns())
            try:
                if pid not in known.processes:
                    known.processes[pid] = ProcessCounters(self._proc_root, pid)
                name, cpu_ns, rss_bytes = known.processes[pid].read()
            except (FileNotFoundError, ProcessLookupError):
                if pid in known.processes:
                    known.processes.pop(pid).close()
                continue
            except ValueError:
                self.unreadable += 1
                continue
            rows.append([*times, known.pod, identifier, pid, name, cpu_ns, rss_bytes])
        return rows

    def _search(self, pods: Collection[str] | None) -> None:
        """Look for new containers, at most once a second; forget those of pods not asked for."""
        folder, now_ns = self._tree.main, self._monotonic_clock_ns()
        if pods is not None:
            for identifier, known in list(self._containers.items()):
                if known.pod not in pods:
                    self._forget(identifier)
        asked = pods is None or len(pods) > 0
        if folder is None or not asked or now_ns < self._search_due_ns:
            return
        self._search_due_ns = now_ns + SEARCH_PERIOD_NS
        if not self._roots or now_ns >= self._roots_due_ns:
            self._roots = find_roots(folder)
            self._roots_due_ns = now_ns + ROOTS_PERIOD_NS
        for pod, place in find_pods(folder, self._roots).items():
            if pods is None or pod in pods:
                for identifier, group in find_containers(folder, place).items():
                    self._take_up(identifier, pod, group)

    def _take_up(self, identifier: str, pod: str, group: Path) -> None:
        if identifier in self._containers:
            return
        try:
            counters = ContainerCounters(self._tree, group, self._devices)
        except FileNotFoundError:
            # It ended between the listing and now.
            return
        self._containers[identifier] = _Known(pod, counters)

    def _forget(self, identifier: str) -> None:
        self._containers.pop(identifier).close()
