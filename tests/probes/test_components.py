"""`python -m probes.components`: signed calls, sentences and exit codes, with the container's own policy behind."""

import json
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probes import components
from probes.component_calls import container_of
from probes.errors import ExitCode, UsageError
from probes.signing import operator_key
from signing.keys import public_text
from stacks.outputs import Application, ComponentContainer, PodPlacement, StackOutputs
from tests.images.composing import FakeHost, audit, last_good, limits, manager, manifest, manifest_of, write_package
from tests.images.in_cluster import module
from tests.probes.standins import Deployment, StandInTarget, outputs_of

signature = module("ros2bench_composition.signature")
request = module("ros2bench_composition.request")
relay = module("ros2bench_recorder.components")


def composition(public_key: str, *names: str) -> StackOutputs:
    pods = [
        PodPlacement(
            name=f"pod{number}",
            image="registry.invalid/a@sha256:" + "a" * 64,
            processes=[["arm"]],
            replicas=1,
            component_container=ComponentContainer(
                name=name, process="per-component", executor="single", public_key=public_key
            ),
        )
        for number, name in enumerate(names)
    ]
    application = Application(name="perception", pods=pods, labels={}, topics=[], load={})
    return outputs_of("composition", pattern="composition", application=application)


class InProcess:
    """A relay's connection that leads straight to a manager."""

    def __init__(self, decides: Any) -> None:
        self._decides = decides

    def call(self, service: str, content: dict[str, Any]) -> dict[str, Any]:
        """Do as the services of the container do."""
        if service == "list_nodes":
            names = self._decides.names()
            return {"unique_ids": list(names), "full_node_names": list(names.values())}
        if service == "unload_signed":
            asked = request.UnloadRequest(*(content[key] for key in ("unique_id", "nonce", "time_ns", "signature")))
            answer = self._decides.unload(asked, is_signed=True)
            return {"success": answer.success, "error_message": answer.error_message}
        extra = [(f"ros2bench.{key}", content[key]) for key in ("nonce", "time_ns", "signature")]
        asked = request.LoadRequest(
            package=content["package"],
            plugin=content["plugin"],
            node=content["node"],
            namespace=content["namespace"],
            log_level=content["log_level"],
            remap=content["remap"],
            parameters=list(content["parameters"].items()),
            extra=extra,
        )
        return vars(self._decides.load(asked))

    def is_alive(self) -> bool:
        """It lives in this process."""
        return True

    def close(self) -> None:
        """Nothing to leave."""


class Recorder:
    """Serves the recorder's relay on a local port."""

    def __init__(self, decides: Any) -> None:

        def connect(container: str) -> InProcess:
            assert container == "/perception"
            return InProcess(decides)

        passing = relay.Relay(connect)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    status, said = 200, passing.answer(self.path.rpartition("/")[2], content)
                except relay.RelayError as error:
                    status, said = error.status, {"error": str(error)}
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._passing = passing
        self._thread.start()

    @asynccontextmanager
    async def recorder(self, endpoint: Any) -> AsyncGenerator[str]:
        """As the cluster forwards it."""
        assert endpoint.port == 8080
        yield f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._passing.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> Generator[dict[str, StackOutputs]]:
    monkeypatch.setenv("ROS2BENCH_SIGNING_KEY", str(tmp_path / "key.pem"))
    public_key = public_text(operator_key(tmp_path / "key.pem"))
    write_package(tmp_path)
    listed = manifest.parse_manifest(manifest_of(tmp_path, {"speed": "double"}))
    decides = manager.Manager(
        "/perception",
        manifest=listed,
        limits=limits.Limits(),
        host=host,
        authority=signature.Authority(signature.public_key(public_key)),
        caller="key",
        audit=audit.Audit("/perception", "m", bytes.strip),
        last_good=last_good.LastGood(tmp_path / "good.json", "c"),
    )
    decides.start([])
    recorder = Recorder(decides)

    @asynccontextmanager
    async def connect() -> AsyncGenerator[Recorder]:
        yield recorder

    known = {
        "composition": composition(public_key, "/perception"),
        "other-key": composition("AAAA", "/perception"),
        "monolithic": outputs_of(),
    }
    monkeypatch.setattr(components, "connect", connect)
    monkeypatch.setattr(components, "PulumiTarget", lambda: StandInTarget(Deployment(), known))
    monkeypatch.setenv("COLUMNS", "200")
    yield known
    recorder.close()


