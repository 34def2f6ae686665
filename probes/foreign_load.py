"""Pure: how much of a machine's processor time in the window went to others than the application and the probes."""

from probes.evidence import Cell, ReaderSeries, SeriesTable
from probes.measurement import Evidence
from probes.metrics import NO_MACHINE_READER, TOO_FEW_SAMPLES
from probes.samples import Window


def foreign_loads(evidence: Evidence, recorder_machine: str) -> dict[str, float | str]:
    """Give the foreign share of each machine that holds pods of the application, or why it is unknown.

    Subtracted are the application's containers, the recorder on its machine, and the machine's reader itself. Machines
    of a lab share one kernel, so each of them sees what runs on the others, too.
    """
    found: dict[str, float | str] = {}
    for machine in evidence.application_machines():
        series = evidence.readers.get(machine, NO_MACHINE_READER)
        if isinstance(series, str):
            found[machine] = series
            continue
        found[machine] = _foreign_share(evidence, series, has_recorder=machine == recorder_machine)
    return found


def _foreign_share(evidence: Evidence, series: ReaderSeries, *, has_recorder: bool) -> float | str:
    window = evidence.window_on(series)
    if not series.table("machine").rows:
        return series.table("machine").missing or TOO_FEW_SAMPLES
    table = series.table("machine").during(window)
    busy_ns, total_ns = _growth(table.column("cpu_busy_ns")), _growth(table.column("cpu_total_ns"))
    if busy_ns is None or not total_ns:
        return table.missing or TOO_FEW_SAMPLES
    times = [int(str(time)) for time in table.column("time_ns")]
    watched_ns = times[-1] - times[0]
    own_ns = _containers_ns(series.table("containers"), window) + _rate(series.cpu_ns, series) * watched_ns
    capture = evidence.capture
    if has_recorder and capture.stopped_ns is not None and capture.stopped_ns > capture.started_ns:
        own_ns += capture.cpu_ns / (capture.stopped_ns - capture.started_ns) * watched_ns
    return max(0.0, busy_ns - own_ns) / total_ns


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
