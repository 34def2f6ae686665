"""Stand-ins for what a run touches outside: a recorder speaking its HTTP contract, a cluster, a deployment engine.

They hold no measured numbers: the recorder's samples follow from the time at which the application "started".
"""
# ruff: noqa: D102, D105, ARG002 - methods and parameters are those of the protocols in probes/world.py

import asyncio
import copy
import json
import threading
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np

from probes.cluster import Machine, Permission
from probes.errors import ProbeError, TargetError, UsageError
from probes.phases import Sighting
from probes.provenance import boot_id
from probes.world import EngineInterrupted, TargetState
from stacks.outputs import (
    Application,
    MachineReaderEndpoint,
    MeasuredTopic,
    Network,
    PodPlacement,
    RecorderEndpoint,
    Records,
    StackOutputs,
)

RATE_HZ = 400.0
LATENCY_NS = 4_000_000
TOPIC = "/results"
CLUSTER_UID = "11111111-1111-4111-8111-111111111111"
IMAGE = f"registry.invalid:5000/ros2bench/application-monolithic@sha256:{'a' * 64}"


def outputs_of(stack: str = "monolithic", **changes: Any) -> StackOutputs:
    """Make the contract of an experiment."""
    fields: dict[str, Any] = {
        "contract": 1,
        "kind": "experiment",
        "stack": stack,
        "cluster_uid": CLUSTER_UID,
        "namespace": f"ros2bench-{stack}",
        "pattern": "monolithic",
        "state": "running",
        "application": Application(
            name="perception",
            pods=[PodPlacement(name="application", image=IMAGE, processes=[["camera"], ["monitor"]], replicas=1)],
            labels={"ros2bench/stack": stack, "app.kubernetes.io/component": "application"},
            topics=[
                MeasuredTopic(
                    name=TOPIC,
                    type="ros2bench_interfaces/msg/Result",
                    stamp="ros2bench",
                    expected_rate_hz=RATE_HZ,
                    is_result=True,
                )
            ],
            load={"rateHz": RATE_HZ},
        ),
        "recorder": RecorderEndpoint(
            namespace=f"ros2bench-{stack}", labels={"app.kubernetes.io/component": "recorder"}, port=8080
        ),
        "network": Network(domain_id=7, rmw="rmw_fastrtps_cpp", mode="pod", discovery="server", socket_buffer_bytes=1),
        "records": Records(bucket="records", endpoint="http://127.0.0.1:9", region="us-east-1", prefix=""),
        "registry": "registry.invalid:5000",
        "platform": None,
        "spec": {"pattern": "monolithic"},
    }
    return StackOutputs(**(fields | changes))


def machine(name: str = "edge", boot: str | None = None, *, is_ready: bool = True) -> Machine:
    """Make a machine; by default of this very kernel, as in a lab."""
    own = boot_id() if boot is None else boot
    return Machine(name, own, "6.1", "Debian", "amd64", "containerd://2.2.0", "v1.34.1", {"cpu": "2"}, is_ready)


def pod(stack: str, *, uid: str = "u1", is_ready: bool = True, **changes: Any) -> dict[str, Any]:
    """Make a pod object of an application."""
    running: dict[str, Any] = {"running": {}}
    return {
        "metadata": {
            "name": f"application-{uid}",
            "uid": uid,
            "labels": {
                "ros2bench/stack": stack,
                "app.kubernetes.io/component": "application",
                "app.kubernetes.io/name": "application",
            },
        },
        "spec": {"nodeName": "edge"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
            "containerStatuses": [{"restartCount": 0, "state": running, "image": IMAGE}],
        },
    } | changes


