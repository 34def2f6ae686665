"""Whole runs with machine readers, regimes and an A/A control, against stand-ins at every edge."""

import io
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from probes.errors import ExitCode, TargetError
from probes.plan import Durations
from probes.resume import resume_run
from probes.spool import RunFolder
from stacks.outputs import MachineReaderEndpoint
from tests.probes.fake_readers import FakeContainerd, FakeReader, content_of, door
from tests.probes.standins import outputs_of
from tests.probes.test_session import Scene, scene

__all__ = ["scene"]
LAYERS = {"base": 1000, "own": 30}
COLD = {"regime": "image_cold"}


@dataclass
class Machines:
    """The readers of a scene's platform, and what a deployment does to its machine."""

    scene: Scene
    edge: FakeReader
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def pulls(self) -> None:
        """Let every deployment pull the application's image, as a kubelet would."""
        switch = self.scene.target.switch

        def switched(stack: str, state: Any) -> None:
            if state == "running" and self.edge.containerd is not None and "app" not in self.edge.containerd.images:
                self.edge.containerd.pull("app", list(LAYERS))
                self.scene.cluster.happened.append(pulled_event())
            switch(stack, state)

        self.scene.target.switch = switched  # type: ignore[method-assign]


def pulled_event() -> dict[str, Any]:
    involved = {"kind": "Pod", "name": "application-x"}
    name = f"application-x.{time.time_ns():x}"
    message = 'Successfully pulled image "x" in 3s'
    return {"metadata": {"name": name}, "reason": "Pulled", "message": message, "involvedObject": involved}


