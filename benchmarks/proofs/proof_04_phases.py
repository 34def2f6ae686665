"""Proof 4: the phase `started` of a pod is when the kernel saw its program begin.

Pods are started once more while the kernel's own process events are recorded. The record's time of the phase, which the
machine readers take from the runtime's folder, is compared with the exec of the container's program, which neither
Kubernetes nor containerd reports. One pod that starts alone shows the error of the method. Pods that start together on
few cores make the runtime itself wait for a core, and with it whatever it writes: of those the median is claimed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from benchmarks.proofs.bench import SMALL_LOAD, Bench
from benchmarks.proofs.finding import Finding, milliseconds, no_data, verdict_of
from benchmarks.proofs.intervals import median_with_interval
from benchmarks.proofs.process_tracer import ProcessTracer, TracerUnavailable, container_starts

NUMBER = 4
LIMIT_S = 0.01
PHASE = "started"


@dataclass(frozen=True)
class Claim:
    """What is claimed of the starts of a stack's pods: of each, or of their median."""

    stack: str
    runs: int
    of_each: bool
    text: str
    figure: str


CLAIMS = (
    Claim(
        stack="monolithic",
        runs=5,
        of_each=True,
        text="a pod that starts alone: `started` is its traced start",
        figure="each within 10 ms",
    ),
    Claim(
        stack="microservices",
        runs=3,
        of_each=False,
        text="pods that start together: `started` is their traced start",
        figure="median within 10 ms",
    ),
)
FINEST = ("runtime", "event_name", "event_time", "watch")
"""Sources of a phase's time, the finest first; whole seconds are no measurement of it."""


def finding(claim: Claim, errors_s: Sequence[float], unmatched: Sequence[str] = ()) -> Finding:
    """Judge how far the reported starts are from the traced ones.

    Args:
        claim: What is claimed.
        errors_s: Reported less traced time of each pod's start.
        unmatched: Pods of which one of the two is not known.
    """
    if not errors_s or unmatched:
        reason = f"no start of {', '.join(unmatched)}" if unmatched else "no container was started"
        return no_data(NUMBER, claim.text, claim.figure, reason)
    spread = median_with_interval(errors_s)
    worst_s = max(errors_s, key=abs)
    judged_s = worst_s if claim.of_each else spread.value
    return Finding(
        NUMBER,
        claim.text,
        claim.figure,
        f"{milliseconds(worst_s)} at worst, {milliseconds(spread.value)} in the median of {len(errors_s)} starts",
        f"{spread.interval(1e3)} ms (median)",
        verdict_of(holds=abs(judged_s) <= LIMIT_S),
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
    """Start the pods of each claim again, several times, with the tracer on."""
    bench.need_platform()
    return [_prove(bench, claim, 1 if reduced else claim.runs) for claim in CLAIMS]


def _prove(bench: Bench, claim: Claim, runs: int) -> Finding:
    bench.deploy(claim.stack, {"application": {"load": dict(SMALL_LOAD)}})
    errors_s: list[float] = []
    unmatched: list[str] = []
    for _ in range(runs):
        try:
            with ProcessTracer() as tracer:
                evidence = bench.measure(cycles="install", duration_s=5.0)
        except TracerUnavailable as reason:
            return no_data(NUMBER, claim.text, claim.figure, str(reason))
        problem = evidence.problem or (
            f"the kernel dropped events {tracer.overflows} times" if tracer.overflows else None
        )
        if problem:
            return no_data(NUMBER, claim.text, claim.figure, problem)
        containers = application_containers(bench.pods())
        starts = container_starts(tracer.execs, list(containers.values()))
        traced = {pod: starts[identifier] for pod, identifier in containers.items() if identifier in starts}
        reported = {pod: at for pod, at in reported_starts(evidence.table("pods"), 0).items() if pod in containers}
        found_s, missing = compared(reported, traced)
        errors_s += found_s
        unmatched += missing
    return finding(claim, errors_s, unmatched)
