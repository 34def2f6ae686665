"""Proof 9: a known processor load is the load that is reported.

Two pods use 0.25 and 0.75 of a core, kept to it by their own processor clock (cpu_load.py).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.proofs.bench import Bench
from benchmarks.proofs.evidence import Evidence
from benchmarks.proofs.finding import Finding, no_data, verdict_of

NUMBER = 9
STACK = "microservices"
STACK_FILE = Path(__file__).with_name("Pulumi.cpu-load.yaml")
LOADS: Mapping[str, float] = {"load-25": 0.25, "load-75": 0.75}
LIMIT_RATIO = 0.02
METRIC = "cpu_cores"
FIGURE = "within 2 %"


def claim(cores: float) -> str:
    """Say what is claimed of one load."""
    return f"a load of {cores:g} cores is reported in {METRIC}"


def finding(cores: float, reported: float | None, interval: tuple[float, float] | None, missing: str = "") -> Finding:
    """Judge a reported load.

    Args:
        cores: What was really used.
        reported: What the record says.
        interval: Its interval over repetitions.
        missing: Why there is nothing.
    """
    if reported is None:
        return no_data(NUMBER, claim(cores), FIGURE, f"{METRIC} is missing({missing})")
    ratio = reported / cores
    shown = "none" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
    measured = f"{reported:.4f} cores: {100 * (ratio - 1):+.2f} %"
    return Finding(NUMBER, claim(cores), FIGURE, measured, shown, verdict_of(holds=abs(ratio - 1) <= LIMIT_RATIO))


def reported_load(metrics: Mapping[str, Mapping[str, Any]], pod: str) -> tuple[str | None, Mapping[str, Any]]:
    """Find the mean load of a pod's container among the metrics of a manifest.

    Args:
        metrics: The manifest's metrics.
        pod: Name of the pod in the placement; a pod of the cluster has a suffix.

    Returns:
        Key and entry; no key where the record names no container of the pod.
    """
    for key in sorted(metrics):
        labels = labels_of(key)
        if not key.startswith(f"{METRIC}{{") or "process" in labels or labels.get("statistic", "mean") != "mean":
            continue
        if labels.get("pod", "") == pod or labels.get("pod", "").startswith(f"{pod}-"):
            return key, metrics[key]
    return None, metrics.get(METRIC, {"missing": "not in the record"})


def labels_of(key: str) -> dict[str, str]:
    """Read the labels in a metric's key: `cpu_cores{container=a,pod=b}`."""
    found = re.fullmatch(r"[^{]+\{(.*)\}", key)
    return dict(pair.split("=", 1) for pair in found[1].split(",")) if found else {}


def spec() -> dict[str, Any]:
    """Keys of the stack file that has the two loads."""
    return dict(yaml.safe_load(STACK_FILE.read_text(encoding="utf-8"))["config"]["ros2bench:spec"])


def findings(evidence: Evidence) -> list[Finding]:
    """Judge both loads of a record."""
    found: list[Finding] = []
    for pod, cores in LOADS.items():
        _, entry = reported_load(evidence.manifest["metrics"], pod)
        interval = entry.get("interval")
        both = (float(interval[0]), float(interval[1])) if interval else None
        found.append(finding(cores, entry.get("value"), both, str(entry.get("missing", ""))))
    return found


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Deploy both loads and measure them together."""
    bench.need_platform()
    bench.deploy(STACK, spec())
    evidence = bench.measure(repetitions=1 if reduced else 5, duration_s=10.0 if reduced else 20.0)
    if evidence.problem:
        return [no_data(NUMBER, claim(cores), FIGURE, evidence.problem) for cores in LOADS.values()]
    return findings(evidence)