@pytest.fixture
def machines(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Machines:
    nothing: dict[str, Any] = {"kind": "platform", "application": None, "recorder": None, "network": None}
    endpoint = MachineReaderEndpoint(namespace="ros2bench-platform", labels={"a": "b"}, port=8090)
    platform = outputs_of("platform", **nothing, machine_readers=endpoint)
    scene.target.known = {"monolithic": outputs_of(platform="platform"), "platform": platform}
    edge = FakeReader(containerd=FakeContainerd())
    readers: Mapping[str, Any] = {"edge": edge}
    monkeypatch.setattr("probes.session.reader_door", door(readers))
    monkeypatch.setattr("probes.regimes.read_content", _content)
    monkeypatch.setattr("probes.regimes.SETTLE_S", 0.0)
    return Machines(scene, edge)


def _content(_references: list[str], _architectures: list[str]) -> Any:
    return content_of("app", LAYERS)


def table(scene: Scene, name: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO((scene.folders()[-1].sealed / f"{name}.parquet").read_bytes()))


def gate(scene: Scene, name: str) -> dict[str, Any]:
    return next(gate for gate in scene.manifest()["gates"] if gate["name"] == name)


def test_raw_counters_are_in_the_record_and_the_readers_are_free_again(scene: Scene, machines: Machines) -> None:
    scene.recorder.discovered = []
    machines.edge.containerd = FakeContainerd()
    machines.edge.power_w = 5.0
    assert scene.run(durations=Durations(0.02, 0.2, 0.02, 0.0, 5.0, idle_s=0.05)) == ExitCode.COMMITTED
    counters = table(scene, "counters")
    assert set(counters["during"]) == {"window", "idle"}
    assert set(counters["kind"]) == {"machine", "containers", "power"}
    assert machines.edge.captures == {}
    assert [name.endswith("-idle") for name in machines.edge.started] == [True, False]
    facts = scene.manifest()["repetitions"][0]["readers"]["edge"]
    assert facts["rows"]["machine"] > 5
    assert facts["missing"]["gpu"] == "not_here"
    assert gate(scene, "quiet_machine")["detail"].startswith("edge 5% foreign load")
    assert scene.manifest()["platform"] == "platform"


def test_without_a_power_source_nobody_waits_for_idle(scene: Scene, machines: Machines) -> None:
    assert scene.run() == ExitCode.COMMITTED
    assert [name.endswith("-idle") for name in machines.edge.started] == [False]


def test_foreign_load_makes_the_run_invalid(scene: Scene, machines: Machines) -> None:
    machines.edge.foreign_cores = 1.5
    assert scene.run() == ExitCode.INVALID
    assert scene.manifest()["reason"] == "quiet_machine"


@pytest.mark.parametrize("problem", [ValueError("garbage"), TargetError("lost", reason="machine_reader_unreachable")])
def test_a_broken_reader_ends_no_run(scene: Scene, machines: Machines, problem: Exception) -> None:
    machines.edge.problem = problem
    assert scene.run() == ExitCode.COMMITTED
    assert gate(scene, "quiet_machine")["detail"].startswith("edge not watched: machine_reader_")
    assert "machine reader of edge" in scene.shown.getvalue()
    assert scene.manifest()["metrics"]["inference_s"]["value"] == pytest.approx(0.004)


def test_a_warm_install_pulls_nothing_and_says_so(scene: Scene, machines: Machines) -> None:
    assert scene.run() == ExitCode.COMMITTED
    metrics = scene.manifest()["metrics"]
    assert metrics["pulled_bytes"]["value"] == metrics["pulled_bytes{machine=edge}"]["value"] == 0
    assert scene.manifest()["cycle_regime"] == "warm"


def test_readers_without_containerd_say_so_in_the_reading_and_not_in_every_repetition(
    scene: Scene, machines: Machines
) -> None:
    machines.edge.containerd = None
    assert scene.run(repetitions=2) == ExitCode.COMMITTED
    assert scene.manifest()["metrics"]["pulled_bytes"] == {"missing": "no_image_access"}
    assert "machine reader of edge" not in scene.shown.getvalue()
    assert scene.run(**COLD) == ExitCode.INVALID
    assert "edge: no_image_access" in gate(scene, "regime_proved")["detail"]


def test_a_cold_install_is_made_and_proved_for_each_repetition(scene: Scene, machines: Machines) -> None:
    assert machines.edge.containerd is not None
    machines.edge.containerd.pull("app", list(LAYERS))
    machines.pulls()
    assert scene.run(repetitions=2, **COLD) == ExitCode.COMMITTED
    manifest = scene.manifest()
    assert manifest["cycle_regime"] == "image_cold"
    assert manifest["metrics"]["pulled_bytes"]["value"] == 1037
    assert [gate["passed"] for gate in manifest["gates"] if gate["name"] == "regime_proved"] == [True, True]
    assert manifest["repetitions"][0]["regime"]["present_before"] == {"edge": []}


def test_a_purge_that_did_not_happen_makes_the_run_invalid(scene: Scene, machines: Machines) -> None:
    machines.edge.containerd = FakeContainerd(used=frozenset({"app"}))
    machines.edge.containerd.pull("app", list(LAYERS))
    assert scene.run(**COLD) == ExitCode.INVALID
    assert scene.manifest()["reason"] == "regime_proved"
    assert "edge keeps image app" in gate(scene, "regime_proved")["detail"]


def test_a_cold_install_that_pulled_nothing_is_not_believed(scene: Scene, machines: Machines) -> None:
    assert scene.run(**COLD) == ExitCode.INVALID
    assert "nothing was pulled on edge" in gate(scene, "regime_proved")["detail"]


def test_a_pristine_install_makes_the_applications_volumes_anew(scene: Scene, machines: Machines) -> None:
    machines.pulls()
    own = {"ros2bench/stack": "monolithic", "app.kubernetes.io/component": "storage"}
    scene.cluster.known_claims = {"maps": own}
    assert scene.run(regime="pristine") == ExitCode.COMMITTED
    assert scene.target.restored == ["monolithic"]
    assert scene.cluster.known_claims == {}


def test_volumes_of_somebody_else_are_left_alone_and_make_a_pristine_run_invalid(
    scene: Scene, machines: Machines
) -> None:
    machines.pulls()
    scene.cluster.known_claims = {"theirs": {}}
    assert scene.run(regime="pristine") == ExitCode.INVALID
    assert "claim theirs is not of this stack" in gate(scene, "regime_proved")["detail"]
    assert scene.cluster.known_claims == {"theirs": {}}


def test_a_regime_without_a_platform_or_an_install_is_refused(scene: Scene) -> None:
    assert scene.run(**COLD) == ExitCode.USAGE
    assert "needs machine readers that may remove images" in scene.shown.getvalue()
    assert scene.run(cycles="none", **COLD) == ExitCode.USAGE
    assert "--cycles none installs nothing" in scene.shown.getvalue()
    assert scene.folders() == []
    assert scene.run(platform="monolithic") == ExitCode.USAGE
    assert "exports no machine readers" in scene.shown.getvalue()


def test_a_control_measures_one_stack_as_two_arms(scene: Scene) -> None:
    assert scene.run(repetitions=3, is_controlled=True) == ExitCode.COMMITTED
    manifests = [folder.read_json("sealed/manifest.json") for folder in scene.folders()]
    assert {manifest["arm"] for manifest in manifests} == {"A", "A'"}
    assert {manifest["stack"] for manifest in manifests} == {"monolithic"}
    floor = manifests[0]["noise_floor"]
    assert floor == manifests[1]["noise_floor"]
    assert floor["ratios"]["inference_s"]["median_ratio"] == pytest.approx(1.0, abs=0.01)
    assert floor["ratios"]["install_s"]["n"] == 3
    assert len(floor["ratios"]["install_s"]["interval"]) == 2


def test_a_control_without_cycles_touches_nothing(scene: Scene) -> None:
    scene.application.start()
    assert scene.run(cycles="none", is_controlled=True) == ExitCode.COMMITTED
    assert scene.target.switched == []
    assert len(scene.folders()) == 2


def test_a_lost_recorder_leaves_what_was_copied(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.repetition.COPY_PERIOD_S", 0.05)

    async def lost(_client: Any, capture: str) -> Any:
        raise TargetError(f"{capture}: no answer", reason="recorder_unreachable")

    monkeypatch.setattr("probes.recorder.RecorderClient.stop", lost)
    assert scene.run(durations=Durations(0.02, 0.4, 0.02, 0.0, 5.0)) == ExitCode.TARGET
    assert (scene.manifest()["state"], scene.manifest()["reason"]) == ("failed", "recorder_unreachable")
    samples = table(scene, "samples")
    assert samples.filter("in_window").height > 50


def test_a_failure_after_the_tables_are_written_leaves_them_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_client: Any, capture: str) -> Any:
        raise TargetError(f"{capture}: no answer", reason="recorder_unreachable")

    monkeypatch.setattr("probes.recorder.RecorderClient.delete", lost)
    assert scene.run(repetitions=2) == ExitCode.TARGET
    assert scene.manifest()["repetitions_done"] == 1
    delivered = scene.manifest()["metrics"]["frames_delivered"]["value"]
    assert table(scene, "samples").filter("in_window").height == delivered > 10
    assert list(scene.folders()[-1].repetitions.glob("*.copy")) == []


def test_a_killed_run_is_resumed_with_what_was_copied(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.repetition.COPY_PERIOD_S", 0.05)

    def killed(*_: Any) -> None:
        raise SystemExit(137)

    monkeypatch.setattr("probes.repetition.SampleCopy.samples", killed)
    with pytest.raises(SystemExit):
        scene.run(durations=Durations(0.02, 0.2, 0.02, 0.0, 5.0))
    monkeypatch.undo()
    (folder,) = scene.folders()
    assert folder.read_journal().entries[-1].state == "measuring"
    # The journal of the run is still held by this very process.
    shutil.copytree(folder.path, scene.root / "0000-killed")
    shutil.rmtree(folder.path)
    resumed = resume_run(RunFolder(scene.root / "0000-killed"), f"dir:{scene.root.parent}/kept")
    assert (resumed.code, scene.manifest()["state"]) == (ExitCode.COMMITTED, "aborted"), resumed.text
    assert table(scene, "samples").filter("in_window").height > 10


def test_a_measurement_that_breaks_is_missing_and_the_rest_is_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("probes.measurements.service.largest_gap_s", broken)
    assert scene.run() == ExitCode.COMMITTED
    assert scene.manifest()["metrics"]["service_gap_s"] == {"missing": "measurement_failed"}
    assert "measurement service failed: ZeroDivisionError('a defect')" in scene.shown.getvalue()


def test_the_timeline_is_in_the_record_with_its_sources(scene: Scene) -> None:
    assert scene.run() == ExitCode.COMMITTED
    timeline = table(scene, "timeline")
    assert {"api", "first_message", "ready"} <= set(timeline["stage"])
    ready = timeline.filter(pl.col("stage") == "ready").row(0, named=True)
    assert (ready["pod"], ready["missing"]) == ("application", None)
    assert ready["source"].endswith("watch")
    metrics = table(scene, "metrics")
    tagged = metrics.filter((pl.col("name") == "pod_phase_s") & pl.col("value").is_not_null())
    assert tagged["source"].null_count() == tagged["resolution"].null_count() == 0
    ready = scene.manifest()["metrics"]["pod_phase_s{phase=created}"]
    assert (ready["source"], ready["resolution"]) == ("runner..watch", 0.001)


def test_discovery_is_seen_while_the_stack_is_deployed(scene: Scene) -> None:
    scene.recorder.incompatible = True
    assert scene.run() == ExitCode.COMMITTED
    pods = table(scene, "pods")
    (row,) = pods.filter(pl.col("phase") == "discovered").rows(named=True)
    assert (row["pod"], row["source"]) == ("", "poll")
    assert json.dumps(scene.manifest()["metrics"]["first_message_s{stage=discovery}"])
