"""U_CPU: processor time of the application, of each of its containers and of each of their processes.

cpu_cores                                   mean over the window, all containers together
cpu_cores{statistic=max}                    largest mean over 0.1 s of all containers together
cpu_cores{container, pod}                   mean of one container; with {statistic=max} its largest 0.1 s
cpu_cores{container, pod, process}          mean of all processes of one name in a container
cpu_limit_ratio{container, pod}             mean over the container's limit
cpu_throttled_ratio{container, pod}         time for which the limit held its processors back, over the window
"""

from collections.abc import Iterable

from probes.container_use import ContainerRows, all_missing, container_rows, reading, together
from probes.counter_rates import REASONS, Track, add_up, largest_rate, mean_rate
from probes.energy import Unmeasured
from probes.measurement import Evidence, Measurement
from probes.metrics import Metric
from probes.readers import PERIOD_S
from probes.readings import Reading

NO_LIMIT = "no_cpu_limit"
PROCESS_COLUMN = "cpu_ns"
NANOSECONDS = 1e9

SOURCE = "machine reader at 10 Hz: cpuacct.usage (control groups v1), cpu.stat (v2); of processes /proc/PID/stat"
RESOLUTION = "1 ns (v1), 1 us (v2); of processes 10 ms"
ERROR_BOUND = (
    "a processor's time is booked when its clock ticks, so each end of the window is wrong by up to one tick (4 ms at "
    "250 Hz) per busy processor: 0.1 % of a core over 10 s; the largest 0.1 s by 4 %"
)
LABELS = {
    "pod": "one pod",
    "container": "one container",
    "process": "all processes of one name: that of the ROS node it was started as, else of its program",
    "statistic=max": "largest value of any 0.1 s",
}

METRICS = (
    Metric(
        "cpu_cores",
        "U_CPU",
        "1",
        "processor time per time of the application's containers, by differences of counters: mean over the window",
        SOURCE,
        RESOLUTION,
        ERROR_BOUND,
        missing=REASONS,
        labels=LABELS,
    ),
    Metric(
        "cpu_limit_ratio",
        "",
        "1",
        "cpu_cores of a container over its limit",
        SOURCE,
        RESOLUTION,
        ERROR_BOUND,
        missing={**REASONS, NO_LIMIT: "the container has no processor limit"},
        labels=LABELS,
    ),
    Metric(
        "cpu_throttled_ratio",
        "",
        "1",
        "time for which a limit held a container's processors back, over the window; up to the number of processors",
        "machine reader at 10 Hz: cpu.stat (control groups v1 and v2)",
        "1 ns (v1), 1 us (v2)",
        "one period of the limit, 0.1 s, over the window",
        missing=REASONS,
        labels=LABELS,
    ),
)


class Measured(Measurement):
    """Reads the counters of the window."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give processor time of the application, its containers and their processes."""
        containers = container_rows(evidence)
        if not containers:
            return all_missing(metric.name for metric in METRICS)
        return cpu_readings(containers)


def cpu_readings(containers: list[ContainerRows]) -> tuple[Reading, ...]:
    """Give all readings of some containers, which are the application."""
    return (
        reading("cpu_cores", add_up(cores(container.column("cpu_ns")) for container in containers)),
        reading("cpu_cores", together(containers, "cpu_ns", largest_cores), {"statistic": "max"}),
        *(one for container in containers for one in _of_container(container)),
    )


def cores(counter: Track | Unmeasured) -> float | Unmeasured:
    """Give mean cores from a counter of nanoseconds."""
    rate = counter if isinstance(counter, Unmeasured) else mean_rate(counter)
    return rate if isinstance(rate, Unmeasured) else rate / NANOSECONDS


def largest_cores(counters: Iterable[Track]) -> float | None:
    """Give the most cores that counters of nanoseconds took together in any 0.1 s."""
    rate = largest_rate(counters, PERIOD_S)
    return None if rate is None else rate / NANOSECONDS


def _of_container(container: ContainerRows) -> tuple[Reading, ...]:
    labels, limit = container.labels, container.container.cpu_limit_cores
    mean = cores(container.column("cpu_ns"))
    share = mean if isinstance(mean, Unmeasured) else Unmeasured(NO_LIMIT) if not limit else mean / limit
    processes = container.process_columns(PROCESS_COLUMN)
    return (
        reading("cpu_cores", mean, labels),
        reading("cpu_cores", together([container], "cpu_ns", largest_cores), labels | {"statistic": "max"}),
        *(
            reading("cpu_cores", add_up(cores(counter) for counter in counters), labels | {"process": name})
            for name, counters in processes.items()
        ),
        reading("cpu_limit_ratio", share, labels),
        reading("cpu_throttled_ratio", cores(container.column("throttled_ns")), labels),
    )
