"""A whole run without a cluster: the runner's own code, with processes instead of pods."""

import asyncio
import io
import json
import threading
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from probes.baseline.__main__ import read_platform
from probes.baseline.containers import ContainerPlan
from probes.baseline.groups import Group
from probes.baseline.local_world import LocalTarget, Start, baseline_outputs, connector, pod_object
from probes.cluster import is_ready
from probes.conclusion import run_campaign
from probes.console import Screen
from probes.errors import ExitCode, UsageError
from probes.phases import blockage_of
from probes.plan import Durations
from probes.pod_identity import pod_identities
from probes.registry import RegistryProblem
from probes.session import Request
from probes.spool import Spool
from probes.store import FolderStore
from probes.world import World
from stacks.outputs import MachineReaderEndpoint
from tests.probes.fake_readers import FakeReader, door
from tests.probes.standins import Deployment, StandInRecorder, outputs_of

PLATFORM = outputs_of(
    "shared",
    kind="platform",
    cluster_uid="none",
    pattern=None,
    application=None,
    recorder=None,
    network=None,
    machine_readers=MachineReaderEndpoint(namespace="ros2bench-shared-machines", labels={}, port=8090),
)
PLAN = ContainerPlan("application", "image", (), {}, {}, (), 18081)
SHORT = Durations(warmup_s=0.02, window_s=0.1, drain_s=0.02, cool_down_s=0.0, ready_timeout_s=5.0)


class StandInEngine:
    """Starts and ends the stand-in application, whose health it serves."""

    def __init__(self, application: Deployment, recorder: StandInRecorder) -> None:
        self.application = application
        self.crashes = False
        self.groups = False
        self._recorder = recorder
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if engine.application.since_ns else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def prepare(self, plans: Sequence[ContainerPlan]) -> None:
        """Nothing to do."""

    def start(self, plan: ContainerPlan) -> Group | None:
        """Begin to publish."""
        assert plan == PLAN
        if not self.crashes:
            self.application.start("baseline")
        uid = str(uuid.uuid4())
        return Group(uid, f"c-{uid}", ()) if self.groups else None

    def stop(self, name: str) -> None:
        """Fall silent."""
        assert name == PLAN.name
        self.application.stop()

    def is_running(self, name: str) -> bool:
        """Tell whether it publishes."""
        assert name == PLAN.name
        return self.application.since_ns is not None

    def said(self, name: str) -> str:
        """Give a log."""
        assert name == PLAN.name
        return "first line\nlast line\n"

    @asynccontextmanager
    async def address(self, port: int) -> AsyncGenerator[str]:
        """Give recorder or health."""
        yield self._recorder.address if port == 8080 else f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the health server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def run(
    tmp_path: Path, *, crashes: bool = False, groups: bool = False, **changes: Any
) -> tuple[ExitCode, list[dict[str, Any]], str]:
    """Do a campaign; gives exit code, manifests and what was shown."""
    application, shown = Deployment(), io.StringIO()
    with StandInRecorder(application) as recorder:
        engine = StandInEngine(application, recorder)
        engine.crashes, engine.groups = crashes, groups
        target = LocalTarget(engine, PLAN, baseline_outputs(outputs_of("monolithic"), 8080), PLATFORM)
        store = FolderStore(tmp_path / "store")
        screen = Screen(progress=Console(file=shown, width=300), result=Console(file=io.StringIO()))
        world = World(
            target, lambda: connector(engine, PLAN, target), Spool(tmp_path / "spool"), lambda _o, _r: store, screen
        )
        request: dict[str, Any] = {"repetitions": 2, "cycles": "install", "durations": SHORT, "seed": 1, "store": None}
        try:
            code = run_campaign(Request(("baseline",), **(request | changes)), world)
        finally:
            engine.close()
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "store").rglob("manifest.json")]
    return code, manifests, shown.getvalue()


@pytest.fixture(autouse=True)
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images' sizes are not what is tested."""

    def refuse(*_: object) -> None:
        raise RegistryProblem("registry_unreachable", "nobody is asked in tests")

    monkeypatch.setattr("probes.session.Registry", refuse)
    monkeypatch.setattr("probes.measurements.images.Registry", refuse)


