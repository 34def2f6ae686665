"""Calls to the machine reader: routes, signatures, and a whole reader of this machine."""

import ast
import base64
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.images.in_cluster import WORKSPACE, module

routing = module("ros2bench_machine_reader.routing")
configuration = module("ros2bench_machine_reader.configuration")
http_server = module("ros2bench_machine_reader.http_server")
capture_calls = module("ros2bench_machine_reader.capture_calls")
captures = module("ros2bench_machine_reader.captures")
extensions = module("ros2bench_machine_reader.extensions")
exposition = module("ros2bench_machine_reader.exposition")
signed_calls = module("ros2bench_service.signed_calls")
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OPERATOR = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
AUDIENCE = "machine-reader/here"
OPEN = ("/healthz", "/readyz", "/metrics", "/v1/clock", "/v1/status")


def settings(folder: Path, **changed: Any) -> dict[str, Any]:
    return {
        "contract": 1,
        "port": 18090,
        "network_port": 18091,
        "operator": OPERATOR,
        "period_s": 0.1,
        "cgroup_root": "/sys/fs/cgroup",
        "proc_root": "/proc",
        "sys_root": "/sys",
        "power": {"source": "none"},
        "captures": {"folder": str(folder / "captures"), "limit_bytes": 10_000_000},
        "allow": {"image_removal": False, "faults": False},
    } | changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contract": 2}, "contract is 2"),
        ({"port": 0}, "port is 0"),
        ({"port": True}, "port is True"),
        ({"operator": ""}, "operator is ''"),
        ({"period_s": 0.001}, "period_s is 0.001"),
        ({"period_s": "fast"}, "period_s is 'fast'"),
        ({"cgroup_root": "sys"}, "absolute path"),
        ({"power": "auto"}, "power is 'auto'"),
        ({"captures": "/captures"}, "captures is '/captures'"),
        ({"captures": {"folder": "/c", "limit_bytes": 0}}, "limit_bytes is 0"),
        ({"allow": {"everything": True}}, "allow is"),
        ({"allow": {"faults": "yes"}}, "allow is"),
        ({"containerd": 5}, "containerd is 5"),
        ({"runtime_state": "run"}, "absolute path"),
        ({"spy": 1}, "unknown keys ['spy']"),
    ],
)
def test_a_bad_setting_is_named_with_its_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = tmp_path / "machine-reader.json"
    file.write_text(json.dumps(settings(tmp_path, **change)))
    with pytest.raises(configuration.ConfigurationError) as refused:
        configuration.read_configuration(file)
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"), [(None, "cannot be read"), ("{", "is no JSON"), ("[]", "must hold an object")]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "machine-reader.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(configuration.ConfigurationError, match=said):
        configuration.read_configuration(file)


def test_good_settings_are_read(tmp_path: Path) -> None:
    found = configuration.parse_configuration(settings(tmp_path, containerd="/host/run/x.sock", allow={"faults": True}))
    assert (found.port, found.folder, found.limit_bytes) == (18090, tmp_path / "captures", 10_000_000)
    assert (found.containerd, found.allow_faults, found.allow_image_removal) == (Path("/host/run/x.sock"), True, False)


def queried(request: Any) -> Any:
    return routing.json_response(200, dict(request.query))


def named(request: Any) -> Any:
    return routing.json_response(200, dict(request.parts))


def repeated(request: Any) -> Any:
    return routing.json_response(200, request.content())


def failing(_: Any) -> Any:
    raise ConnectionRefusedError(111, "Connection refused")


ROUTES = {
    ("GET", "/v1/failing"): routing.Route(failing, open=True),
    ("GET", "/v1/open"): routing.Route(queried, open=True),
    ("GET", "/v1/things/{thing}"): routing.Route(named),
    ("POST", "/v1/things/{thing}/stop"): routing.Route(repeated),
}


def asked(method: str, target: str, *, body: bytes = b"", audience: str = AUDIENCE, **changed: Any) -> tuple[int, Any]:
    """Answer to a signed call."""
    time_ns, nonce = time.time_ns(), secrets.token_hex(16)
    content = signed_calls.signed_content(audience, method, target, body, time_ns=time_ns, nonce=nonce)
    signature = base64.b64encode(KEY.sign(content)).decode()
    header = f"ros2bench time_ns={time_ns},nonce={nonce},signature={signature}"
    fields = {"body": body, "authorization": header, "query": {"a": "b"}} | changed
    request = routing.Request(method, target, target.partition("?")[0], **fields)
    answer = http_server.answer(ROUTES, VERIFIER, request)
    return answer.status, json.loads(answer.body)


VERIFIER = signed_calls.CallVerifier(signed_calls.operator_key(OPERATOR), AUDIENCE)


def test_a_signed_call_reaches_its_route() -> None:
    assert asked("GET", "/v1/things/a%2Fb") == (200, {"thing": "a/b"})
    assert asked("POST", "/v1/things/x/stop", body=b'{"c": 1}') == (200, {"c": 1})
    assert asked("GET", "/v1/open?a=b", authorization=None) == (200, {"a": "b"})


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "Bearer x"}, 401),
        ({"audience": "machine-reader/elsewhere"}, 401),
        ({"audience": "recorder/here"}, 401),
        ({"target": "/v1/things"}, 404),
        ({"target": "/v1/things/x/y"}, 404),
        ({"method": "DELETE"}, 405),
    ],
)
def test_other_calls_are_refused_with_a_sentence(call: dict[str, Any], status: int) -> None:
    code, answer = asked(call.pop("method", "GET"), call.pop("target", "/v1/things/x"), **call)
    assert code == status
    assert len(answer["error"]) > 20


