"""L_IO: bytes that the application and its machines read from and write to disks.

io_read_bytes_per_s                    mean over the window, all containers together
io_read_bytes_per_s{container, pod}    of one container
io_read_bytes_per_s{machine}           of all disks of one machine, whoever asks
io_write_bytes_per_s                   the same of writes
"""

from probes.container_use import ContainerRows, all_missing, container_rows, is_stuck, reading
from probes.counter_rates import REASONS, REASONS_OF_IO, Track, add_up, mean_rate, track
from probes.energy import COUNTER_STUCK, Unmeasured
from probes.evidence import ReaderSeries
from probes.measurement import Evidence, Measurement
from probes.metrics import NO_MACHINE_READER, Metric
from probes.power_series import kernels
from probes.readings import Reading

COLUMNS = {"io_read_bytes_per_s": "io_read_bytes", "io_write_bytes_per_s": "io_write_bytes"}
SOURCE = (
    "machine reader at 10 Hz: blkio.throttle.io_service_bytes_recursive (control groups v1), io.stat (v2); of machines "
    "/proc/diskstats"
)
RESOLUTION = "one sector (512 B)"
ERROR_BOUND = (
    "what the kernel still holds back at the end of the window; bytes of hardware disks, so caches do not count"
)
LABELS = {"pod": "one pod", "container": "one container", "machine": "all disks of one machine, whoever asks"}

METRICS = (
    Metric(
        "io_read_bytes_per_s",
        "L_IO",
        "B/s",
        "bytes that the application's containers caused to be read from disks, over the window",
        SOURCE,
        RESOLUTION,
        ERROR_BOUND,
        missing={**REASONS, **REASONS_OF_IO},
        labels=LABELS,
    ),
    Metric(
        "io_write_bytes_per_s",
        "L_IO",
        "B/s",
        "bytes that the application's containers caused to be written to disks, over the window",
        SOURCE,
        RESOLUTION,
        ERROR_BOUND,
        missing={**REASONS, **REASONS_OF_IO},
        labels=LABELS,
    ),
)


class Measured(Measurement):
    """Reads the counters of the window."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give reads and writes of the application, its containers and their machines."""
        containers = container_rows(evidence)
        if not containers:
            return all_missing(COLUMNS)
        machines = kernels(evidence.application_machines(), evidence.machines, evidence.readers)
        return (
            *io_readings(containers),
            *(
                reading(name, _of_machine(evidence, machine, column), {"machine": machine})
                for name, column in COLUMNS.items()
                for machine in machines
            ),
        )


def io_readings(containers: list[ContainerRows]) -> tuple[Reading, ...]:
    """Give all readings of some containers, which are the application."""
    found: list[Reading] = []
    for name, column in COLUMNS.items():
        rates = [(container.labels, _rate(container.column(column))) for container in containers]
        found.append(reading(name, add_up(rate for _, rate in rates)))
        found += [reading(name, rate, labels) for labels, rate in rates]
    return tuple(found)


def _rate(counter: Track | Unmeasured) -> float | Unmeasured:
    return counter if isinstance(counter, Unmeasured) else mean_rate(counter)


def _of_machine(evidence: Evidence, machine: str, column: str) -> float | Unmeasured:
    series = evidence.readers.get(machine, NO_MACHINE_READER)
    if not isinstance(series, ReaderSeries):
        return Unmeasured(series)
    table, window = series.table("machine"), evidence.window_on(series)
    if is_stuck(table, window):
        return Unmeasured(COUNTER_STUCK)
    return _rate(track(list(table.records()), column, table, window))
