"""Processes of components, with small Python children instead of nodes."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images.composing import audit, component, refusal
from tests.images.in_cluster import module

process_host = module("ros2bench_composition.process_host")

CHILD = """
import json, os, signal, socket, sys, time
end = socket.socket(fileno=int(sys.argv[-1])).makefile('rw')
order = json.loads(end.readline())['component']
kind, marks = order['parameters'].get('kind', 'good'), order['parameters'].get('marks', '')
def say(content):
    print(json.dumps(content), file=end, flush=True)
if kind == 'refused':
    say({'refused': 'altered', 'sentence': 'has another digest'}); sys.exit(2)
if kind == 'dies':
    sys.exit(7)
if kind == 'hangs':
    time.sleep(30)
if kind == 'stubborn':
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
say({'loaded': order['node']})
if kind == 'crashes once' and not os.path.exists(marks):
    open(marks, 'w').close()
    os.kill(os.getpid(), signal.SIGSEGV)
for line in end:
    question = json.loads(line)
    if kind != 'silent':
        status = 200 if question['path'] == '/healthz' else 503
        say({'number': question['number'], 'health': [status, '' if status == 200 else 'no message yet']})
"""
Load = Callable[..., Any]


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def host(lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(process_host, "FIRST_BACK_OFF_S", 0.05)
    monkeypatch.setattr(process_host, "KILL_AFTER_S", 0.4)
    monkeypatch.setattr(process_host, "ANSWER_LIMIT_S", 0.4)

    def write(line: bytes) -> None:
        lines.append(json.loads(line))

    log = audit.Audit("/c", "m", write)
    made = process_host.ProcessHost(b"{}", log, [sys.executable, "-S", "-c", CHILD])
    yield made
    made.stop()


@pytest.fixture
def load(host: Any) -> Load:
    def begin_and_finish(unique_id: int = 1, timeout_s: float = 10.0, **parameters: Any) -> None:
        host.begin(unique_id, component.Component(f"n{unique_id}", "p", "p.C", parameters))
        host.finish(unique_id, timeout_s)

    return begin_and_finish


def test_component_runs_and_is_asked_for_its_health(host: Any, load: Load) -> None:
    load(1)
    load(2, kind="silent")
    health = host.health("/healthz")
    assert health["/n1"] == (200, "")
    assert health["/n2"] == (503, "no answer within 0.4 s")
    assert host.health("/readyz")["/n1"] == (503, "no message yet")
    assert host.resident_bytes() > 20 * 2**20
    host.unload(1)
    assert list(host.health("/healthz")) == ["/n2"]


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        ("refused", "altered", "another digest"),
        ("dies", "load_failed", "ended with 7"),
        ("hangs", "load_timeout", "not loaded within 0.3 s"),
    ],
)
def test_component_that_cannot_be_loaded_leaves_no_process(
    host: Any, load: Load, kind: str, reason: str, words: str
) -> None:
    timeout_s = 0.3 if kind == "hangs" else 10.0
    with pytest.raises(refusal.Refusal, match=words) as refused:
        load(timeout_s=timeout_s, kind=kind)
    assert refused.value.reason == reason
    assert host.health("/healthz") == {}


def test_crashed_component_is_started_again_while_the_others_run(
    host: Any, load: Load, lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    load(1)
    load(2, kind="crashes once", marks=str(tmp_path / "mark"))
    end_s = time.monotonic() + 10
    while [line["call"] for line in lines] != ["crash", "restart"]:
        assert time.monotonic() < end_s, lines
        assert host.health("/healthz")["/n1"] == (200, "")
        time.sleep(0.01)
    assert (lines[0]["node"], lines[0]["exit_code"]) == ("/n2", -11)
    assert host.health("/healthz") == {"/n1": (200, ""), "/n2": (200, "")}


def test_component_that_waits_for_its_restart_is_alive_but_not_ready(
    host: Any, load: Load, lines: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_host, "FIRST_BACK_OFF_S", 20.0)
    load(1, kind="crashes once", marks=str(tmp_path / "mark"))
    while not lines:
        time.sleep(0.01)
    assert host.health("/healthz")["/n1"] == (200, "ended with -11, is started again within 20 s")
    assert host.health("/readyz")["/n1"][0] == 503
    begun_s = time.monotonic()
    host.unload(1)
    assert time.monotonic() - begun_s < 1


def test_all_stop_within_a_second_and_a_stubborn_one_is_killed(host: Any, load: Load) -> None:
    for number in range(1, 4):
        load(number)
    load(4, kind="stubborn")
    begun_s = time.monotonic()
    host.stop()
    assert time.monotonic() - begun_s < 1


def test_back_off_doubles_up_to_half_a_minute() -> None:
    waits = [process_host.back_off_s(crashes) for crashes in range(1, 9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
