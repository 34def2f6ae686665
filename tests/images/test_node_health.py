"""Health of one node."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.images.in_cluster import module

health = module("ros2bench_nodes.health")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Time now."""
        return self.now_s


def test_alive_while_the_executor_turns() -> None:
    clock = Clock()
    state = health.Health(clock)
    clock.now_s = 10.0
    assert state.answer("/healthz")[0] == 200
    clock.now_s = 10.1
    assert state.answer("/healthz") == (503, "executor turned 10.1 s ago")
    state.beat()
    assert state.answer("/healthz")[0] == 200


def test_ready_only_when_said_so() -> None:
    state = health.Health()
    assert state.answer("/readyz")[0] == 503
    state.ready()
    assert state.answer("/readyz") == (200, "ready")
    assert state.answer("/other")[0] == 404


def test_port_zero_serves_nothing_and_another_port_answers_in_json() -> None:
    state = health.Health()
    assert health.serve(state, 0) is None
    blocker: Any = health.ThreadingHTTPServer(("127.0.0.1", 0), health.BaseHTTPRequestHandler)
    port = blocker.server_address[1]
    blocker.server_close()
    server = health.serve(state, port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert "executor turned" in json.load(answer)["status"]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
        assert refused.value.code == 503
        refused.value.close()
    finally:
        server.shutdown()
        server.server_close()