@dataclass
class Deployment:
    """Whether the application runs, and since when; shared by engine, cluster and recorder."""

    since_ns: int | None = None
    pods: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    silent: bool = False
    dropped: int = 0
    lost_frames: frozenset[int] = frozenset()

    def start(self, stack: str = "monolithic") -> None:
        """Bring up the pod and begin to publish."""
        self.pods = [pod(stack, uid=f"u{time.time_ns()}")]
        self.since_ns = time.time_ns()

    def stop(self) -> None:
        """Remove the pod and fall silent."""
        self.pods, self.since_ns = [], None

    def rows(self, start_ns: int, end_ns: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Give the samples that a recorder would have taken between two times."""
        if self.since_ns is None or self.silent:
            return np.empty((0, 8), dtype="<i8")
        frames = np.arange(0, max(0, int((end_ns - self.since_ns) * RATE_HZ / 1e9)) + 1)
        frames = np.array([frame for frame in frames if int(frame) not in self.lost_frames], dtype=np.int64)
        due = self.since_ns + (frames * (1e9 / RATE_HZ)).astype(np.int64)
        received = due + LATENCY_NS
        shift = time.time_ns() - time.monotonic_ns()
        columns = [frames, due, due + 2_000_000, due + 2_500_000, received, received + 100_000]
        table = np.stack([*columns, received + 100_000 - shift, frames], axis=1)
        return table[(received >= start_ns) & (received < end_ns)].astype("<i8")


@dataclass
class Capture:
    """One capture of the stand-in recorder."""

    started_ns: int
    stopped_ns: int | None = None


class StandInRecorder:
    """Serves the recorder's HTTP contract on a local port."""

    def __init__(self, application: Deployment) -> None:
        self.application = application
        self.captures: dict[str, Capture] = {}
        self.boot_id = boot_id()
        self.incompatible = False
        self.discovered: list[dict[str, Any]] = []
        self.broken_requests = 0
        self.gaps: list[list[int]] = []
        self.clock_ns = time.time_ns
        # A `CallVerifier` of the recorder image, for the tests of signatures.
        self.verifier: Any = None
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                recorder.answer(self)

            def do_POST(self) -> None:
                recorder.answer(self)

            def do_DELETE(self) -> None:
                recorder.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self.close()

    def close(self) -> None:
        self._server.server_close()

    @property
    def active(self) -> str | None:
        return next((name for name, capture in self.captures.items() if capture.stopped_ns is None), None)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.broken_requests:
            self.broken_requests -= 1
            request.close_connection = True
            return
        status, payload = self._checked(request)
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _checked(self, request: BaseHTTPRequestHandler) -> tuple[int, Any]:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        if self.verifier and "/captures" in request.path:
            try:
                self.verifier.check(request.headers.get("Authorization"), request.command, request.path, body)
            except Exception as problem:  # noqa: BLE001 - whatever the image's verifier says
                return 401, {"error": str(problem)}
        return self._route(request, body)

    def _route(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(request.path).path.strip("/").split("/")
        if parts == ["v1", "status"]:
            return 200, self.status()
        if parts == ["v1", "clock"]:
            return 200, {"received_ns": self.clock_ns(), "sent_ns": self.clock_ns()}
        if parts == ["v1", "captures"]:
            return self._start(json.loads(body)["capture"])
        if parts[2] not in self.captures:
            return 404, {"error": f"there is no capture {parts[2]}."}
        return self._existing(request, parts[2], parts[3:])

    def _start(self, name: str) -> tuple[int, Any]:
        if self.active:
            return 409, {"error": f"capture {self.active} is active."}
        self.captures[name] = Capture(time.time_ns())
        return 201, {"capture": name, "started_ns": self.captures[name].started_ns}

    def _existing(self, request: BaseHTTPRequestHandler, name: str, rest: list[str]) -> tuple[int, Any]:
        if request.command == "DELETE":
            del self.captures[name]
            return 204, b""
        capture = self.captures[name]
        if rest == ["stop"] and capture.stopped_ns is None:
            capture.stopped_ns = time.time_ns()
        rows = self.application.rows(capture.started_ns, capture.stopped_ns or time.time_ns())
        if rest == ["samples"]:
            query = {name: values[-1] for name, values in parse_qs(urlsplit(request.path).query).items()}
            offset, limit = int(query.get("offset", "0")), int(query.get("limit", "1000000"))
            return 200, rows[offset : offset + limit].tobytes() if query["topic"] == TOPIC else b""
        return 200, self._capture(name, capture, rows)

    def _capture(self, name: str, capture: Capture, rows: Any) -> dict[str, Any]:
        return {
            "capture": name,
            "active": capture.stopped_ns is None,
            "started_ns": capture.started_ns,
            "stopped_ns": capture.stopped_ns,
            "samples": {TOPIC: len(rows)},
            "first": {TOPIC: rows[0].tolist() if len(rows) else None},
            "last": {TOPIC: rows[-1].tolist() if len(rows) else None},
            "dropped": {TOPIC: self.application.dropped},
            "gaps": self.gaps,
            "cpu_ns": 1_000_000,
        }

    def status(self) -> dict[str, Any]:
        publisher = {"node": "monitor", "reliability": "best_effort", "depth": 1, "incompatible": True}
        return {
            "contract": 1,
            "boot_id": self.boot_id,
            "machine": "edge",
            "domain_id": 7,
            "rmw": "rmw_fastrtps_cpp",
            "loop": "waitset",
            "started_ns": 1,
            "cpu_ns": 1,
            "rss_bytes": 1,
            "topics": [
                {
                    "name": TOPIC,
                    "type": "ros2bench_interfaces/msg/Result",
                    "received_total": 0,
                    "publishers": [publisher] if self.incompatible else [],
                }
            ],
            "nodes": ["/monitor"] if self.incompatible else [],
            "discovered": self.discovered,
            "active_capture": self.active,
        }


class StandInTarget:
    """Switches the application without an engine; `fails_with` and `takes_s` shape what `up` does."""

    def __init__(self, application: Deployment, stacks: Mapping[str, StackOutputs]) -> None:
        self.application = application
        self.known = stacks
        self.switched: list[tuple[str, str]] = []
        self.fails_with: TargetError | None = None
        self.takes_s = 0.02
        self._stopped = threading.Event()
        self.restored: list[str] = []
        self.overrides: tuple[Path, ...] = ()
        self.overridden: list[tuple[Path, ...]] = []
        self.previewed = '{"steps": []}'

    def restore(self, stack: str) -> None:
        self.restored.append(stack)

    def preview(self, stack: str) -> str:
        return self.previewed

    def overriding(self, files: tuple[Path, ...]) -> "StandInTarget":
        other = copy.copy(self)
        other.overrides = (*self.overrides, *files)
        return other

    def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in self.known:
                raise UsageError(f"There is no stack {name!r}; stacks that exist: {', '.join(self.known)}.")
        return names or (next(iter(self.known)),)

    def outputs(self, stack: str) -> StackOutputs:
        return self.known[stack]

    def switch(self, stack: str, state: TargetState) -> None:
        self.switched.append((stack, state))
        self.overridden.append(self.overrides)
        if self._stopped.wait(self.takes_s if state == "running" else 0):
            raise EngineInterrupted
        if self.fails_with and state == "running":
            raise self.fails_with
        if state == "running":
            self.application.start(stack)
        else:
            self.application.stop()

    def interrupt(self) -> None:
        self._stopped.set()


class StandInCluster:
    """A cluster that holds the application's pods and leads to the stand-in recorder."""

    def __init__(self, application: Deployment, recorder: StandInRecorder) -> None:
        self.application = application
        self._recorder = recorder
        self.context = "stand-in"
        self.cluster_uid = CLUSTER_UID
        self.refused: list[Permission] = []
        self.other_pods: list[dict[str, Any]] = []
        self.known_machines = [machine()]
        outputs = outputs_of().application
        assert outputs
        self.held_images = frozenset(image for pod in outputs.pods for image in pod.images())
        self.happened: list[dict[str, Any]] = []
        self.waiting_pod: dict[str, Any] | None = None
        self.known_claims: dict[str, dict[str, str]] = {}
        self.reader_addresses: dict[str, str] = {}
        self.recommended: list[dict[str, Any]] | ProbeError = []

    async def uid(self) -> str:
        return self.cluster_uid

    async def pods(self, namespace: str | None, labels: Mapping[str, str] | str) -> list[dict[str, Any]]:
        return self.application.pods + (self.other_pods if namespace is None else [])

    async def machines(self) -> list[Machine]:
        return self.known_machines

    async def images(self) -> frozenset[str]:
        return self.held_images

    async def events(self, namespace: str) -> list[dict[str, Any]]:
        return self.happened

    async def denied(self, permissions: tuple[Permission, ...]) -> list[Permission]:
        return self.refused

    async def watch_pods(
        self, namespace: str, labels: Mapping[str, str], established: asyncio.Event
    ) -> AsyncGenerator[Sighting]:
        established.set()
        seen: list[Any] = []
        while True:
            for item in [*self.application.pods, *([self.waiting_pod] if self.waiting_pod else [])]:
                if item not in seen:
                    seen.append(item)
                    yield Sighting(time.time_ns(), "ADDED", item)
            await asyncio.sleep(0.01)

    async def claims(self, namespace: str) -> dict[str, dict[str, str]]:
        return self.known_claims

    async def recommendations(self, namespace: str) -> list[dict[str, Any]]:
        if isinstance(self.recommended, ProbeError):
            raise self.recommended
        return self.recommended

    async def delete_claim(self, namespace: str, name: str) -> None:
        del self.known_claims[name]

    @asynccontextmanager
    async def machine_readers(self, endpoint: MachineReaderEndpoint) -> AsyncGenerator[dict[str, str]]:
        yield self.reader_addresses

    @asynccontextmanager
    async def recorder(self, endpoint: RecorderEndpoint) -> AsyncGenerator[str]:
        yield self._recorder.address