def test_a_baseline_is_a_record_of_its_own_pattern(tmp_path: Path) -> None:
    code, manifests, shown = run(tmp_path)
    assert code == ExitCode.COMMITTED, shown
    (manifest,) = manifests
    assert (manifest["pattern"], manifest["stack"], manifest["state"]) == ("baseline", "baseline", "complete")
    assert 0 < manifest["metrics"]["install_s"]["value"] < 2
    assert manifest["metrics"]["inference_s"]["value"] == pytest.approx(0.004, rel=0.01)
    assert manifest["repetitions"][0]["clock"]["is_one_clock"]
    assert manifest["platform"] is None
    assert manifest["metrics"]["cpu_cores"]["missing"] == "no_platform"


def test_a_machine_reader_tells_what_the_nodes_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = FakeReader(foreign_cores=0.1)
    monkeypatch.setattr("probes.session.reader_door", door({"baseline": reader}))
    code, (manifest,), shown = run(tmp_path, groups=True, platform="shared", durations=replace(SHORT, window_s=0.5))
    assert code == ExitCode.COMMITTED, shown
    assert manifest["platform"] == "shared"
    assert manifest["metrics"]["cpu_cores"]["value"] == pytest.approx(0.5, rel=0.05)
    (quiet, _) = [gate for gate in manifest["gates"] if gate["name"] == "quiet_machine"]
    assert quiet["passed"]
    assert quiet["detail"] == "baseline 5% foreign load"
    assert len(reader.started) == 2
    assert reader.captures == {}


def test_the_machine_reader_is_reached_through_the_engine(tmp_path: Path) -> None:
    application = Deployment()
    with StandInRecorder(application) as recorder:
        engine = StandInEngine(application, recorder)
        target = LocalTarget(engine, PLAN, baseline_outputs(outputs_of(), 8080), PLATFORM)
        endpoint = MachineReaderEndpoint(namespace="machines", labels={}, port=8080)

        async def addresses() -> dict[str, str]:
            async with connector(engine, PLAN, target) as cluster, cluster.machine_readers(endpoint) as found:
                return found

        assert asyncio.run(addresses()) == {"baseline": recorder.address}
        engine.close()


def test_a_platform_without_machine_readers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = PLATFORM.model_copy(update={"machine_readers": None})
    told = {"stacks.describe": bare.model_dump_json(by_alias=True), "stacks.render": ""}

    def tell(module: str, *_: object) -> str:
        return told[module]

    monkeypatch.setattr("probes.baseline.__main__.stack_tool", tell)
    with pytest.raises(UsageError, match="has no machine readers") as refused:
        read_platform("shared", tmp_path)
    assert "Pulumi.shared.yaml" in refused.value.next_step


def test_nodes_that_end_by_themselves_end_the_run_with_what_they_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.phases.BLOCKED_FOR_S", 0.2)
    code, manifests, shown = run(tmp_path, crashes=True, repetitions=1)
    assert code == ExitCode.TARGET
    assert manifests == []
    assert "the bringup has ended: last line" in shown


def test_what_runs_looks_like_a_pod() -> None:
    pod = pod_object(PLAN, Start(5, None), is_ready=True, ended=None)
    assert is_ready(pod)
    assert blockage_of(pod) is None
    ended = blockage_of(pod_object(PLAN, Start(5, None), is_ready=False, ended=""))
    assert ended is not None
    assert "printed nothing" in ended.message


def test_a_container_in_a_group_of_its_own_is_known_by_it() -> None:
    group = Group(str(uuid.uuid4()), "a" * 64, ())
    (identity,) = pod_identities([pod_object(PLAN, Start(5, group), is_ready=True, ended=None)])
    assert (identity.uid, identity.machine, identity.label) == (group.pod_uid, "baseline", "application")
    assert [each.container_id for each in identity.containers] == ["a" * 64]


def test_updates_are_refused(tmp_path: Path) -> None:
    application = Deployment()
    with StandInRecorder(application) as recorder:
        engine = StandInEngine(application, recorder)
        target = LocalTarget(engine, PLAN, baseline_outputs(outputs_of(), 8080))
        with pytest.raises(UsageError, match="no update cycle"):
            target.preview("baseline")
        with pytest.raises(UsageError, match="no update cycle"):
            target.overriding((tmp_path,))
        engine.close()
