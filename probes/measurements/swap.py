"""What exchanging one node costs, again and again: `python -m probes.endurance` measures it, not a single run."""

from collections.abc import Sequence

from probes.measurement import Measurement, RunContext
from probes.metrics import NOT_REQUESTED, TOO_FEW_SAMPLES, Metric
from probes.readings import Reading
from probes.trend import LEAST_POINTS, leak_verdict, slope_of

NEEDS_COMMAND = {NOT_REQUESTED: "needs python -m probes.endurance"}
NO_MEMORY = {
    "memory_not_told": "the machine's cgroups tell no memory of the containers",
    "pods_replaced": "the pattern replaces the pods of a swapped node, so no process lives through two swaps",
}
MEMORY_SOURCE = "machine readers: memory of the application's containers (cgroup), after each swap"
METRICS = (
    Metric(
        "swap_s",
        "",
        "s",
        "exchange of one node by its pattern's own means: of a component unload and load, else `pulumi up` to the last "
        "new pod Ready",
        source="runner's clock; one pod watch",
        resolution="1 ms",
        error_bound="the calls' way through the recorder, or the watch's lag: some milliseconds, always too long",
        missing=NEEDS_COMMAND,
    ),
    Metric(
        "memory_after_swap_bytes",
        "",
        "B",
        "memory of all containers of the application, right after a swap",
        source=MEMORY_SOURCE,
        resolution="1 page",
        error_bound="page cache counts where the kernel counts it for the container",
        missing={**NEEDS_COMMAND, **NO_MEMORY},
    ),
    Metric(
        "memory_trend_bytes_per_swap",
        "",
        "B",
        "growth of that memory from swap to swap: median of the slopes between all pairs (Theil-Sen)",
        source=MEMORY_SOURCE,
        resolution="1 page over the number of swaps",
        error_bound="its own 95 % interval, by ranks (Sen 1968)",
        missing={**NEEDS_COMMAND, **NO_MEMORY},
        labels={"statistic=low": "lower end of the 95 % interval", "statistic=high": "upper end of the 95 % interval"},
    ),
    Metric(
        "memory_leak",
        "",
        "1",
        "1 where memory grows over all swaps and still in their second half, each with its interval above 0, by 1 MiB "
        "or more in all; else 0",
        source=MEMORY_SOURCE,
        resolution="yes or no",
        error_bound=f"a leak below what {LEAST_POINTS} swaps show is not seen",
        missing={**NEEDS_COMMAND, **NO_MEMORY},
    ),
)


class Measured(Measurement):
    """Says that a single run does not swap."""

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give the reasons."""
        _ = context
        return tuple(Reading(metric.name, missing=NOT_REQUESTED) for metric in METRICS)


def memory_readings(memory: Sequence[float | str]) -> tuple[Reading, ...]:
    """Give the trend and the verdict from the memory after each swap; the first reason where one is missing."""
    known = [value for value in memory if not isinstance(value, str)]
    reason = next((value for value in memory if isinstance(value, str)), None)
    slope = None if reason else slope_of(known)
    verdict = leak_verdict(known)
    name = "memory_trend_bytes_per_swap"
    if slope is None or reason is not None:
        missing = reason or TOO_FEW_SAMPLES
        return Reading(name, missing=missing), Reading("memory_leak", missing=missing)
    return (
        Reading(name, slope.value),
        Reading(name, slope.low, labels={"statistic": "low"}),
        Reading(name, slope.high, labels={"statistic": "high"}),
        Reading("memory_leak", missing=TOO_FEW_SAMPLES)
        if verdict == "not enough data"
        else Reading("memory_leak", float(verdict == "leak")),
    )
