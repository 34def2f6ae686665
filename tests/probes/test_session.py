"""A whole run against stand-ins at every edge: what is kept, what is said, which exit code, nothing left half done."""

import asyncio
import io
import json
import os
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from probes.checksums import Proof
from probes.cluster import Permission
from probes.conclusion import run_campaign
from probes.console import Screen
from probes.errors import DeployFailed, ExitCode, SpoolFull, StoreUnavailable, TargetError
from probes.plan import Durations
from probes.registry import RegistryProblem
from probes.session import Request
from probes.spool import RunFolder, Spool
from probes.store import FolderStore, Store
from probes.world import World
from stacks.outputs import MountedOverlay, StackOutputs
from tests.probes.standins import (
    CLUSTER_UID,
    RATE_HZ,
    TOPIC,
    Capture,
    Deployment,
    StandInCluster,
    StandInRecorder,
    StandInTarget,
    machine,
    outputs_of,
    pod,
)

SHORT = Durations(warmup_s=0.02, window_s=0.1, drain_s=0.02, cool_down_s=0.0, ready_timeout_s=5.0)


@dataclass
class Scene:
    """All stand-ins of one test, and what the run wrote."""

    root: Path
    application: Deployment
    recorder: StandInRecorder
    target: StandInTarget
    cluster: StandInCluster
    store: Store
    shown: io.StringIO = field(default_factory=io.StringIO)
    result: io.StringIO = field(default_factory=io.StringIO)
    connect_problem: TargetError | None = None

    def run(self, **changes: Any) -> ExitCode:
        """Do a campaign with short phases."""
        request: dict[str, Any] = {
            "stacks": (),
            "repetitions": 1,
            "cycles": "install",
            "durations": SHORT,
            "seed": 1,
            "store": None,
        }
        screen = Screen(progress=Console(file=self.shown, width=300), result=Console(file=self.result, width=300))
        world = World(self.target, self._connect, Spool(self.root), lambda _option, _records: self.store, screen)
        return run_campaign(Request(**(request | changes)), world)

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[StandInCluster]:
        if self.connect_problem:
            raise self.connect_problem
        yield self.cluster

    def folders(self) -> list[RunFolder]:
        """Give the runs in the spool."""
        return Spool(self.root).runs()

    def manifest(self) -> dict[str, Any]:
        """Give the manifest of the newest run."""
        return self.folders()[-1].read_json("sealed/manifest.json")

    def states(self) -> list[str]:
        """Give the states of the newest run."""
        return [entry.state for entry in self.folders()[-1].read_journal().entries]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Scene]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ROS2BENCH_REGISTRY_CA", raising=False)
    # The stand-in registry address must not be looked up.
    monkeypatch.setattr("probes.session.absent_images", _all_there)
    monkeypatch.setattr("probes.deploy.POLL_S", 0.02)
    monkeypatch.setattr("probes.beginning.POLL_S", 0.02)
    monkeypatch.setattr("probes.beginning.DISCOVERY_POLL_S", 0.02)
    monkeypatch.setattr("probes.measurements.images._measure", _no_registry)
    application = Deployment()
    with StandInRecorder(application) as recorder:
        yield Scene(
            root=tmp_path / "spool",
            application=application,
            recorder=recorder,
            target=StandInTarget(application, {"monolithic": outputs_of()}),
            cluster=StandInCluster(application, recorder),
            store=FolderStore(tmp_path / "store"),
        )


def _all_there(_references: list[str]) -> list[str]:
    return []


def _one_megabyte(_spool: Spool) -> int:
    return 1_000_000


def _no_registry(references: list[str], architecture: str) -> Any:
    raise RegistryProblem("registry_unreachable", f"no registry for {references} on {architecture}")


