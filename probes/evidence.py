"""The parts of what a repetition leaves behind, beside the recorder's samples: pods, machine series, phases, faults."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from probes.samples import Window

if TYPE_CHECKING:
    # For its type alone: it brings an HTTP client, which programs that only read records do not need.
    from probes.clock import ClockOffset

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class ContainerIdentity:
    """A container: its name in the pod, and its id without `containerd://`, as the cgroup tree spells it.

    A limit is None where the container has none.
    """

    name: str
    container_id: str
    cpu_limit_cores: float | None = None
    memory_limit_bytes: float | None = None


@dataclass(frozen=True)
class PodIdentity:
    """A pod of the application in the window.

    `label` is the value of the reading label `pod`: the pod's name in the placement, the same in every repetition, with
    `-1`, `-2` … where it has several copies. `name` is its name in the cluster, another one after every deployment.
    """

    name: str
    uid: str
    machine: str
    label: str
    containers: tuple[ContainerIdentity, ...]
    init_containers: int = 0
    has_startup_probe: bool = False

    def container_name(self, container_id: str) -> str | None:
        """Give the name of one of its containers by id; None for one that is not in its status (its sandbox)."""
        return next((item.name for item in self.containers if item.container_id == container_id), None)


@dataclass(frozen=True)
class SeriesTable:
    """The rows of one kind (docs/contracts.md, section 12), in the order in which they were read.

    `missing` says why the whole kind, or the cells that are None, could not be had; None where nothing is missing.
    `missing_columns` says it of single columns, where their reasons are their own.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    missing: str | None = None
    missing_columns: Mapping[str, str] = field(default_factory=dict[str, str])

    def records(self) -> Iterator[dict[str, Cell]]:
        """Give each row by the names of its columns."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def column(self, name: str) -> tuple[Cell, ...]:
        """Give one column."""
        index = self.columns.index(name)
        return tuple(row[index] for row in self.rows)

    def during(self, window: Window) -> "SeriesTable":
        """Keep the rows that were read inside a window of the machine's clock, both ends included."""
        index = self.columns.index("time_ns")
        kept = tuple(row for row in self.rows if window.start_ns <= int(str(row[index])) <= window.end_ns)
        return SeriesTable(self.columns, kept, self.missing, self.missing_columns)


NO_ROWS = SeriesTable(("time_ns", "monotonic_ns"), ())


@dataclass(frozen=True)
class ReaderSeries:
    """What the reader of one machine captured; every time is of that machine's real-time clock.

    `clock` relates that clock to the runner's (`to_recorder` gives the machine's time, `to_runner` ours). `gaps` are
    stretches in which the reader did not read; `dropped` counts rows that did not fit, by kind.
    """

    machine: str
    tables: Mapping[str, SeriesTable]
    started_ns: int
    stopped_ns: int
    clock: "ClockOffset"
    gaps: tuple[tuple[int, int], ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    late_reads: int = 0
    longest_read_ns: int = 0
    cpu_ns: int = 0

    def table(self, kind: str) -> SeriesTable:
        """Give the rows of a kind; none, with a reason, for a kind that the reader does not know."""
        return self.tables.get(kind, SeriesTable(NO_ROWS.columns, (), "not_offered_by_reader"))


Readers = Mapping[str, ReaderSeries | str]
"""Machine to what its reader captured, or to the reason why there is nothing."""


@dataclass(frozen=True)
class PhaseTime:
    """One pod (or, with an empty `pod`, the application) reached a phase: one row of the table `pods`.

    `at_ns` is the time as its source gives it, in the clock of whoever wrote it: the runner for `watch` and `poll`, the
    machine `clock_machine` for `runtime`, `event_time`, `event_name` and `condition`, the recorder for `sample` (there
    `clock_machine` is `recorder`).
    """

    pod: str
    machine: str
    phase: str
    at_ns: int
    source: str
    resolution_ns: int
    clock_machine: str = ""

    def as_row(self, repetition: int) -> dict[str, object]:
        """Give the row of the table `pods`."""
        return {
            "repetition": repetition,
            "pod": self.pod,
            "machine": self.machine,
            "phase": self.phase,
            "at_ns": self.at_ns,
            "source": self.source,
            "resolution_ns": self.resolution_ns,
        }


@dataclass(frozen=True)
class Fault:
    """What was injected while the repetition ran, in the runner's clock.

    `means` is `netem`, `relay`, `pod_deleted` …; `verified` tells whether it was measured before it counted.
    """

    fault: str
    means: str
    started_ns: int
    stopped_ns: int | None
    settings: Mapping[str, Cell]
    verified: bool


@dataclass(frozen=True)
class RegimeEvidence:
    """What was on the application's machines before an install, and what was pulled by it.

    Args:
        regime: As asked for.
        present_before: Digests of the application that machines held right before the deployment, by machine.
        pulled_bytes: Growth of the content that belongs to the application's images, by machine, or the reason why it
            is unknown.
        pulled: The kubelet's messages about images that it pulled.
        problem: Why the regime is not proved; None where it is.
    """

    regime: str
    present_before: Mapping[str, Sequence[str]]
    pulled_bytes: Mapping[str, int | str]
    pulled: tuple[str, ...]
    problem: str | None

    def as_record(self) -> dict[str, Any]:
        """Give the entry of the manifest."""
        return {
            "regime": self.regime,
            "present_before": {machine: list(digests) for machine, digests in self.present_before.items()},
            "pulled_bytes": dict(self.pulled_bytes),
            "pulled": list(self.pulled),
            "problem": self.problem,
        }