def test_an_answer_that_fails_is_500_with_its_traceback_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = asked("GET", "/v1/failing")
    assert status == 500
    assert "GET /v1/failing could not be answered: ConnectionRefusedError" in said["error"]
    assert "Traceback" in capsys.readouterr().err


def test_what_is_no_path_is_refused_by_the_server(reader: str) -> None:
    connection = http.client.HTTPConnection(reader, timeout=10)
    connection.putrequest("GET", "http://[/metrics", skip_host=True)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, "is no path" in json.loads(answer.read())["error"]) == (400, True)
    connection.close()


def test_a_body_must_be_what_the_call_wants() -> None:
    request = routing.Request("POST", "/x", "/x", body=b'{"a": 1, "z": 2}')
    with pytest.raises(routing.CallRefused, match="no b"):
        request.fields(("a", "b"))
    with pytest.raises(routing.CallRefused, match="unknown keys"):
        request.fields(("a",))
    with pytest.raises(routing.CallRefused, match="must be an object"):
        routing.Request("POST", "/x", "/x", body=b"[1]").fields(())
    assert request.fields(("a",), ("z",)) == {"a": 1, "z": 2}


@pytest.mark.parametrize(("name", "value"), [("offset", "-1"), ("offset", "x"), ("limit", "0"), ("limit", "9" * 20)])
def test_parts_of_series_are_asked_for_by_whole_numbers(tmp_path: Path, name: str, value: str) -> None:
    routes = capture_calls.extension(captures.Captures(tmp_path, 10_000, 0.1)).routes
    query = {"kind": "machine", name: value}
    request = routing.Request("GET", "/x", "/x", query=query, parts={"capture": "c"})
    with pytest.raises(routing.CallRefused, match=name):
        routes["GET", "/v1/captures/{capture}/series"].handler(request)


def test_the_text_for_prometheus_holds_what_is_known_and_escapes_names() -> None:
    rows = {
        "containers": [[1, 2, "u", "i", 1_500_000_000, 0, 0, 5, None, 7, None]],
        "power": [[1, 2, 'VDD "IN"\n', 5.5, None, True]],
    }
    lines = exposition.exposition(rows, 1_000_000_000).decode().splitlines()
    assert 'ros2bench_container_cpu_seconds_total{pod_uid="u",container_id="i"} 1.5' in lines
    assert 'ros2bench_machine_power_watts{rail="VDD \\"IN\\"\\n",is_total="true"} 5.5' in lines
    assert "ros2bench_machine_reader_cpu_seconds_total 1.0" in lines
    assert not [line for line in lines if "io_write" in line or "energy" in line or "None" in line]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A reader of this machine on the loopback address, without the calls that other modules add; its host and port."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "machine-reader.json").write_text(json.dumps(settings(folder)))
    program = (
        "import sys\n"
        "from ros2bench_machine_reader import extensions, http_server, machine_reader\n"
        "extensions.ROUTE_MODULES = ()\n"
        "def listen(routes, verifier, port):\n"
        "    server = http_server.listen(routes, verifier, 0, '127.0.0.1')\n"
        "    print(server.server_address[1], flush=True)\n"
        "    return server\n"
        "machine_reader.listen = listen\n"
        "sys.exit(machine_reader.main())\n"
    )
    environment = os.environ | {
        "PYTHONPATH": ":".join(map(str, sorted(WORKSPACE.iterdir()))),
        "ROS2BENCH_MACHINE": "here",
        "ROS2BENCH_ADDRESS": "192.0.2.7",
    }
    command = [sys.executable, "-c", program, str(folder / "machine-reader.json")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_every_module_that_adds_something_is_there_and_adds_it() -> None:
    package = WORKSPACE / "ros2bench_machine_reader" / "ros2bench_machine_reader"
    offers = dict.fromkeys(extensions.SOURCE_MODULES, "open_sources")
    offers |= dict.fromkeys(extensions.ROUTE_MODULES, "extension")
    for name, function in offers.items():
        tree = ast.parse((package / f"{name}.py").read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def ask(reader: str, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://{reader}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("path", OPEN)
def test_what_anybody_may_ask_is_answered(reader: str, path: str) -> None:
    status, body = ask(reader, path)
    assert (status, len(body) > 10) == (200, True)


def test_the_status_says_what_this_machine_offers(reader: str) -> None:
    status = json.loads(ask(reader, "/v1/status")[1])
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (status["contract"], status["boot_id"], status["machine"], status["address"]) == (
        1,
        boot_id,
        "here",
        "192.0.2.7",
    )
    assert set(status["sources"]) == {"containers", "processes", "machine", "power", "gpu"}
    assert status["sources"]["power"] == {"missing": "power_switched_off"}
    assert status["active_captures"] == []


@pytest.mark.parametrize("path", ["/v1/captures/x", "/v1/captures/x/series?kind=machine"])
def test_what_only_the_operator_may_ask_is_refused_to_others(reader: str, path: str) -> None:
    status, body = ask(reader, path)
    assert status == 401
    assert "signature" in json.loads(body)["error"]
