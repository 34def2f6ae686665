"""Lines of JSON on standard error: what each process says, and that nothing else changes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import WORKSPACE, module

json_lines = module("ros2bench_telemetry.json_lines")

NOW_NS = 1_700_000_000_123_456_789


class Written:
    """Takes lines."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.run: str | None = None
        self.stream: Any = json_lines.JsonLines(
            {"stack": "demo", "pattern": "monolithic", "node": "camera"},
            self.lines.append,
            run=lambda: self.run,
            clock_ns=lambda: NOW_NS,
        )

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What was written, line by line."""
        return [json.loads(line) for line in self.lines]


def test_a_line_says_who_when_and_how_grave() -> None:
    written = Written()
    written.stream.line("WARNING", "the disk is full", logger="captures", bytes=5)
    assert written.objects == [
        {
            "time": "2023-11-14T22:13:20.123456789Z",
            "level": "WARNING",
            "message": "the disk is full",
            "logger": "captures",
            "stack": "demo",
            "pattern": "monolithic",
            "node": "camera",
            "bytes": 5,
        }
    ]
    assert written.lines[0].endswith(b"}\n")


def test_the_run_is_named_while_there_is_one() -> None:
    written = Written()
    written.stream.line("INFO", "before", logger="")
    written.run = "20260101-run"
    written.stream.line("INFO", "within", logger="")
    assert [each.get("run") for each in written.objects] == [None, "20260101-run"]


@pytest.mark.parametrize(
    ("capture", "run"),
    [("r1-000", "r1"), ("20260101T000000-abc-012", "20260101T000000-abc"), ("mine", "mine"), (None, None)],
)
def test_the_run_of_a_capture(capture: str | None, run: str | None) -> None:
    assert json_lines.run_of(capture) == run


@given(st.text())
def test_whatever_is_printed_becomes_whole_lines_of_json(text: str) -> None:
    written = Written()
    print(text, file=written.stream)
    parts = [part for part in text.split("\n") if part.strip()]
    assert len(written.lines) == len(parts)
    assert all(line.count(b"\n") == 1 for line in written.lines)
    for found, part in zip(written.objects, parts, strict=True):
        if "message" in found:
            assert found["message"].encode(errors="backslashreplace") == part.encode(errors="backslashreplace")


def test_a_line_that_is_json_already_stays_as_it_is() -> None:
    written = Written()
    print('{"own_report": [[1, 2, 3]]}', file=written.stream)
    print("{no}", file=written.stream)
    assert written.lines[0] == b'{"own_report": [[1, 2, 3]]}\n'
    assert json.loads(written.lines[1])["message"] == "{no}"


def raise_it() -> None:
    raise RuntimeError("broken")


def test_an_unhandled_error_is_one_line_with_its_traceback() -> None:
    written = Written()
    with pytest.raises(RuntimeError) as caught:
        raise_it()
    written.stream.failed((caught.type, caught.value, caught.tb), "main")
    (found,) = written.objects
    assert found["level"] == "CRITICAL"
    assert found["message"] == "RuntimeError: broken"
    assert "Traceback" in found["exception"]
    assert found["logger"] == "main"


@pytest.mark.parametrize(
    ("arguments", "node"),
    [
        (["x", "--ros-args", "-r", "__node:=camera_1", "--params-file", "f"], "camera_1"),
        (["x", "--params-file", "f"], None),
    ],
)
def test_the_name_of_a_node_is_read_from_its_arguments(arguments: list[str], node: str | None) -> None:
    assert json_lines.node_of(arguments) == node


PROGRAM = """
import sys, threading
from ros2bench_telemetry import json_lines
json_lines.install("recorder")
json_lines.say("INFO", "has begun", logger="captures", run="r1")
print("on standard output")
print("a problem", file=sys.stderr)
thread = threading.Thread(target=lambda: 1 / 0, name="drain")
thread.start()
thread.join()
raise ValueError("the end")
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(WORKSPACE / "ros2bench_telemetry"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_in_a_pod_writes_nothing_but_lines_of_json() -> None:
    done = run(PROGRAM, ROS2BENCH_STACK="demo")
    assert done.returncode == 1
    assert done.stdout == "on standard output\n"
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(each["level"], each["logger"]) for each in found] == [
        ("INFO", "captures"),
        ("ERROR", "stderr"),
        ("CRITICAL", "drain"),
        ("CRITICAL", "main"),
    ]
    assert all(each["stack"] == "demo" and each["program"] == "recorder" for each in found)
    assert "pattern" not in found[0]
    assert found[0]["run"] == "r1"


SERVER = """
import http.client, sys, threading
from http.server import BaseHTTPRequestHandler
from ros2bench_telemetry import json_lines
from ros2bench_telemetry.http_server import LoggingServer
json_lines.install("recorder")
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        raise BrokenPipeError(32, "Broken pipe") if self.path == "/gone" else KeyError("topic")
    def log_message(self, *_):
        pass
server = LoggingServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
for path in ("/gone", "/"):
    connection = http.client.HTTPConnection(*server.server_address)
    connection.request("GET", path)
    try:
        connection.getresponse()
    except http.client.RemoteDisconnected:
        pass
server.shutdown()
server.server_close()
"""


def test_an_answer_that_fails_is_one_line_and_one_whose_asker_has_gone_is_none() -> None:
    done = run(SERVER, ROS2BENCH_STACK="demo")
    (found,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (found["level"], found["logger"], found["message"]) == ("CRITICAL", "http", "KeyError: 'topic'")
    assert "Traceback" in found["exception"]
    assert "Traceback" in run(SERVER, ROS2BENCH_STACK="").stderr


def test_elsewhere_people_read_plain_text() -> None:
    done = run(PROGRAM, ROS2BENCH_STACK="")
    assert done.stderr.startswith("captures: has begun\na problem\n")
    assert "Traceback (most recent call last)" in done.stderr


def test_the_bringup_tells_of_its_processes_as_json(tmp_path: Path) -> None:
    plan = {"contract": 1, "port": 0, "processes": [{"name": "camera", "command": ["false"], "port": 0}]}
    file = tmp_path / "bringup.json"
    file.write_text(json.dumps(plan))
    path = os.pathsep.join(str(WORKSPACE / name) for name in ("ros2bench_bringup", "ros2bench_telemetry"))
    done = subprocess.run(
        [sys.executable, "-m", "ros2bench_bringup.bringup", str(file)],
        env={**os.environ, "PYTHONPATH": path, "ROS2BENCH_STACK": "demo", "ROS2BENCH_PATTERN": "monolithic"},
        capture_output=True,
        text=True,
        check=False,
    )
    (found,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert found["message"] == "camera ended with 1"
    assert (found["level"], found["program"], found["pattern"]) == ("ERROR", "bringup", "monolithic")