def test_a_run_with_install_cycles_is_committed_with_every_metric(scene: Scene) -> None:
    assert scene.run(repetitions=3) == ExitCode.COMMITTED
    manifest = scene.manifest()
    metrics = manifest["metrics"]
    assert manifest["state"] == "complete"
    assert metrics["inference_s"]["value"] == pytest.approx(0.004)
    assert metrics["inference_s{part=app}"]["value"] == pytest.approx(0.002)
    assert metrics["inference_s{part=serialise}"]["value"] == pytest.approx(0.0005)
    assert metrics["inference_s{part=transport}"]["value"] == pytest.approx(0.0015)
    assert metrics["inference_s{part=probe}"]["value"] == pytest.approx(0.0001)
    assert metrics["frames_hz"]["value"] == pytest.approx(RATE_HZ)
    assert metrics["jitter_s"]["value"] == pytest.approx(0)
    assert (
        metrics["frames_intended"]["value"]
        == metrics["frames_delivered"]["value"]
        == pytest.approx(3 * 0.1 * RATE_HZ, abs=5)
    )
    assert 0.01 < metrics["install_s"]["value"] < 2
    assert 0.01 < metrics["ready_s"]["value"] < 2
    assert metrics["install_s"]["n"] == 3
    assert metrics["install_s"]["interval"][0] <= metrics["install_s"]["value"] <= metrics["install_s"]["interval"][1]
    assert metrics["pulled_bytes"] == {"missing": "no_platform"}
    assert 0.01 < metrics["pod_phase_s{phase=created}"]["value"] < 2
    assert metrics["pod_phase_s{phase=pulled}"] == {"missing": "events_expired"}
    assert metrics["service_gap_s"]["value"] == pytest.approx(1 / RATE_HZ, abs=1 / RATE_HZ)
    assert metrics["power_w"] == {"missing": "no_platform"}
    assert metrics["image_bytes_wire"] == {"missing": "registry_unreachable"}
    assert all(gate["passed"] for gate in manifest["gates"])
    assert scene.states() == [
        "planned",
        *["deploying", "ready", "measuring", "collected"] * 3,
        "sealed",
        "uploaded",
        "committed",
    ]
    assert scene.target.switched == [("monolithic", "parked"), ("monolithic", "running")] * 3
    assert scene.recorder.captures == {}


@pytest.mark.parametrize("cycles", ["install", "none"])
def test_images_that_no_machine_holds_are_brought_by_a_start_that_is_not_measured(scene: Scene, cycles: str) -> None:
    scene.cluster.held_images = frozenset()
    if cycles == "none":
        scene.application.start("monolithic")
    assert scene.run(repetitions=2, cycles=cycles) == ExitCode.COMMITTED
    up, down = ("monolithic", "running"), ("monolithic", "parked")
    assert scene.target.switched == ([up, down, down, up, down, up] if cycles == "install" else [])
    assert ("start once, unmeasured: no machine holds " in scene.shown.getvalue()) == (cycles == "install")
    assert scene.manifest()["repetitions_done"] == 2


def test_the_record_lies_where_the_contract_says_with_parts_that_match_the_manifest(scene: Scene) -> None:
    scene.run()
    manifest = scene.manifest()
    day = manifest["created_at"][:10]
    place = f"runs/schema=1/date={day}/pattern=monolithic/run={manifest['run_id']}/"
    stored = json.loads(scene.store.get(f"{place}manifest.json"))
    assert stored == manifest
    assert [part["name"] for part in stored["parts"]] == [
        "counters.parquet",
        "events.parquet",
        "metrics.parquet",
        "pods.parquet",
        "samples.parquet",
        "timeline.parquet",
    ]
    samples = pl.read_parquet(io.BytesIO(scene.store.get(f"{place}samples.parquet")))
    assert samples.filter("in_window").height == manifest["metrics"]["frames_delivered"]["value"]
    assert samples["topic"].unique().to_list() == [TOPIC]
    pods = pl.read_parquet(io.BytesIO(scene.store.get(f"{place}pods.parquet")))
    assert {"created", "ready"} <= set(pods["phase"])
    assert f"record: {scene.store.address(place)}" in scene.result.getvalue()


def test_without_cycles_the_stack_is_not_touched(scene: Scene) -> None:
    scene.application.start()
    assert scene.run(cycles="none") == ExitCode.COMMITTED
    assert scene.target.switched == []
    metrics = scene.manifest()["metrics"]
    for name in ("install_s", "ready_s", "startup_efficiency", "deployment_overhead_ratio"):
        assert metrics[name] == {"missing": "not_requested"}
    assert metrics["inference_s"]["value"] == pytest.approx(0.004)


def test_a_record_holds_no_place_on_this_machine_and_no_secret(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(scene.root.parent))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell")
    spec = {"imagesLock": str(scene.root.parent / "images.lock")}
    scene.target.known = {"monolithic": outputs_of(spec=spec)}
    scene.run()
    text = json.dumps(scene.manifest())
    assert scene.manifest()["spec"] == {"imagesLock": "~/images.lock"}
    assert str(scene.root.parent) not in text
    assert "do-not-tell" not in text


