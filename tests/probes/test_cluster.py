"""The cluster's client against a stand-in API server: what is asked, and how each failure is said."""

import asyncio
import contextlib
import json
import logging
import logging.handlers
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from probes import cluster
from probes.cluster import KubernetesCluster, Permission, connect, described_kubeconfig
from probes.errors import TargetError
from probes.phases import Sighting
from stacks.outputs import MachineReaderEndpoint, RecorderEndpoint
from tests.probes.standins import pod

Answer = TypeVar("Answer")


class StandInServer:
    """Answers the few calls that a run makes."""

    def __init__(self) -> None:
        self.watches: list[list[dict[str, Any]]] = []
        self.status = 200
        self.pods = [pod("monolithic")]
        self.queries: list[dict[str, list[str]]] = []
        self.deleted: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.get(self)

            def do_DELETE(self) -> None:
                outer.deleted.append(urlsplit(self.path).path)
                outer.reply(self, {"kind": "Status", "status": "Success"})

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = review["spec"]["resourceAttributes"]
                outer.reply(self, {"status": {"allowed": asked["resource"] != "events"}})

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def address(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def get(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a GET."""
        url = urlsplit(request.path)
        self.queries.append(parse_qs(url.query))
        if "watch" in self.queries[-1]:
            lines = self.watches.pop(0) if self.watches else []
            body = "".join(json.dumps(line) + "\n" for line in lines)
            self.send(request, 200, body.encode())
            return
        kind = url.path.rstrip("/").rpartition("/")[2]
        uid = {"metadata": {"name": "kube-system", "uid": "the-uid"}}
        self.reply(
            request,
            {
                "version": {"gitVersion": "v1.34.1"},
                "namespaces": {"items": [uid]},
                "pods": {"items": self.pods},
                "nodes": {"items": [node("cloud"), node("edge")]},
                "events": {"items": []},
                "persistentvolumeclaims": {"items": [{"metadata": {"name": "maps", "labels": {"a": "b"}}}]},
            }[kind],
        )

    def reply(self, request: BaseHTTPRequestHandler, value: Any) -> None:
        """Send a JSON answer, or the status that the test wants."""
        if self.status != 200 and "version" not in request.path:
            self.send(request, self.status, json.dumps({"message": "not allowed"}).encode())
            return
        self.send(request, 200, json.dumps(value).encode())

    def send(self, request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        """Send bytes."""
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def node(name: str) -> dict[str, Any]:
    info = {
        "bootID": "boot",
        "kernelVersion": "6.1",
        "osImage": "Debian",
        "architecture": "amd64",
        "containerRuntimeVersion": "containerd://2.2.0",
        "kubeletVersion": "v1.34.1",
    }
    ready = {"type": "Ready", "status": "True"}
    return {
        "metadata": {"name": name},
        "status": {
            "nodeInfo": info,
            "conditions": [ready],
            "allocatable": {"cpu": "1"},
            # An image without a name is one whose tag was given to another.
            "images": [
                {"names": [f"registry/of-{name}@sha256:1", "registry/both:1"], "sizeBytes": 1},
                {"sizeBytes": 2},
            ],
        },
    }


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[StandInServer]:
    standin = StandInServer()
    write_kubeconfig(tmp_path / "kubeconfig", standin.address)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield standin
    standin.close()


def write_kubeconfig(path: Path, address: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
    }
    path.write_text(json.dumps(config))


def ask(question: Callable[[KubernetesCluster], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        async with connect() as connected:
            return await question(connected)

    return asyncio.run(run())


def test_identity_machines_and_pods_are_read(server: StandInServer) -> None:
    async def read(connected: KubernetesCluster) -> tuple[str, str, list[str], int]:
        machines = [machine.name for machine in await connected.machines()]
        pods = await connected.pods("ns", {"a": "b"})
        return connected.context, await connected.uid(), machines, len(pods)

    assert ask(read) == ("here", "the-uid", ["cloud", "edge"], 1)
    assert ["a=b"] in [query.get("labelSelector") for query in server.queries]


def test_images_are_those_of_any_machine(server: StandInServer) -> None:
    found = ask(lambda connected: connected.images())
    assert found == {"registry/of-cloud@sha256:1", "registry/of-edge@sha256:1", "registry/both:1"}


def test_refused_permissions_are_found(server: StandInServer) -> None:
    wanted = (Permission("list", "pods", namespace="ns"), Permission("list", "events", namespace="ns"))
    assert ask(lambda connected: connected.denied(wanted)) == [wanted[1]]
    assert str(Permission("create", "pods", "portforward", "ns")) == "create pods/portforward in namespace ns"


def test_a_watch_that_the_server_ends_is_taken_up_again(server: StandInServer) -> None:
    server.watches = [
        [{"type": "ADDED", "object": pod("monolithic", uid="a")}],
        [{"type": "ERROR", "object": {"kind": "Status", "code": 410}}],
        [{"type": "MODIFIED", "object": pod("monolithic", uid="b")}],
    ]

    async def two(connected: KubernetesCluster) -> list[Sighting]:
        seen: list[Sighting] = []
        established = asyncio.Event()
        async with contextlib.aclosing(connected.watch_pods("ns", {"a": "b"}, established)) as sightings:
            async for sighting in sightings:
                assert established.is_set()
                seen.append(sighting)
                if len(seen) == 2:
                    break
        return seen

    seen = ask(two)
    assert [(item.kind, item.pod["metadata"]["uid"]) for item in seen] == [("ADDED", "a"), ("MODIFIED", "b")]
    assert seen[0].arrived_ns <= seen[1].arrived_ns


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_names_server_and_call_and_no_secret(server: StandInServer, status: int) -> None:
    server.status = status
    with pytest.raises(TargetError, match=f"refused to list pods: {status}") as caught:
        ask(lambda connected: connected.pods("ns", {"a": "b"}))
    assert server.address in caught.value.message
    assert "secret-token" not in str(caught.value)


def test_a_cluster_out_of_reach_is_named_with_server_context_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with pytest.raises(TargetError, match=r"cannot be reached: tried to connect at http://127\.0\.0\.1:9") as caught:
        ask(lambda connected: connected.uid())
    assert "context 'here'" in caught.value.message
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("content", [None, "", "not: [yaml", "contexts: 3"])
def test_a_kubeconfig_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "kubeconfig").write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    assert described_kubeconfig() == f"the cluster of kubeconfig {tmp_path / 'kubeconfig'}"
    with pytest.raises(TargetError, match="kubeconfig") as caught:
        ask(lambda connected: connected.uid())
    assert caught.value.exit_code == 4


def test_no_ready_recorder_is_said_with_what_was_found(server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "READY_WAIT_S", 0.05)
    monkeypatch.setattr(cluster, "READY_POLL_S", 0.01)
    server.pods = [pod("monolithic", is_ready=False)]

    async def forward(connected: KubernetesCluster) -> None:
        async with connected.recorder(RecorderEndpoint(namespace="ns", labels={"x": "y"}, port=1)):
            pytest.fail("there is no recorder")

    with pytest.raises(TargetError, match="No ready recorder pod in namespace ns"):
        ask(forward)


def test_a_recorder_that_is_about_to_be_ready_is_waited_for(
    server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "READY_POLL_S", 0.01)
    monkeypatch.setattr("probes.cluster.forwarded", at_port)
    server.pods = [pod("recorder", is_ready=False)]
    threading.Timer(0.1, lambda: setattr(server, "pods", [pod("recorder")])).start()

    async def forward(connected: KubernetesCluster) -> str:
        async with connected.recorder(RecorderEndpoint(namespace="ns", labels={"x": "y"}, port=1)) as address:
            return address

    assert ask(forward) == "http://127.0.0.1:40001"


@contextlib.asynccontextmanager
async def at_port(forward: Any) -> AsyncGenerator[int]:
    yield 40_000 + forward.remote_port


class HangingPortForward:
    """A stand-in port-forward whose connections never end by themselves, as the real one's do."""

    async def __aenter__(self) -> int:
        """Listen."""
        self._server = await asyncio.start_server(self._sync_sockets, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        """Stop listening; open connections stay."""
        self._server.close()

    async def _sync_sockets(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            writer.close()


@pytest.fixture
def logged() -> Generator[logging.handlers.BufferingHandler]:
    handler = logging.handlers.BufferingHandler(capacity=1000)
    handler.setLevel(logging.ERROR)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_open_connection_leaves_no_traceback_behind(
    logged: logging.handlers.BufferingHandler, interrupted: bool
) -> None:
    async def use() -> None:
        async with cluster.forwarded(HangingPortForward()) as port:  # type: ignore[arg-type]
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.02)
            writer.close()
            if interrupted:
                raise asyncio.CancelledError

    if interrupted:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(use())
    else:
        asyncio.run(use())
    assert logged.buffer == []


def test_claims_of_storage_are_listed_and_deleted(server: StandInServer) -> None:
    assert ask(lambda found: found.claims("ros2bench-monolithic")) == {"maps": {"a": "b"}}
    ask(lambda found: found.delete_claim("ros2bench-monolithic", "maps"))
    assert server.deleted == ["/api/v1/namespaces/ros2bench-monolithic/persistentvolumeclaims/maps"]
    server.status = 403
    with pytest.raises(TargetError, match="refused to delete persistentvolumeclaim maps"):
        ask(lambda found: found.delete_claim("ros2bench-monolithic", "maps"))


def test_only_ready_machine_readers_are_forwarded(server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.cluster.forwarded", at_port)
    server.pods = [pod("platform"), pod("platform", uid="u2", is_ready=False, spec={"nodeName": "cloud"})]
    endpoint = MachineReaderEndpoint(namespace="ros2bench-platform", labels={"a": "b"}, port=8090)

    async def addresses(found: KubernetesCluster) -> dict[str, str]:
        async with found.machine_readers(endpoint) as reached:
            return reached

    assert ask(addresses) == {"edge": "http://127.0.0.1:48090"}
