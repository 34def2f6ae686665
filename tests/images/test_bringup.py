"""Supervision of several processes, with small Python children instead of nodes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.images.in_cluster import WORKSPACE, module

BRINGUP_PATH = os.pathsep.join(str(WORKSPACE / name) for name in ("ros2bench_bringup", "ros2bench_telemetry"))
plan = module("ros2bench_bringup.plan")
health = module("ros2bench_bringup.health")
supervisor = module("ros2bench_bringup.supervisor")

# One write: two processes share the pipe.
SAY_UP = "import os; os.write(1, b'up\\n'); time.sleep(30)"
WAIT = f"import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); {SAY_UP}"
STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SAY_UP}"
SERVE = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "{bad}" else 200)
        self.end_headers()
        self.wfile.write(b"not " + self.path.encode())
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", {port}), Handler)
os.write(1, b"up\\n")
server.serve_forever()
"""
PATIENCE_S = 0.3
RUN = "import sys; from ros2bench_bringup import bringup, supervisor; {}; sys.exit(bringup.main())"
AS_IT_IS = "assert supervisor.KILL_AFTER_S == 2.0"
IMPATIENT = f"supervisor.KILL_AFTER_S = {PATIENCE_S}"
Bringup = Callable[..., subprocess.Popen[str]]


def process(name: str, code: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": [sys.executable, "-S", "-c", code], **more}


@pytest.fixture
def bringup(tmp_path: Path) -> Bringup:
    def start(*processes: dict[str, Any], change: str = AS_IT_IS, port: int = 0) -> subprocess.Popen[str]:
        path = tmp_path / "bringup.json"
        path.write_text(json.dumps({"contract": 1, "port": port, "processes": processes}))
        return subprocess.Popen(
            [sys.executable, "-c", RUN.format(change), str(path)],
            env={**os.environ, "PYTHONPATH": BRINGUP_PATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def until_up(running: subprocess.Popen[str], count: int) -> None:
    assert running.stdout is not None
    for _ in range(count):
        assert running.stdout.readline() == "up\n"


def test_sigterm_stops_everything_cleanly(bringup: Bringup) -> None:
    running = bringup(process("a", WAIT), process("b", WAIT))
    until_up(running, 2)
    begun_s = time.monotonic()
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=5)
    assert running.returncode == 0
    assert time.monotonic() - begun_s < 2
    assert "a ended with 0" in said
    assert "b ended with 0" in said


def test_first_end_ends_the_others_with_its_code(bringup: Bringup) -> None:
    running = bringup(process("a", WAIT), process("b", "import sys; sys.exit(7)"))
    running.communicate(timeout=5)
    assert running.returncode == 7


@pytest.mark.parametrize("code", ["pass", "import os; os.kill(os.getpid(), 9)"])
def test_end_that_claims_success_or_a_kill_is_a_failure(bringup: Bringup, code: str) -> None:
    running = bringup(process("a", code), process("b", WAIT))
    running.communicate(timeout=5)
    assert running.returncode == 1


def test_process_that_ignores_sigterm_is_killed_after_its_time(bringup: Bringup) -> None:
    running = bringup(process("a", STUBBORN), change=IMPATIENT)
    until_up(running, 1)
    begun_s = time.monotonic()
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=5)
    assert PATIENCE_S <= time.monotonic() - begun_s < PATIENCE_S + 1
    assert running.returncode == 1
    assert "killing a" in said


def test_command_that_does_not_exist_is_named(bringup: Bringup) -> None:
    running = bringup(process("a", WAIT), {"name": "b", "command": ["/no/such/program"]})
    _, said = running.communicate(timeout=5)
    assert running.returncode == 127
    assert "b cannot be started: /no/such/program" in said


def test_environment_of_one_process_is_its_own(bringup: Bringup) -> None:
    code = "import os, sys; print(os.environ.get('GREETING'), flush=True); sys.exit(3)"
    running = bringup(process("a", code, environment={"GREETING": "hello"}))
    said, _ = running.communicate(timeout=5)
    assert said == "hello\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": 2}, "speaks 1"),
        ({"processes": []}, "at least one"),
        ({"surprise": 1}, "unknown keys"),
        ({"port": -1}, "port is -1"),
        ({"processes": [{"name": "a", "command": "run"}]}, "processes[0].command"),
        ({"processes": [{"name": "a", "command": ["x"], "environment": {"A": 1}}]}, "environment"),
        ({"processes": [{"name": "a", "command": ["x"]}] * 2}, "must differ"),
    ],
)
def test_broken_plan_is_refused_with_its_key(change: dict[str, Any], words: str) -> None:
    good = {"contract": 1, "port": 8080, "processes": [{"name": "a", "command": ["x"]}]}
    assert plan.parse_plan(good).port == 8080
    with pytest.raises(plan.PlanError) as refused:
        plan.parse_plan({**good, **change})
    assert words in str(refused.value)


