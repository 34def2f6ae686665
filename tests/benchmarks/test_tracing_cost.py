"""Windows with and without tracing become a control and a share of a node's processor time."""

from typing import Any

import pytest
import typer

from benchmarks.recorder_against_subscriber import manifests
from benchmarks.tracing_cost import PROGRAM, application_cores, evaluate
from tests.images.in_cluster import module
from tests.support.values import DIGEST

traced = module("ros2bench_recorder.benchmark.traced")


def rounds(*added_s: float) -> list[dict[str, float]]:
    return [{"untraced": 0.01, "again": 0.0101, "sampled": 0.01 + each, "traced": 0.01 + 2 * each} for each in added_s]


def test_what_tracing_adds_is_set_against_the_share_of_a_node() -> None:
    """Of 0.4 cores a node has a tenth of a core: a second in a window of ten."""
    control, claim, most = evaluate(rounds(0.008, 0.0081, 0.0079), 10, 0.4, 1)
    assert control.ratio == pytest.approx(1.0001)
    assert claim.ratio == pytest.approx(1.008, abs=1e-4)
    assert most.ratio == pytest.approx(1.016, abs=1e-4)
    assert (claim.verdict, most.verdict) == ("kept", "reported")
    assert evaluate(rounds(0.012, 0.013, 0.012), 10, 0.4, 1)[1].verdict == "broken"


def manifest(**changes: Any) -> dict[str, Any]:
    return {"run_id": "r", "spec": {"tracing": {"enabled": False}}, "metrics": {"cpu_cores": {"value": 0.4}}} | changes


def test_the_applications_own_time_is_that_of_a_run_without_tracing() -> None:
    assert application_cores(manifest()) == 0.4
    assert application_cores(manifest(spec={})) == 0.4
    with pytest.raises(typer.BadParameter, match="run r were traced"):
        application_cores(manifest(spec={"tracing": {"enabled": True}}))
    with pytest.raises(typer.BadParameter, match="missing: no_platform"):
        application_cores(manifest(metrics={"cpu_cores": {"missing": "no_platform"}}))


def test_the_pod_runs_the_program() -> None:
    (container,) = manifests(f"registry/recorder@{DIGEST}", ["--rounds=3"], PROGRAM)[-1]["spec"]["containers"]
    assert container["args"] == [*PROGRAM, "--rounds=3"]


def test_a_window_wakes_for_every_frame_and_traces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []

    class StandInTracer:
        def __init__(self, port: int, sample_every: int) -> None:
            assert (port, sample_every) == (1, 7)

        def note(self, number: int, intended_ns: int, begun_ns: int) -> None:
            assert intended_ns < begun_ns
            noted.append(number)

        def close(self) -> None:
            noted.append(-1)

    monkeypatch.setattr(traced, "SETTLE_S", 0.02)
    monkeypatch.setattr(traced, "_tracer", StandInTracer)
    assert 0 < traced.window(1, 7, 500, 0.04) < 0.04
    assert noted == [*range(30), -1]
    assert traced.window(1, 0, 500, 0.04) > 0
    assert len(noted) == 31
