"""Memory of the application, of each of its containers and of each of their processes.

memory_bytes                            mean working set over the window, all containers together
memory_bytes{statistic=max}             largest of all containers together at one time
memory_bytes{container, pod}            mean of one container; with {statistic=max} its largest
memory_bytes{container, pod, process}   mean resident memory of all processes of one name; shared pages count in each
memory_peak_bytes{container, pod}       most that the kernel ever charged to a container, file pages included
memory_limit_ratio{container, pod}      largest working set over the container's limit
"""

from collections.abc import Iterable

from probes.container_use import ContainerRows, all_missing, container_rows, reading, together
from probes.counter_rates import REASONS, Level, Track, add_up, largest_sum, level
from probes.energy import Unmeasured
from probes.measurement import Evidence, Measurement
from probes.metrics import Metric
from probes.readers import PERIOD_S
from probes.readings import Reading

NO_LIMIT = "no_memory_limit"
SOURCE = "machine reader at 10 Hz: memory.usage_in_bytes (control groups v1), memory.current (v2) and memory.stat"
RESOLUTION = "one page (4 KiB); the kernel counts in lots of up to 64 pages per processor"
ERROR_BOUND = "256 KiB per processor; a peak between two readings (0.1 s) is in memory_peak_bytes alone"
LABELS = {
    "pod": "one pod",
    "container": "one container",
    "process": "all processes of one name: resident memory, shared pages in each",
    "statistic=max": "largest reading",
}

METRICS = (
    Metric(
        "memory_bytes",
        "",
        "B",
        "working set of the application's containers: what is charged to them less file pages that nobody used lately",
        SOURCE,
        RESOLUTION,
        ERROR_BOUND,
        missing=REASONS,
        labels=LABELS,
    ),
    Metric(
        "memory_peak_bytes",
        "",
        "B",
        "most that was ever charged to a container since it started, file pages included",
        "machine reader: memory.max_usage_in_bytes (control groups v1), memory.peak (v2, Linux 5.19 and newer)",
        RESOLUTION,
        "256 KiB per processor",
        missing=REASONS,
        labels=LABELS,
        aggregate="max",
    ),
    Metric(
        "memory_limit_ratio",
        "",
        "1",
        "largest working set of a container in the window over its limit",
        SOURCE,
        RESOLUTION,
        ERROR_BOUND,
        missing={**REASONS, NO_LIMIT: "the container has no memory limit"},
        labels=LABELS,
    ),
)


class Measured(Measurement):
    """Reads the levels in the window."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give memory of the application, its containers and their processes."""
        containers = container_rows(evidence)
        if not containers:
            return all_missing(metric.name for metric in METRICS)
        return memory_readings(containers)


def memory_readings(containers: list[ContainerRows]) -> tuple[Reading, ...]:
    """Give all readings of some containers, which are the application."""
    return (
        reading("memory_bytes", add_up(_mean(container.column("memory_bytes")) for container in containers)),
        reading("memory_bytes", together(containers, "memory_bytes", _largest), {"statistic": "max"}),
        *(one for container in containers for one in _of_container(container)),
    )


def _of_container(container: ContainerRows) -> tuple[Reading, ...]:
    labels, limit = container.labels, container.container.memory_limit_bytes
    found = _level(container.column("memory_bytes"))
    largest = found if isinstance(found, Unmeasured) else found.largest
    share = largest if isinstance(largest, Unmeasured) else Unmeasured(NO_LIMIT) if not limit else largest / limit
    peak = _level(container.column("memory_peak_bytes"))
    return (
        reading("memory_bytes", found if isinstance(found, Unmeasured) else found.mean, labels),
        reading("memory_bytes", largest, labels | {"statistic": "max"}),
        *(
            reading("memory_bytes", add_up(map(_mean, tracks)), labels | {"process": name})
            for name, tracks in container.process_columns("rss_bytes").items()
        ),
        reading("memory_peak_bytes", peak if isinstance(peak, Unmeasured) else peak.largest, labels),
        reading("memory_limit_ratio", share, labels),
    )


def _level(found: Track | Unmeasured) -> Level | Unmeasured:
    return found if isinstance(found, Unmeasured) else level(found)


def _mean(found: Track | Unmeasured) -> float | Unmeasured:
    told = _level(found)
    return told if isinstance(told, Unmeasured) else told.mean


def _largest(tracks: Iterable[Track]) -> float | None:
    return largest_sum(tracks, PERIOD_S)
