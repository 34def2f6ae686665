"""Health of one node: what it has noted of itself, and how the probes of a pod get to know it."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

health = module("ros2bench_nodes.health")
health_server = module("ros2bench_bringup.health_server")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Time now."""
        return self.now_s


def state_at(clock: Clock, silence_limit_s: float = 5.0) -> Any:
    return health.Health(silence_limit_s, clock)


def test_alive_while_the_executor_turns() -> None:
    clock = Clock()
    state = state_at(clock)
    clock.now_s += 10.0
    assert state.answer("/healthz")[0] == 200
    clock.now_s += 0.1
    assert state.answer("/healthz") == (503, "executor turned 10.1 s ago")
    state.note_turn()
    assert state.answer("/healthz")[0] == 200


def test_a_long_start_is_no_hang() -> None:
    clock = Clock()
    state = state_at(clock)
    clock.now_s += 60.0
    assert state.answer("/startz") == (503, "still loading")
    state.note_start()
    assert state.answer("/startz") == (200, "started")
    assert state.answer("/healthz")[0] == 200


def test_ready_follows_the_messages() -> None:
    clock = Clock()
    state = state_at(clock, silence_limit_s=2.5)
    assert state.answer("/readyz") == (503, "still loading")
    state.note_start()
    assert state.answer("/readyz") == (503, "no message yet")
    state.note_message()
    assert state.answer("/readyz")[0] == 200
    clock.now_s += 2.5
    assert state.answer("/readyz") == (200, "last message 2.5 s ago, limit 2.5 s")
    clock.now_s += 0.1
    assert state.answer("/readyz") == (503, "last message 2.6 s ago, limit 2.5 s")
    assert state.answer("/startz")[0] == 200
    state.note_message()
    assert state.answer("/readyz")[0] == 200


def test_a_message_during_the_start_makes_nothing_ready() -> None:
    state = state_at(Clock())
    state.note_message()
    assert state.answer("/readyz")[0] == 503


def test_a_hung_executor_is_unready_first_and_then_not_alive() -> None:
    clock = Clock()
    state = state_at(clock)
    state.note_start()
    state.note_message()
    seen: list[tuple[bool, bool]] = []
    for _ in range(12):
        clock.now_s += 1.0
        seen.append((state.answer("/readyz")[0] == 200, state.answer("/healthz")[0] == 200))
    assert seen == [(True, True)] * 5 + [(False, True)] * 5 + [(False, False)] * 2


@given(st.lists(st.tuples(st.sampled_from(["turn", "message"]), st.floats(0, 20)), max_size=20))
def test_ready_and_alive_say_exactly_how_old_the_last_note_is(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    state = state_at(clock)
    state.note_start()
    last: dict[str, float | None] = {"turn": clock.now_s, "message": None}
    for what, seconds in steps:
        clock.now_s += seconds
        last[what] = clock.now_s
        {"turn": state.note_turn, "message": state.note_message}[what]()
        clock.now_s += seconds / 2
        turn, message = last["turn"], last["message"]
        assert turn is not None
        assert (state.answer("/healthz")[0] == 200) == (clock.now_s - turn <= 10)
        assert (state.answer("/readyz")[0] == 200) == (message is not None and clock.now_s - message <= 5)


def free_port() -> int:
    blocker: Any = health_server.ThreadingHTTPServer(("127.0.0.1", 0), health_server.BaseHTTPRequestHandler)
    blocker.server_close()
    return blocker.server_address[1]


def well(path: str) -> tuple[int, dict[str, str]]:
    return 200, {"status": path}


def test_port_zero_takes_none() -> None:
    assert health_server.listen(0, well) is None


def test_a_port_answers_in_json_and_knows_three_paths() -> None:
    port = free_port()
    codes = {"/startz": 200, "/readyz": 503, "/healthz": 200}

    def answer(path: str) -> tuple[int, dict[str, str]]:
        return codes[path], {"status": f"asked for {path}"}

    server = health_server.listen(port, answer)
    health_server.serve(server)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/startz", timeout=5) as reply:
            assert json.load(reply) == {"status": "asked for /startz"}
        for path, code, words in (("/readyz", 503, "asked for"), ("/other", 404, "/startz, /readyz, /healthz")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5)
            assert refused.value.code == code
            assert words in refused.value.read().decode()
            refused.value.close()
    finally:
        health_server.stop(server)
    # The port is free again, for a component that is loaded in the place of this one.
    again = health_server.listen(port, well)
    again.server_close()


def test_a_taken_port_is_an_error_before_any_thread_exists() -> None:
    port = free_port()
    first = health_server.listen(port, well)
    with pytest.raises(OSError, match="in use"):
        health_server.listen(port, well)
    first.server_close()