def type_in(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(components.app, [*words], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def test_load_list_swap_unload_as_typed(stacks: dict[str, StackOutputs], host: FakeHost) -> None:
    arm = ("arm_nodes.arm.Arm", "-s", "composition")
    assert type_in("load", *arm, "--node", "/left/arm", "-p", "speed=2") == (0, "loaded /left/arm as 1\n", "")
    assert type_in("load", *arm, "--node", "arm")[1] == "loaded /arm as 2\n"
    code, table, _ = type_in("list", "-s", "composition")
    assert (code, [line.split() for line in table.splitlines()]) == (
        0,
        [["id", "node"], ["1", "/left/arm"], ["2", "/arm"]],
    )
    code, said, _ = type_in("swap", "/left/arm", *arm, "-p", "speed=0.5")
    assert code == 0
    assert said.startswith("swapped /left/arm, now 3\n")
    assert [line.split()[0] for line in said.splitlines()[2:]] == ["unload", "load"]
    assert host.running[3].parameters == {"speed": 0.5}
    assert host.running[3].full_name == "/left/arm"
    assert type_in("unload", "/arm", "-s", "composition") == (0, "unloaded /arm (2)\n", "")
    assert list(host.running) == [3]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("load", "evil.arm.Arm", "--node", "a"), ExitCode.TARGET, "not in the manifest of this image"),
        (("load", "arm_nodes.arm.Arm", "--node", "a", "-p", "speed=fast"), ExitCode.TARGET, "(parameter_type)"),
        (("load", "arm_nodes.arm.Arm", "--node", "a", "-p", "speed"), ExitCode.USAGE, "no NAME=VALUE"),
        (("load", "arm_nodes.arm.Arm", "--node", "a", "-p", "speed={}"), ExitCode.USAGE, "none that ROS has"),
        (("load", "arm_nodes.arm.Arm", "--node", "a", "-p", "x=1", "-p", "x=2"), ExitCode.USAGE, "given twice"),
        (("load", "arm_nodes.arm.Arm", "--node", "a", "-p", "speed=[]"), ExitCode.TARGET, "parameter"),
        (("unload", "nobody"), ExitCode.USAGE, "no component 'nobody'; it holds nothing"),
        (("swap", "nobody", "arm_nodes.arm.Arm"), ExitCode.USAGE, "it holds nothing"),
        (("list", "--container", "/none"), ExitCode.USAGE, "choices: /perception"),
        (("list", "-s", "monolithic"), ExitCode.USAGE, "has no component container"),
        (("list", "-s", "none"), ExitCode.USAGE, "There is no stack 'none'"),
        (("list", "-s", "other-key"), ExitCode.USAGE, "obeys the key AAAA"),
    ],
)
def test_refusal_is_a_sentence_and_an_exit_code(
    stacks: dict[str, StackOutputs], words: tuple[str, ...], code: ExitCode, sentence: str
) -> None:
    stack = () if "-s" in words else ("-s", "composition")
    exit_code, said, problem = type_in(*words, *stack)
    assert (exit_code, said) == (code, "")
    assert sentence in problem
    assert "Traceback" not in problem


def test_one_of_several_containers_is_named() -> None:
    outputs = composition("k", "/left", "/right")
    assert container_of(outputs, "right").name == "/right"
    with pytest.raises(UsageError, match="several component containers: /left, /right"):
        container_of(outputs, None)


def test_parameters_are_read_as_yaml() -> None:
    texts = ["a=1", "b=1.5", "c=true", "d=hello", "e='1'", "f=[1, 2]", "g=x=y", "h=1.0"]
    read = components.parse_parameters(texts)
    assert read == {"a": 1, "b": 1.5, "c": True, "d": "hello", "e": "1", "f": [1, 2], "g": "x=y", "h": 1.0}
    assert isinstance(read["h"], float)
