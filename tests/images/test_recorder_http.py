"""Routes of the recorder, over a real socket where the protocol matters."""

import http.client
import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probes.signing import CallSigner
from tests.images.in_cluster import module

http_api = module("ros2bench_recorder.http_api")
captures = module("ros2bench_recorder.captures")
sample = module("ros2bench_recorder.sample")
signed_calls = module("ros2bench_service.signed_calls")
components = module("ros2bench_recorder.components")

TOPIC = "/results"
SIGNER = CallSigner(Ed25519PrivateKey.generate(), "recorder/here")


class Replaceable:
    """Hands every call on to captures that each test makes anew."""

    def __init__(self) -> None:
        self.current: Any = None

    def __getattr__(self, name: str) -> Any:
        """Whatever the current captures have."""
        return getattr(self.current, name)


class StandInContainer:
    """A component container that holds one camera and refuses to load another."""

    closed = 0

    def __init__(self, container: str) -> None:
        self.killed = False
        if container != "/perception":
            raise components.RelayError(404, f"nobody offers {container}/_container/list_nodes in domain 7")

    def call(self, service: str, content: dict[str, Any]) -> dict[str, Any]:
        """Answer as a container would."""
        if service == "list_nodes":
            return {"unique_ids": [1], "full_node_names": ["/camera"]}
        if service == "load_node":
            message = f"duplicate_name: {content['node']}"
            return {"success": False, "error_message": message, "full_node_name": "", "unique_id": 0}
        return {"success": service == "unload_signed", "error_message": ""}

    def is_alive(self) -> bool:
        """Until a test kills it."""
        return not self.killed

    def close(self) -> None:
        """Count."""
        StandInContainer.closed += 1


class Unwilling:
    """Metrics that fail while a test wants it."""

    error: Exception | None = None

    def text(self) -> bytes:
        """The text for Prometheus, or an error."""
        if self.error is not None:
            raise self.error
        return b"ros2bench_messages_total 1.0\n"


METRICS = Unwilling()


def health(path: str) -> tuple[int, str]:
    return (200, "recording") if path == "/healthz" else (503, "not yet")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Replaceable, int]]:
    store = Replaceable()
    api = http_api.Api(
        store,
        signed_calls.CallVerifier(SIGNER.key.public_key(), SIGNER.audience),
        status=lambda: {"contract": 1},
        metrics=METRICS.text,
        health=health,
        relay=components.Relay(StandInContainer, linger_s=0.2),
    )
    running = http_api.listen(api, 0)
    yield store, running.server_address[1]
    running.shutdown()
    running.server_close()


@pytest.fixture
def store(server: tuple[Replaceable, int], tmp_path: Path) -> Any:
    server[0].current = captures.Captures(tmp_path, 10_000_000, [TOPIC])
    return server[0].current


@pytest.fixture
def connection(store: Any, server: tuple[Replaceable, int]) -> Iterator[http.client.HTTPConnection]:
    client = http.client.HTTPConnection("127.0.0.1", server[1], timeout=5)
    yield client
    client.close()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    content: Any = None,
    signer: CallSigner | None = SIGNER,
) -> tuple[int, Any]:
    body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
    signed = signer and signer.authorization(method, path, body or b"", time.time_ns())
    connection.request(method, path, body, {"Authorization": signed} if signed else {})
    answer = connection.getresponse()
    said = answer.read()
    is_json = answer.getheader("Content-Type") == "application/json" and said
    return answer.status, json.loads(said) if is_json else said


def test_a_capture_from_start_to_deletion(connection: http.client.HTTPConnection, store: Any) -> None:
    status, started = ask(connection, "POST", "/v1/captures", {"capture": "run-1", "max_samples": 10})
    assert status == 201
    assert started["capture"] == "run-1"
    store.add(0, sample.Sample(*range(8)))
    assert ask(connection, "POST", "/v1/captures", {"capture": "run-2", "max_samples": 10})[0] == 409
    status, state = ask(connection, "GET", "/v1/captures/run-1")
    assert (status, state["active"], state["samples"]) == (200, True, {TOPIC: 1})
    status, state = ask(connection, "POST", "/v1/captures/run-1/stop")
    assert (status, state["active"]) == (200, False)
    assert state["first"] == {TOPIC: list(range(8))}
    for query, count in (("", 1), ("&offset=0&limit=5", 1), ("&offset=1", 0), ("&limit=0", 0)):
        status, rows = ask(connection, "GET", f"/v1/captures/run-1/samples?topic=%2Fresults{query}")
        assert (status, list(struct.iter_unpack("<8q", rows))) == (200, [tuple(range(8))] * count)
    assert ask(connection, "DELETE", "/v1/captures/run-1") == (204, b"")
    assert ask(connection, "GET", "/v1/captures/run-1")[0] == 404