def test_unreadable_plan_ends_with_two_and_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ros2bench_bringup.bringup", str(tmp_path / "none.json")],
        env={**os.environ, "PYTHONPATH": BRINGUP_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "none.json cannot be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_joint_health_names_each_process() -> None:
    processes = [plan.Process("a", ("x",), {}, 1), plan.Process("b", ("x",), {}, 2)]

    def first_only(port: int, path: str) -> str:
        return "ok" if port == 1 else f"503: no {path}"

    assert health.joint_state(processes[:1], "/readyz", first_only) == (200, {"a": "ok"})
    assert health.joint_state(processes, "/readyz", first_only) == (503, {"a": "ok", "b": "503: no /readyz"})


def test_process_without_a_port_is_known_to_run_and_no_more() -> None:
    alone = [plan.Process("foreign", ("x",), {}, 0)]
    assert health.joint_state(alone, "/readyz") == (200, {"foreign": "not asked: it has no health port"})


def test_process_that_does_not_listen_is_unhealthy() -> None:
    assert health.ask(9, "/healthz").startswith("no answer")


def test_hung_process_is_unhealthy_and_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process still has its port: connections succeed and nothing answers."""
    monkeypatch.setattr(health, "PROBE_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = plan.Process("hung", ("x",), {}, silent.getsockname()[1])
        status, states = health.joint_state([hung, plan.Process("well", ("x",), {}, 0)], "/readyz")
    assert status == 503
    assert states["hung"] == "no answer: timed out"


def test_three_paths_ask_the_same_path_of_each_process(bringup: Bringup, tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    running = bringup(
        process("a", SERVE.format(port=ports[1], bad=""), port=ports[1]),
        process("b", SERVE.format(port=ports[2], bad="/readyz"), port=ports[2]),
        port=ports[0],
    )
    until_up(running, 2)
    try:
        assert ask(ports[0], "/startz") == (200, {"a": "ok", "b": "ok"})
        assert ask(ports[0], "/healthz") == (200, {"a": "ok", "b": "ok"})
        assert ask(ports[0], "/readyz") == (503, {"a": "ok", "b": "503: not /readyz"})
        assert ask(ports[0], "/other")[0] == 404
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=5)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def ask(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(("wanted", "code", "words"), [
    ("greeter", 2, 'no node "greeter" in ros2bench_nodes; choices: none'),
    ("no_such_package/greeter", 2, 'no node "greeter" in no_such_package; choices: none'),
    ("pytest/py.test", 0, "pytest"),
])  # fmt: skip
def test_node_is_found_in_its_package(wanted: str, code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ros2bench_bringup.node", wanted, "--version"],
        env={**os.environ, "PYTHONPATH": BRINGUP_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert words in done.stdout + done.stderr


def test_exit_codes() -> None:
    ended = supervisor.Ended
    assert supervisor.exit_code(ended("a", 0), asked_to_stop=True) == 0
    assert supervisor.exit_code(ended("a", -signal.SIGTERM), asked_to_stop=True) == 0
    assert supervisor.exit_code(ended("a", 5), asked_to_stop=True) == 5
    assert supervisor.exit_code(ended("a", -9), asked_to_stop=True) == 1
    assert supervisor.exit_code(ended("a", 0), asked_to_stop=False) == 1
