"""Which rows of the machine readers belong to which container of the application; pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from probes.counter_rates import COUNTER_STUCK, NO_ROWS, Record, Track, by_place, mean_rate, track
from probes.energy import Unmeasured
from probes.evidence import ContainerIdentity, PodIdentity, ReaderSeries, SeriesTable
from probes.measurement import Evidence
from probes.metrics import NO_APPLICATION, NO_MACHINE_READER
from probes.readings import Reading
from probes.samples import Window

OF_CONTAINERS = ("pod_uid", "container_id")


@dataclass(frozen=True)
class ContainerRows:
    """The rows of one container, or why there are none.

    `processes` are its rows of kind `processes`, by the name of the process, then by its number.
    """

    pod: PodIdentity
    container: ContainerIdentity
    window: Window
    table: SeriesTable
    rows: Sequence[Record]
    process_table: SeriesTable
    processes: Mapping[str, Mapping[int, Sequence[Record]]]
    reason: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Labels that tell the container apart."""
        return {"pod": self.pod.label, "container": self.container.name}

    def column(self, name: str) -> Track | Unmeasured:
        """Follow one of its columns through the window."""
        return Unmeasured(self.reason) if self.reason else track(self.rows, name, self.table, self.window)

    def process_columns(self, name: str) -> dict[str, list[Track | Unmeasured]]:
        """Follow one column of each of its processes, by name."""
        if self.reason:
            return {}
        return {
            process: [track(rows, name, self.process_table, self.window) for rows in numbered.values()]
            for process, numbered in self.processes.items()
        }


def container_rows(evidence: Evidence) -> list[ContainerRows]:
    """Find the rows of every container of the application."""
    found: list[ContainerRows] = []
    for machine in evidence.application_machines():
        pods = [pod for pod in evidence.pods if pod.machine == machine]
        series = evidence.readers.get(machine, NO_MACHINE_READER)
        if isinstance(series, ReaderSeries):
            found += _of_machine(pods, series, evidence.window_on(series))
        else:
            found += [_absent(pod, container, series) for pod in pods for container in pod.containers]
    return found


def all_missing(names: Iterable[str], reason: str = NO_APPLICATION) -> tuple[Reading, ...]:
    """Give readings that say why there is nothing at all."""
    return tuple(Reading(name, missing=reason) for name in names)


def reading(name: str, value: float | Unmeasured | None, labels: Mapping[str, str] | None = None) -> Reading:
    """Make a reading of a value or of the reason why there is none."""
    if value is None:
        return Reading(name, missing=NO_ROWS, labels=labels or {})
    if isinstance(value, Unmeasured):
        return Reading(name, missing=value.reason, labels=labels or {})
    return Reading(name, value, labels=labels or {})


def together(
    containers: Iterable[ContainerRows], column: str, combine: Callable[[Iterable[Track]], float | None]
) -> float | Unmeasured | None:
    """Combine one column of all containers; one that is missing makes the whole missing."""
    tracks: list[Track] = []
    for container in containers:
        found = container.column(column)
        if isinstance(found, Unmeasured):
            return found
        tracks.append(found)
    return combine(tracks)


def _of_machine(pods: Sequence[PodIdentity], series: ReaderSeries, window: Window) -> list[ContainerRows]:
    containers, processes = series.table("containers"), series.table("processes")
    rows = by_place(containers, OF_CONTAINERS) if containers.rows else {}
    by_container = by_place(processes, OF_CONTAINERS) if processes.rows else {}
    reason = COUNTER_STUCK if is_stuck(series.table("machine"), window) else None
    return [
        ContainerRows(
            pod,
            container,
            window,
            containers,
            rows.get((pod.uid, container.container_id), ()),
            processes,
            _by_name(by_container.get((pod.uid, container.container_id), ())),
            reason,
        )
        for pod in pods
        for container in pod.containers
    ]


def is_stuck(table: SeriesTable, window: Window) -> bool:
    """Whether the machine's processors did nothing, not even wait: then its counters are old values, repeated."""
    total = track(list(table.records()), "cpu_total_ns", table, window)
    return not isinstance(total, Unmeasured) and mean_rate(total) == 0


def _absent(pod: PodIdentity, container: ContainerIdentity, reason: str) -> ContainerRows:
    empty = SeriesTable((), ())
    return ContainerRows(pod, container, Window(0, 0), empty, (), empty, {}, reason)


def _by_name(rows: Iterable[Record]) -> dict[str, dict[int, list[Record]]]:
    """Group by process; one that changed its name (a launcher that became the program) has its last one."""
    numbered: dict[int, list[Record]] = {}
    for row in rows:
        numbered.setdefault(int(str(row["pid"])), []).append(row)
    found: dict[str, dict[int, list[Record]]] = {}
    for pid, its_rows in numbered.items():
        found.setdefault(str(its_rows[-1]["name"]), {})[pid] = its_rows
    return found