def test_lost_frames_are_counted(scene: Scene) -> None:
    scene.application.lost_frames = frozenset(range(0, 100_000, 10))
    assert scene.run() == ExitCode.COMMITTED
    metrics = scene.manifest()["metrics"]
    assert metrics["frames_lost"]["value"] == pytest.approx(metrics["frames_intended"]["value"] / 10, abs=1)


def test_dropped_samples_make_the_run_invalid_and_it_is_kept(scene: Scene) -> None:
    scene.application.dropped = 5
    assert scene.run() == ExitCode.INVALID
    assert (scene.manifest()["state"], scene.manifest()["reason"]) == ("invalid", "recorder_kept_all")
    assert scene.states()[-1] == "committed"
    assert "gate recorder_kept_all failed" in scene.result.getvalue()


def test_an_image_pulled_in_the_repetition_is_another_regime(scene: Scene) -> None:
    start = scene.application.start

    def pull_and_start(stack: str) -> None:
        name = f"application-x.{time.time_ns():x}"
        message = "Successfully pulled image"
        involved = {"kind": "Pod", "name": "application-x"}
        event = {"metadata": {"name": name}, "reason": "Pulled", "message": message, "involvedObject": involved}
        scene.cluster.happened = [event]
        start(stack)

    scene.application.start = pull_and_start  # type: ignore[method-assign]
    assert scene.run() == ExitCode.INVALID
    assert scene.manifest()["reason"] == "one_regime"


def test_latency_is_withheld_where_the_clocks_are_not_proved_one(scene: Scene) -> None:
    scene.cluster.known_machines = [machine(boot="another kernel")]
    assert scene.run() == ExitCode.COMMITTED
    metrics = scene.manifest()["metrics"]
    for name in ("inference_s", "jitter_s", "inference_s{part=transport}", "frames_on_time"):
        assert metrics[name] == {"missing": "clock_unproven"}
    assert metrics["inference_s{part=probe}"]["value"] == pytest.approx(0.0001)
    assert metrics["frames_hz"]["value"] == pytest.approx(RATE_HZ)


def test_an_unknown_stack_names_those_that_exist(scene: Scene) -> None:
    assert scene.run(stacks=("monolitic",)) == ExitCode.USAGE
    assert "'monolitic'; stacks that exist: monolithic" in scene.shown.getvalue()
    assert scene.folders() == []


def test_an_unreachable_cluster_leaves_nothing_behind(scene: Scene) -> None:
    scene.connect_problem = TargetError("The cluster cannot be reached", next_step="kubectl get nodes")
    assert scene.run() == ExitCode.TARGET
    assert "kubectl get nodes" in scene.shown.getvalue()
    assert scene.folders() == []


def test_the_wrong_context_names_both_clusters(scene: Scene) -> None:
    scene.cluster.cluster_uid = "22222222-2222-4222-8222-222222222222"
    assert scene.run() == ExitCode.TARGET
    assert CLUSTER_UID in scene.shown.getvalue()
    assert scene.cluster.cluster_uid in scene.shown.getvalue()
    assert scene.target.switched == []


def test_a_missing_permission_is_named_before_anything_changes(scene: Scene) -> None:
    scene.cluster.refused = [Permission("create", "pods", "portforward", "ros2bench-monolithic")]
    assert scene.run() == ExitCode.TARGET
    assert "may not create pods/portforward in namespace ros2bench-monolithic" in scene.shown.getvalue()
    assert scene.target.switched == []


def test_another_running_experiment_blocks(scene: Scene) -> None:
    scene.cluster.other_pods = [pod("overlay")]
    assert scene.run() == ExitCode.TARGET
    assert "ROS2BENCH_STATE=parked pulumi up -s overlay" in scene.shown.getvalue()


def test_a_parked_application_is_named_without_cycles(scene: Scene) -> None:
    assert scene.run(cycles="none") == ExitCode.TARGET
    assert "0 of 1 application pods" in scene.shown.getvalue()
    assert "pulumi up -s monolithic" in scene.shown.getvalue()


def test_an_image_that_the_registry_lacks_is_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.session.absent_images", list)
    assert scene.run() == ExitCode.TARGET
    assert "the registry has no image registry.invalid:5000/ros2bench/application-monolithic@sha256:aaaa" in (
        scene.shown.getvalue()
    )
    assert scene.target.switched == []


