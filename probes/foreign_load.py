"""Pure: how much of a machine's processor time in the window went to others than the application and the probes."""

from dataclasses import dataclass

from probes.counter_rates import REASONS
from probes.evidence import Cell, ReaderSeries, SeriesTable
from probes.measurement import Evidence
from probes.metrics import NO_MACHINE_READER, TOO_FEW_SAMPLES
from probes.samples import Window

STOLEN = "cpu_stolen_ns"


@dataclass(frozen=True)
class ForeignLoad:
    """Shares of a machine's processor time in the window.

    Attributes:
        used: By neither the application nor the probes.
        stolen: Given to other guests by the host of a virtual machine while this one had work; 0 on hardware of its
            own.
    """

    used: float
    stolen: float

    @property
    def lost(self) -> float:
        """What the application could not have had, whoever had it."""
        return self.used + self.stolen


def foreign_loads(evidence: Evidence) -> dict[str, ForeignLoad | str]:
    """Give the foreign load of each machine that holds pods of the application, or why it is unknown.

    Subtracted are the application's containers, the recorder on its machine, and the machine's reader itself. Machines
    of a lab share one kernel, so each of them sees what runs on the others, too.
    """
    found: dict[str, ForeignLoad | str] = {}
    for machine in evidence.application_machines():
        series = evidence.readers.get(machine, NO_MACHINE_READER)
        if isinstance(series, str):
            found[machine] = series
            continue
        found[machine] = _foreign_load(evidence, series, has_recorder=machine == evidence.recorder_machine)
    return found


def _foreign_load(evidence: Evidence, series: ReaderSeries, *, has_recorder: bool) -> ForeignLoad | str:
    window = evidence.window_on(series)
    if not series.table("machine").rows:
        return _known(series.table("machine").missing)
    table = series.table("machine").during(window)
    busy_ns, total_ns, stolen_ns = (_growth(table.column(name)) for name in ("cpu_busy_ns", "cpu_total_ns", STOLEN))
    if busy_ns is None or stolen_ns is None or not total_ns:
        return _known(table.missing or table.missing_columns.get("cpu_busy_ns"))
    times = [int(str(time)) for time in table.column("time_ns")]
    watched_ns = times[-1] - times[0]
    own_ns = _containers_ns(series.table("containers"), window) + _rate(series.cpu_ns, series) * watched_ns
    capture = evidence.capture
    if has_recorder and capture.stopped_ns is not None and capture.stopped_ns > capture.started_ns:
        own_ns += capture.cpu_ns / (capture.stopped_ns - capture.started_ns) * watched_ns
    return ForeignLoad(used=max(0.0, busy_ns - own_ns) / total_ns, stolen=max(0, stolen_ns) / total_ns)


def _known(reason: str | None) -> str:
    """A reader's own reason, if this version knows it."""
    return reason if reason is not None and reason in REASONS else TOO_FEW_SAMPLES


def _rate(cpu_ns: int, series: ReaderSeries) -> float:
    lasted_ns = series.stopped_ns - series.started_ns
    return cpu_ns / lasted_ns if lasted_ns > 0 else 0.0


def _containers_ns(table: SeriesTable, window: Window) -> float:
    """Sum the growth of every container's counter; one that cannot be told counts as foreign."""
    counters: dict[str, list[Cell]] = {}
    for record in table.during(window).records() if table.rows else ():
        counters.setdefault(str(record["container_id"]), []).append(record["cpu_ns"])
    return sum(_growth(tuple(values)) or 0 for values in counters.values())


def _growth(values: tuple[Cell, ...]) -> int | None:
    """Give how much a counter grew; None where fewer than two readings tell it."""
    told = [int(str(value)) for value in values if value is not None]
    return told[-1] - told[0] if len(told) > 1 else None
