"""What pods ask for, use and should ask for: read from objects, shown, kept in a record and put on the page."""

import asyncio
from typing import Any

import pytest

from probes.advice import NO_OBJECT, NONE_YET, Advice, advised, recorded, usage_of
from probes.errors import ProbeError, TargetError
from probes.recommendations import advice_table, reasons
from probes.report.sections.advice import cells, last_advice
from stacks.outputs import StackOutputs
from tests.probes.standins import Deployment, StandInCluster, StandInRecorder, outputs_of

PODS = [
    {
        "metadata": {"name": f"worker-{copy}", "labels": {"app.kubernetes.io/name": "worker"}},
        "spec": {"containers": [{"name": "worker", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]},
    }
    for copy in ("a", "b")
]
SCALER: dict[str, Any] = {
    "metadata": {"name": "worker-1a2b", "labels": {"app.kubernetes.io/name": "worker"}},
    "status": {
        "recommendation": {
            "containerRecommendations": [
                {
                    "containerName": "worker",
                    "lowerBound": {"cpu": "20m", "memory": "50Mi"},
                    "target": {"cpu": "45m", "memory": "104857600"},
                    "upperBound": {"cpu": "1", "memory": "1Gi"},
                }
            ]
        }
    },
}
METRICS = [
    {
        "metadata": {"name": "worker-a", "labels": {"app.kubernetes.io/name": "worker"}},
        "containers": [{"name": "worker", "usage": {"cpu": cpu, "memory": "90Mi"}}],
    }
    for cpu in ("12345678n", "40m")
]


def test_copies_are_one_line_for_each_resource_and_the_busiest_counts() -> None:
    cpu, memory = advised(PODS, [SCALER], usage_of(METRICS))
    assert cpu == Advice("worker", "worker", "cpu", "1", 0.1, 0.04, 0.02, 0.045, 1.0)
    assert (memory.asked, memory.used, memory.target, memory.unit) == (128 * 2**20, 90 * 2**20, 104_857_600, "B")


@pytest.mark.parametrize(
    ("scalers", "reason"),
    [([], NO_OBJECT), ([SCALER | {"status": {}}], NONE_YET), ([{"metadata": SCALER["metadata"]}], NONE_YET)],
)
def test_without_a_recommendation_it_says_why_and_no_number(scalers: list[dict[str, Any]], reason: str) -> None:
    found = advised(PODS, scalers)
    assert {(each.missing, each.target, each.used) for each in found} == {(reason, None, None)}
    (line,) = reasons(found)
    assert line.startswith("worker: ")


def test_the_table_has_a_line_for_each_and_a_dash_for_what_is_unknown() -> None:
    table = advice_table(advised(PODS, [SCALER]))
    assert table.row_count == 2
    assert list(table.columns[4].cells) == ["–", "–"]
    assert next(iter(table.columns[6].cells)) == "45 m"


def kept(outputs: StackOutputs, recommended: list[dict[str, Any]] | ProbeError) -> Any:
    """What a record gets where the cluster says this."""
    running = Deployment()
    recorder = StandInRecorder(running)
    try:
        cluster = StandInCluster(running, recorder)
        cluster.recommended = recommended
        return asyncio.run(recorded(cluster, outputs))
    finally:
        recorder.close()


def test_a_record_has_advice_only_where_the_stack_asks_and_survives_its_absence() -> None:
    silent = outputs_of()
    asking = silent.model_copy(update={"spec": {"autoscaling": {"recommendations": True}}})
    assert kept(silent, []) is None
    assert kept(asking, [SCALER])["missing"] is None
    gone = kept(asking, TargetError("gone", reason="cluster_refused"))
    assert gone == {"containers": [], "missing": "cluster_refused"}


def test_the_page_prefers_what_was_measured_in_the_windows() -> None:
    line = {
        "pod": "worker", "container": "worker", "resource": "cpu", "unit": "1", "asked": 0.1, "used": 0.9,
        "lower": 0.02, "target": 0.045, "upper": 1.0, "missing": None,
    }  # fmt: skip
    manifest = {
        "metrics": {"cpu_cores{container=worker,pod=worker}": {"value": 0.05, "unit": "1"}},
        "repetitions": [{"recommendations": None}, {"recommendations": {"containers": [line], "missing": None}}],
    }
    found = last_advice(manifest)
    assert found is not None
    shown = cells(found["containers"][0], manifest)
    assert [each.replace("\N{NO-BREAK SPACE}", " ") for each in shown[3:]] == [
        "0.1 cores", "0.05 cores", "0.02 cores", "0.045 cores", "1 cores",
    ]  # fmt: skip
    assert last_advice({"repetitions": [{"recommendations": None}, {}]}) is None
