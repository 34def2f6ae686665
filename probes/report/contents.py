"""What the page is made of: a comparison, and of each contender what its records hold. Values; no effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.comparison import Cell, Comparison, Contender, Row
from probes.report.curves import Values
from probes.report.draws import Evidence

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class TopicFlow:
    """What arrived on a topic inside the windows of all repetitions.

    Args:
        topic: Its name.
        messages: Arrivals.
        rate_hz: Arrivals over time, from the first to the last of each repetition; None for fewer than two.
        lost: Sequence numbers of the publishers that never arrived; None where there are none.
        latency: Quantiles 0.5, 0.95 and 0.99 from the intended time to the receipt, seconds; None where unknown.
        transport: The same from the publisher's DDS to the recorder's.
    """

    topic: str
    messages: int
    rate_hz: float | None
    lost: int | None
    latency: tuple[float | None, ...]
    transport: tuple[float | None, ...]


@dataclass(frozen=True)
class Start:
    """The start of the repetition with the median time: rows of the table `timeline`, and which repetition it is."""

    run_id: str
    repetition: int
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Subject:
    """One contender with what its records hold.

    Args:
        contender: As the comparison names it.
        place: Among the others: chooses colour and shape.
        manifests: Of its runs, the newest last.
        latencies: Of every frame inside the windows, sorted, seconds: one array for each repetition.
        latency_missing: Why there are none; None where there are.
        flows: Topics.
        start: None where no start was measured.
        evidence: Values by repetition.
    """

    contender: Contender
    place: int
    manifests: tuple[Manifest, ...]
    latencies: tuple[Values, ...]
    latency_missing: str | None
    flows: tuple[TopicFlow, ...]
    start: Start | None
    evidence: Evidence

    @property
    def name(self) -> str:
        """Give the name of the contender."""
        return self.contender.name

    @property
    def newest(self) -> Manifest:
        """Give the manifest of its newest run."""
        return self.manifests[-1]


@dataclass(frozen=True)
class Contents:
    """All that the page shows."""

    comparison: Comparison
    subjects: tuple[Subject, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_comparison(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.subjects) > 1

    @property
    def application(self) -> str:
        """Name the application, or several."""
        names = {str(item.newest["outputs"]["application"]["name"]) for item in self.subjects}
        return ", ".join(sorted(names))

    def headline(self) -> list[Row]:
        """Give the rows that are shown without being asked for, where at least one contender has a value."""
        return [row for row in self.comparison.rows if row.is_headline and _is_measured(row)]

    def rows(self, *names: str) -> list[Row]:
        """Give the rows of metrics, in the order of the comparison, measured or not."""
        return [row for row in self.comparison.rows if row.metric in names]


def _is_measured(row: Row) -> bool:
    return any(cell.estimate is not None for cell in row.cells)


def place_labels(row: Row) -> bool:
    """Tell whether a row is of a single place, such as a pod or a machine."""
    inside = row.key.rstrip("}").partition("{")[2]
    places = {"pod", "container", "process", "machine", "rail", "gpu", "from", "to"}
    return any(label.partition("=")[0] in places for label in inside.split(","))


def cells_of(row: Row, contents: Contents) -> list[Cell | None]:
    """Give a row's cells in the order of the subjects; None where a contender has none."""
    by_name = {cell.contender: cell for cell in row.cells}
    return [by_name.get(subject.name) for subject in contents.subjects]