def test_a_failed_deployment_is_sealed_as_failed(scene: Scene) -> None:
    scene.target.fails_with = DeployFailed("`pulumi up` failed", next_step="pulumi up -s monolithic")
    assert scene.run() == ExitCode.TARGET
    assert (scene.manifest()["state"], scene.manifest()["reason"]) == ("failed", "deploy_failed")
    assert scene.states()[-2:] == ["failed", "sealed"]
    assert scene.manifest()["metrics"]["install_s"] == {"missing": "not_measured"}


def test_a_pod_that_cannot_start_ends_the_wait_and_names_image_and_reason(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.phases.BLOCKED_FOR_S", 0.1)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    status = {"containerStatuses": [{"image": "registry/app@sha256:bad", "state": waiting, "restartCount": 0}]}
    scene.cluster.waiting_pod = pod("monolithic", uid="w1", status=status)
    scene.target.takes_s = 30
    started_s = time.monotonic()
    assert scene.run() == ExitCode.TARGET
    assert time.monotonic() - started_s < 5
    assert "ImagePullBackOff (image registry/app@sha256:bad)" in scene.shown.getvalue()


def test_silence_names_topic_domain_and_what_was_discovered(scene: Scene) -> None:
    scene.application.silent = True
    scene.recorder.discovered = [{"topic": "/frames", "types": ["x/msg/Frame"], "publishers": 1}]
    assert scene.run(durations=Durations(ready_timeout_s=0.6, drain_s=0.01)) == ExitCode.TARGET
    said = scene.shown.getvalue()
    for part in (TOPIC, "ros2bench_interfaces/msg/Result", "domain 7", "rmw_fastrtps_cpp", "/frames"):
        assert part in said
    assert scene.manifest()["reason"] == "no_message"
    assert scene.recorder.captures == {}


def test_a_store_that_is_down_keeps_the_run_and_says_how_to_resume(scene: Scene) -> None:
    scene.store = DownStore()
    assert scene.run() == ExitCode.STORED_LOCALLY
    assert scene.states()[-1] == "sealed"
    assert f"python -m probes.resume {scene.folders()[-1].run_id}" in scene.result.getvalue()
    assert "The run will be kept on this machine" in scene.shown.getvalue()


def test_a_conflicting_record_is_never_overwritten(scene: Scene) -> None:
    scene.store = OccupiedStore(scene.root.parent / "occupied")
    assert scene.run() == ExitCode.CONFLICT
    assert "exists with other bytes" in scene.shown.getvalue()


def interrupt_when(condition: Callable[[], bool], number: signal.Signals = signal.SIGINT) -> threading.Thread:
    def watch() -> None:
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            if condition():
                os.kill(os.getpid(), number)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def in_state(scene: Scene, state: str) -> Callable[[], bool]:
    return lambda: bool(scene.folders()) and state in scene.states()


def test_ctrl_c_while_deploying_stops_the_engine_and_measured_nothing(scene: Scene) -> None:
    scene.target.takes_s = 30
    thread = interrupt_when(lambda: ("monolithic", "running") in scene.target.switched)
    assert scene.run() == ExitCode.INTERRUPTED
    thread.join()
    assert scene.states() == ["planned", "deploying", "aborted"]
    assert scene.recorder.captures == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_measuring_keeps_the_samples(scene: Scene, number: signal.Signals) -> None:
    thread = interrupt_when(in_state(scene, "measuring"), number)
    assert scene.run(durations=Durations(0.3, 20, 0.05, 0, 5)) == ExitCode.ABORTED
    thread.join()
    assert scene.states()[-2:] == ["aborted", "sealed"]
    assert scene.manifest()["state"] == "aborted"
    samples = pl.read_parquet(scene.folders()[-1].sealed / "samples.parquet")
    assert samples.height >= 10
    assert scene.recorder.captures == {}


def test_ctrl_c_between_repetitions_keeps_the_complete_one(scene: Scene) -> None:
    thread = interrupt_when(in_state(scene, "collected"))
    assert scene.run(repetitions=2, durations=Durations(0.02, 0.2, 0.02, 5, 5)) == ExitCode.ABORTED
    thread.join()
    assert scene.manifest()["repetitions_done"] == 1
    assert scene.manifest()["metrics"]["inference_s"]["value"] == pytest.approx(0.004)


def test_ctrl_c_before_the_run_exists_leaves_nothing(scene: Scene) -> None:
    async def never(_self: object) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(10)
        return ""

    scene.cluster.uid = never.__get__(scene.cluster)  # type: ignore[method-assign]
    assert scene.run() == ExitCode.INTERRUPTED
    assert scene.folders() == []


def test_a_full_disk_seals_what_was_measured(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    write = RunFolder.write

    def full(self: RunFolder, name: str, payload: bytes) -> Path:
        if name.startswith("repetitions/001"):
            raise SpoolFull("The disk of the spool is full.", next_step="free space")
        return write(self, name, payload)

    monkeypatch.setattr(RunFolder, "write", full)
    assert scene.run(repetitions=2) == ExitCode.ABORTED
    assert "disk of the spool is full" in scene.shown.getvalue()
    assert (scene.manifest()["state"], scene.manifest()["reason"]) == ("aborted", "spool_full")
    assert scene.manifest()["repetitions_done"] == 1


def test_too_little_space_is_found_before_the_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "free_bytes", _one_megabyte)
    assert scene.run() == ExitCode.TARGET
    assert "1 MB free" in scene.shown.getvalue()


def test_a_capture_of_somebody_else_is_respected(scene: Scene) -> None:
    scene.recorder.captures["theirs"] = scene_capture()
    assert scene.run() == ExitCode.TARGET
    assert "busy with capture theirs" in scene.shown.getvalue()
    assert "theirs" in scene.recorder.captures


def test_a_capture_of_our_killed_run_is_ended(scene: Scene) -> None:
    killed = Spool(scene.root).create("0199-killed")
    scene.recorder.captures[f"{killed.run_id}-000"] = scene_capture()
    assert scene.run() == ExitCode.COMMITTED
    assert scene.recorder.captures == {}


def test_two_stacks_are_measured_in_turn_with_the_other_one_parked(scene: Scene) -> None:
    scene.target.known = {"monolithic": outputs_of(), "overlay": outputs_of("overlay")}
    assert scene.run(stacks=("monolithic", "overlay"), repetitions=2) == ExitCode.COMMITTED
    manifests = [folder.read_json("sealed/manifest.json") for folder in scene.folders()]
    assert {manifest["stack"] for manifest in manifests} == {"monolithic", "overlay"}
    assert len({manifest["campaign"] for manifest in manifests}) == 1
    assert all(manifest["repetitions_done"] == 2 for manifest in manifests)


def test_a_platform_is_refused(scene: Scene) -> None:
    nothing: dict[str, Any] = {"kind": "platform", "application": None, "recorder": None, "network": None}
    platform: StackOutputs = outputs_of("platform", **nothing)
    scene.target.known = {"platform": platform}
    assert scene.run() == ExitCode.USAGE
    assert "only experiments are measured" in scene.shown.getvalue()


def scene_capture() -> Any:
    return Capture(time.time_ns())


class DownStore:
    """A stand-in store that cannot be reached."""

    def address(self, key: str) -> str:
        """Name an object."""
        return f"s3://down/{key}"

    def check(self) -> None:
        """Fail."""
        raise StoreUnavailable("The S3 store cannot be reached.", next_step="start it")

    def put(self, key: str, payload: bytes) -> Proof:
        """Fail."""
        raise StoreUnavailable(f"{key} ({len(payload)} B) cannot be stored.", next_step="start it")

    def get(self, key: str) -> bytes:
        """Fail."""
        raise StoreUnavailable(f"{key} cannot be read.", next_step="start it")

    def list(self, prefix: str) -> tuple[str, ...]:
        """Fail."""
        raise StoreUnavailable(f"{prefix} cannot be listed.", next_step="start it")


class OccupiedStore(FolderStore):
    """A folder in which somebody has already taken every name."""

    def put(self, key: str, payload: bytes) -> Proof:
        """Find the name taken."""
        if key.endswith("samples.parquet"):
            super().put(key, b"other bytes")
        return super().put(key, payload)


def test_overlays_are_images_that_are_measured_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = outputs_of()
    assert outputs.application is not None
    (pod_placed,) = outputs.application.pods
    overlay = MountedOverlay(name="nodes", image=f"registry.invalid/nodes@sha256:{'b' * 64}", path="/opt/overlays/10")
    with_overlay = pod_placed.model_copy(update={"overlays": [overlay]})
    application = outputs.application.model_copy(update={"pods": [with_overlay]})
    scene.target = StandInTarget(scene.application, {"monolithic": outputs_of(application=application)})
    asked: list[list[str]] = []

    def measure(references: list[str], architecture: str) -> Any:
        asked.append(references)
        raise RegistryProblem("registry_unreachable", f"no registry on {architecture}")

    monkeypatch.setattr("probes.measurements.images._measure", measure)
    assert scene.run() == ExitCode.COMMITTED
    assert asked == [sorted([pod_placed.image, overlay.image])]