def test_clock_lies_between_question_and_answer(connection: http.client.HTTPConnection) -> None:
    asked_ns = time.time_ns()
    status, clock = ask(connection, "GET", "/v1/clock")
    answered_ns = time.time_ns()
    assert status == 200
    assert asked_ns <= clock["received_ns"] <= clock["sent_ns"] <= answered_ns


def test_health_status_and_metrics(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "GET", "/healthz") == (200, {"status": "recording"})
    assert ask(connection, "GET", "/readyz") == (503, {"error": "not yet"})
    assert ask(connection, "GET", "/v1/status") == (200, {"contract": 1})
    assert ask(connection, "GET", "/metrics") == (200, b"ros2bench_messages_total 1.0\n")


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("GET", "/nothing", None, 404, "nothing at /nothing"),
        ("POST", "/metrics", None, 405, "choices: GET"),
        ("GET", "/v1/captures", None, 405, "choices: POST"),
        ("PUT", "/v1/captures/x", None, 405, "choices: GET, DELETE"),
        ("POST", "/v1/captures", b"{", 400, "no JSON"),
        ("POST", "/v1/captures", {"capture": "x"}, 400, "max_samples"),
        ("POST", "/v1/captures", {"capture": "a/b", "max_samples": 1}, 400, "letters"),
        ("POST", "/v1/captures/none/stop", None, 404, "no capture 'none'"),
        ("GET", "/v1/captures/none/samples?topic=/results", None, 404, "no capture"),
        ("GET", "/v1/captures/none/samples?topic=/results&offset=-1", None, 400, "offset is '-1'"),
        ("GET", "/v1/captures/none/samples?topic=/results&limit=9999999999999999", None, 400, "whole number"),
        ("POST", "/v1/captures", b" " * 70_000, 413, "70000 bytes"),
    ],
)
def test_refusals_are_sentences(
    connection: http.client.HTTPConnection, method: str, path: str, content: Any, status: int, words: str
) -> None:
    answered, said = ask(connection, method, path, content)
    assert answered == status
    assert words in said["error"]


