"""Phases: the record's best source against the kernel's exec, pod by pod."""

from typing import Any

import polars as pl

from benchmarks.proofs import proof_04_phases as proof

ALONE, TOGETHER = proof.CLAIMS


def test_of_a_pod_that_starts_alone_each_start_counts() -> None:
    assert proof.finding(ALONE, [0.002, -0.009, 0.0099]).verdict == "holds"
    found = proof.finding(ALONE, [0.001] * 10 + [0.011])
    assert found.verdict == "fails"
    assert "11.000 ms at worst" in found.measured


def test_of_pods_that_start_together_the_median_counts_and_the_worst_is_told() -> None:
    found = proof.finding(TOGETHER, [0.001] * 10 + [0.3])
    assert found.verdict == "holds"
    assert "300.000 ms at worst" in found.measured
    assert proof.finding(TOGETHER, [0.011] * 6 + [0.001] * 5).verdict == "fails"


def test_a_pod_without_a_trace_is_not_passed_over() -> None:
    errors_s, unmatched = proof.compared({"a": 2_000_000, "b": 5}, {"a": 1_000_000, "c": 6})
    assert errors_s == [0.001]
    assert unmatched == ["b", "c"]
    assert proof.finding(ALONE, errors_s, unmatched).verdict == "not enough data"
    assert proof.finding(ALONE, []).verdict == "not enough data"


def row(**changes: Any) -> dict[str, Any]:
    return {"repetition": 0, "pod": "a", "phase": "started", "at_ns": 1, "source": "watch"} | changes


def test_the_finest_source_counts_and_whole_seconds_never() -> None:
    table = pl.DataFrame(
        [
            row(at_ns=30),
            row(at_ns=20, source="event_name"),
            row(pod="f", at_ns=70, source="event_name"),
            row(pod="f", at_ns=65, source="runtime"),
            row(at_ns=10, source="condition"),
            row(pod="b", at_ns=50),
            row(pod="c", at_ns=60, source="condition"),
            row(pod="d", phase="ready"),
            row(pod="e", repetition=1),
        ]
    )
    assert proof.reported_starts(table, 0) == {"a": 20, "b": 50, "f": 65}


def test_containers_are_found_by_pod() -> None:
    def pod(name: str, component: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}},
            "status": {"containerStatuses": [{"containerID": f"containerd://{name}id"}]},
        }

    assert proof.application_containers([pod("a", "application"), pod("r", "recorder")]) == {"a": "aid"}
