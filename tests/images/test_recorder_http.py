"""Routes of the recorder, over a real socket where the protocol matters."""

import http.client
import json
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.images.in_cluster import module

http_api = module("ros2bench_recorder.http_api")
captures = module("ros2bench_recorder.captures")

TOPIC = "/results"


class Replaceable:
    """Hands every call on to captures that each test makes anew."""

    def __init__(self) -> None:
        self.current: Any = None

    def __getattr__(self, name: str) -> Any:
        """Whatever the current captures have."""
        return getattr(self.current, name)


def health(path: str) -> tuple[int, str]:
    return (200, "recording") if path == "/healthz" else (503, "not yet")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Replaceable, int]]:
    store = Replaceable()
    api = http_api.Api(
        store,
        status=lambda: {"contract": 1},
        metrics=lambda: b"ros2bench_messages_total 1.0\n",
        health=health,
    )
    running = http_api.listen(api, 0)
    yield store, running.server_address[1]
    running.shutdown()
    running.server_close()


@pytest.fixture
def store(server: tuple[Replaceable, int]) -> Any:
    server[0].current = captures.Captures([TOPIC])
    return server[0].current


@pytest.fixture
def connection(store: Any, server: tuple[Replaceable, int]) -> Iterator[http.client.HTTPConnection]:
    client = http.client.HTTPConnection("127.0.0.1", server[1], timeout=5)
    yield client
    client.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, content: Any = None) -> tuple[int, Any]:
    body = content if isinstance(content, bytes | None) else json.dumps(content)
    connection.request(method, path, body)
    answer = connection.getresponse()
    said = answer.read()
    is_json = answer.getheader("Content-Type") == "application/json" and said
    return answer.status, json.loads(said) if is_json else said


def test_a_capture_from_start_to_deletion(connection: http.client.HTTPConnection, store: Any) -> None:
    status, started = ask(connection, "POST", "/v1/captures", {"capture": "run-1", "max_samples": 10})
    assert status == 201
    assert started["capture"] == "run-1"
    store.add(TOPIC, captures.Sample(*range(8)))
    assert ask(connection, "POST", "/v1/captures", {"capture": "run-2", "max_samples": 10})[0] == 409
    status, state = ask(connection, "GET", "/v1/captures/run-1")
    assert (status, state["active"], state["samples"]) == (200, True, {TOPIC: 1})
    status, state = ask(connection, "POST", "/v1/captures/run-1/stop")
    assert (status, state["active"]) == (200, False)
    assert state["first"] == {TOPIC: list(range(8))}
    status, rows = ask(connection, "GET", "/v1/captures/run-1/samples?topic=/results")
    assert (status, struct.unpack("<8q", rows)) == (200, tuple(range(8)))
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
        ("POST", "/v1/captures", b" " * 70_000, 413, "70000 bytes"),
    ],
)
def test_refusals_are_sentences(
    connection: http.client.HTTPConnection, method: str, path: str, content: Any, status: int, words: str
) -> None:
    answered, said = ask(connection, method, path, content)
    assert answered == status
    assert words in said["error"]


def test_unknown_topic_is_refused_with_the_known_ones(connection: http.client.HTTPConnection, store: Any) -> None:
    store.start("x", 1)
    status, said = ask(connection, "GET", "/v1/captures/x/samples?topic=/other")
    assert status == 404
    assert "/results" in said["error"]