def test_an_answer_that_fails_is_500_and_one_record(
    connection: http.client.HTTPConnection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(METRICS, "error", KeyError("topic"))
    status, said = ask(connection, "GET", "/metrics")
    assert status == 500
    assert "GET /metrics could not be answered: KeyError" in said["error"]
    assert "KeyError: 'topic'" in capsys.readouterr().err
    monkeypatch.undo()
    # The connection is still of use.
    assert ask(connection, "GET", "/metrics")[0] == 200


def test_what_is_no_path_is_refused(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("GET", "http://[/metrics", skip_host=True)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, "is no path" in json.loads(answer.read())["error"]) == (400, True)


CALLS = [
    ("POST", "/v1/captures", {"capture": "x", "max_samples": 1}),
    ("GET", "/v1/captures/x", None),
    ("POST", "/v1/captures/x/stop", None),
    ("GET", "/v1/captures/x/samples?topic=/results", None),
    ("DELETE", "/v1/captures/x", None),
]


@pytest.mark.parametrize(("method", "path", "content"), CALLS)
@pytest.mark.parametrize(
    "signer",
    [None, CallSigner(Ed25519PrivateKey.generate(), "recorder/here"), CallSigner(SIGNER.key, "recorder/there")],
)
def test_what_changes_something_or_gives_samples_away_is_the_operators_alone(
    connection: http.client.HTTPConnection, store: Any, method: str, path: str, content: Any, signer: CallSigner | None
) -> None:
    status, said = ask(connection, method, path, content, signer)
    assert status == 401
    assert "sign" in said["error"]
    assert store.active_identifier is None


def test_a_call_seen_on_the_wire_cannot_be_repeated(connection: http.client.HTTPConnection) -> None:
    body = b'{"capture": "x", "max_samples": 1}'
    header = {"Authorization": SIGNER.authorization("POST", "/v1/captures", body, time.time_ns())}
    for status in (201, 401):
        connection.request("POST", "/v1/captures", body, header)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    assert answer.getheader("WWW-Authenticate") == "ros2bench"


def test_a_body_without_length_is_refused(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/v1/captures")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 411
    assert "Content-Length" in answer.read().decode()


SIGNED = {"nonce": "a", "time_ns": 1, "signature": "s"}
LOAD = {"container": "/perception", "package": "p", "plugin": "p.C", "node": "camera", **SIGNED}


@pytest.mark.parametrize(
    ("call", "content", "answer"),
    [
        ("list", {}, {"components": [{"unique_id": 1, "full_node_name": "/camera"}]}),
        ("load", LOAD, {"success": False, "error_message": "duplicate_name: camera", "unique_id": 0}),
        ("unload", {"unique_id": 1, **SIGNED}, {"success": True, "error_message": "", "unique_id": 1}),
        ("unload", {"unique_id": 1}, {"success": False, "error_message": "", "unique_id": 1}),
    ],
)
def test_calls_are_passed_on_to_the_container(
    connection: http.client.HTTPConnection, call: str, content: dict[str, Any], answer: dict[str, Any]
) -> None:
    status, said = ask(connection, "POST", f"/v1/components/{call}", {"container": "/perception", **content})
    assert status == 200
    assert said == (answer if call == "list" else {"full_node_name": "", **answer})


@pytest.mark.parametrize(
    ("call", "content", "status", "words"),
    [
        ("list", {"container": "/other"}, 404, "nobody offers /other"),
        ("list", {"container": "perception"}, 400, "must begin with /"),
        ("list", {}, 400, "missing: ['container']"),
        ("list", [], 400, "must be an object"),
        ("load", {**LOAD, "environment": {}}, 400, "unknown: ['environment']"),
        ("load", {**LOAD, "remap": "a:=b"}, 400, "remap is 'a:=b'"),
        ("load", {**LOAD, "parameters": []}, 400, "parameters is []"),
        ("load", {**LOAD, "time_ns": True}, 400, "time_ns is True"),
        ("unload", {"container": "/perception", "unique_id": -1}, 400, "unique_id is -1"),
        ("reload", {"container": "/perception"}, 404, "choices: list, load, unload"),
    ],
)
def test_calls_that_cannot_be_passed_on_are_refused(
    connection: http.client.HTTPConnection, call: str, content: Any, status: int, words: str
) -> None:
    answered, said = ask(connection, "POST", f"/v1/components/{call}", content)
    assert answered == status
    assert words in said["error"]


def test_relay_leaves_the_domain_a_while_after_the_last_call() -> None:
    opened: list[str] = []

    def connect(container: str) -> StandInContainer:
        opened.append(container)
        return StandInContainer(container)

    relay, closed = components.Relay(connect, linger_s=0.2), StandInContainer.closed
    for _ in range(3):
        relay.answer("list", {"container": "/perception"})
    assert opened == ["/perception"]
    while StandInContainer.closed == closed:
        time.sleep(0.01)
    relay.answer("list", {"container": "/perception"})
    assert opened == ["/perception"] * 2
    relay.close()
    relay.close()
    assert StandInContainer.closed == closed + 2


def test_relay_does_not_wait_for_a_container_that_was_killed() -> None:
    opened: list[StandInContainer] = []

    def connect(container: str) -> StandInContainer:
        opened.append(StandInContainer(container))
        return opened[-1]

    relay = components.Relay(connect)
    relay.answer("list", {"container": "/perception"})
    opened[0].killed = True
    relay.answer("list", {"container": "/perception"})
    assert len(opened) == 2
    relay.close()


def test_image_without_the_packages_says_so() -> None:
    # The tests have no ROS, as a recorder image may lack the packages of composition.
    with pytest.raises(components.RelayError, match="cannot speak to component containers") as refused:
        components.RosConnection("/perception")
    assert refused.value.status == 501


def test_unknown_topic_is_refused_with_the_known_ones(connection: http.client.HTTPConnection, store: Any) -> None:
    store.start("x", 1)
    status, said = ask(connection, "GET", "/v1/captures/x/samples?topic=/other")
    assert status == 404
    assert "/results" in said["error"]
