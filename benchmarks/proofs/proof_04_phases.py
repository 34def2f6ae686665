"""Proof 4: the phase `started` of a pod is when the kernel saw its program begin.

Every pod of the microservices is started once more while the kernel's own process events are recorded. The record's
time of the phase, which the machine readers take from the runtime's folder, is compared with the exec of the
container's program, which neither Kubernetes nor containerd reports.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from benchmarks.proofs.bench import SMALL_LOAD, Bench
from benchmarks.proofs.finding import Finding, milliseconds, no_data, verdict_of
from benchmarks.proofs.intervals import median_with_interval
from benchmarks.proofs.process_tracer import ProcessTracer, TracerUnavailable, container_starts

NUMBER = 4
STACK = "microservices"
LIMIT_S = 0.01
STARTS = 3
PHASE = "started"
CLAIM = "the phase `started` of a pod is the traced start of its container"
FIGURE = "each within 10 ms"
FINEST = ("runtime", "event_name", "event_time", "watch")
"""Sources of a phase's time, the finest first; whole seconds are no measurement of it."""


def finding(errors_s: Sequence[float], unmatched: Sequence[str] = ()) -> Finding:
    """Judge how far the reported starts are from the traced ones.

    Args:
        errors_s: Reported less traced time of each pod's start.
        unmatched: Pods of which one of the two is not known.
    """
    if not errors_s or unmatched:
        reason = f"no start of {', '.join(unmatched)}" if unmatched else "no container was started"
        return no_data(NUMBER, CLAIM, FIGURE, reason)
    spread = median_with_interval(errors_s)
    worst_s = max(errors_s, key=abs)
    return Finding(
        NUMBER,
        CLAIM,
        FIGURE,
        f"{milliseconds(worst_s)} at worst, {milliseconds(spread.value)} in the median of {len(errors_s)} starts",
        f"{spread.interval(1e3)} ms (median)",
        verdict_of(holds=abs(worst_s) <= LIMIT_S),
    )


def reported_starts(pods: pl.DataFrame, repetition: int) -> dict[str, int]:
    """Give the record's time of `started` for each pod, from the finest source that it has."""
    found: dict[str, int] = {}
    rows = pods.filter((pl.col("repetition") == repetition) & (pl.col("phase") == PHASE))
    for source in reversed(FINEST):
        for row in rows.filter(pl.col("source") == source).sort("at_ns", descending=True).iter_rows(named=True):
            found[row["pod"]] = row["at_ns"]
    return found


def application_containers(pods: Sequence[Mapping[str, Any]], role: str = "application") -> dict[str, str]:
    """Give the container identifier of each application pod, by the pod's name."""
    return {
        pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        for pod in pods
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") == role
    }


def compared(reported: Mapping[str, int], traced: Mapping[str, int]) -> tuple[list[float], list[str]]:
    """Pair reported and traced starts by pod; names those of which one is missing."""
    unmatched = sorted(reported.keys() ^ traced.keys())
    return [(reported[pod] - traced[pod]) / 1e9 for pod in sorted(reported.keys() & traced.keys())], unmatched


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Start the pods again, several times, with the tracer on."""
    bench.need_platform()
    bench.deploy(STACK, {"application": {"load": dict(SMALL_LOAD)}})
    errors_s: list[float] = []
    unmatched: list[str] = []
    for _ in range(1 if reduced else STARTS):
        try:
            with ProcessTracer() as tracer:
                evidence = bench.measure(cycles="install", duration_s=5.0)
        except TracerUnavailable as reason:
            return [no_data(NUMBER, CLAIM, FIGURE, str(reason))]
        if evidence.problem:
            return [no_data(NUMBER, CLAIM, FIGURE, evidence.problem)]
        if tracer.overflows:
            return [no_data(NUMBER, CLAIM, FIGURE, f"the kernel dropped events {tracer.overflows} times")]
        containers = application_containers(bench.pods())
        starts = container_starts(tracer.execs, list(containers.values()))
        traced = {pod: starts[identifier] for pod, identifier in containers.items() if identifier in starts}
        reported = {pod: at for pod, at in reported_starts(evidence.table("pods"), 0).items() if pod in containers}
        found_s, missing = compared(reported, traced)
        errors_s += found_s
        unmatched += missing
    return [finding(errors_s, unmatched)]
