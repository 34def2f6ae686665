"""Probes ask what the node itself says, and each kind of readiness has the slots that it can answer."""

import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components import readiness
from components.graph import ComponentContainer, Container, Node, Process
from components.needs import Needs, Readiness
from components.refusal import Refusal
from tests.support import values

HEARTBEAT = Readiness(kind="heartbeat")
COMMAND = Readiness(kind="command", command=("check", "it works"))
HTTP = Readiness(kind="http", path="/up", port=9000)
MESSAGE = Readiness(kind="message", topic="/chatter", message_type="std_msgs/msg/String", startup_limit_s=60)


def container(*kinds: Readiness, loader: ComponentContainer | None = None) -> Container:
    nodes = [values.node(name, needs=Needs(readiness=kind)) for name, kind in zip("abcd", kinds, strict=False)]
    processes = tuple(Process(name=node.name, command=node.command, nodes=(node,)) for node in nodes)
    return Container(name="c", image="i", processes=processes, component_container=loader)


def probes(*kinds: Readiness) -> dict[str, Any]:
    return dict(readiness.probes("pod", container(*kinds)))


@pytest.mark.parametrize("kinds", [(HEARTBEAT,), (HEARTBEAT, HEARTBEAT), (HEARTBEAT, Readiness())])
def test_a_heartbeat_answers_all_three(kinds: tuple[Readiness, ...]) -> None:
    found = probes(*kinds)
    assert {key: probe["httpGet"] for key, probe in found.items()} == {
        "startupProbe": {"path": "/startz", "port": "health"},
        "readinessProbe": {"path": "/readyz", "port": "health"},
        "livenessProbe": {"path": "/healthz", "port": "health"},
    }
    assert found["startupProbe"]["failureThreshold"] * found["startupProbe"]["periodSeconds"] == 120


def test_a_component_container_answers_for_what_it_loads() -> None:
    loader = ComponentContainer(name="c", process="shared", executor="single")
    assert len(readiness.probes("pod", container(Readiness(), loader=loader))) == 3
    cpp = replace(loader, language="cpp")
    assert readiness.probes("pod", container(Readiness(), loader=cpp)) == {}


def test_a_node_that_says_nothing_has_no_probe_alone_and_the_bringups_beside_others() -> None:
    assert probes(Readiness()) == {}
    assert probes(Readiness(), Readiness())["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_a_command_and_an_address_are_asked_again_and_again() -> None:
    assert probes(COMMAND)["readinessProbe"]["exec"] == {"command": ["check", "it works"]}
    assert "livenessProbe" not in probes(COMMAND)
    assert probes(HTTP)["readinessProbe"]["httpGet"] == {"path": "/up", "port": 9000}


def test_a_message_is_waited_for_at_the_start_only() -> None:
    found = probes(MESSAGE)
    assert list(found) == ["startupProbe"]
    command = found["startupProbe"]["exec"]["command"]
    assert command[:4] == ["python3", "/etc/ros2bench/wait-for-message", "/chatter", "std_msgs/msg/String"]
    assert float(command[4]) < found["startupProbe"]["timeoutSeconds"]
    assert found["startupProbe"]["failureThreshold"] * found["startupProbe"]["timeoutSeconds"] >= 60


def test_the_program_that_waits_is_mounted_where_it_is_needed_and_runs() -> None:
    nodes = [node for process in container(MESSAGE).processes for node in process.nodes]
    (name,) = readiness.message_files(nodes)
    assert name == "wait-for-message"
    assert readiness.message_files([values.node("a")]) == {}
    assert callable(runpy.run_path(str(readiness.MESSAGE_PROGRAM))["main"])


def test_commands_of_one_pod_are_asked_one_after_the_other() -> None:
    other = replace(COMMAND, command=("other",))
    probe = probes(COMMAND, other)["readinessProbe"]
    assert probe["exec"]["command"] == ["/bin/sh", "-ec", "check 'it works' && other"]
    assert probe["timeoutSeconds"] == 6


@pytest.mark.parametrize("kinds", [(HEARTBEAT, COMMAND), (COMMAND, HTTP), (MESSAGE, HEARTBEAT)])
def test_ways_that_cannot_be_combined_are_refused(kinds: tuple[Readiness, ...]) -> None:
    with pytest.raises(Refusal, match=r"pod pod: a container has one \w+Probe, but .* want different ones"):
        probes(*kinds)


def test_a_node_is_what_the_values_say() -> None:
    node: Node = values.node("a")
    assert node.needs.readiness.kind == "heartbeat"


STANDINS = {
    "std_msgs/msg.py": "class String: pass\n",
    "rclpy/__init__.py": """
HEARD = {"/chatter"}
class Node:
    def create_subscription(self, kind, topic, callback, quality, raw):
        assert kind.__name__ == "String" and quality.reliability == "best effort"
        self.topic, self.callback = topic, callback
    def destroy_node(self): pass
def init(): pass
def shutdown(): pass
def create_node(name, **options): return Node()
def spin_once(node, timeout_sec):
    if node.topic in HEARD:
        node.callback(b"")
""",
    "rclpy/qos.py": """
class ReliabilityPolicy: BEST_EFFORT = "best effort"
class QoSProfile:
    def __init__(self, depth, reliability): self.reliability = reliability
""",
    "rospy.py": """
class ROSException(Exception): pass
def init_node(*names, **options): pass
def wait_for_message(topic, kind, timeout):
    if topic != "/chatter":
        raise ROSException
""",
}


@pytest.mark.parametrize("master", [{}, {"ROS_MASTER_URI": "http://master"}], ids=["ros2", "ros1"])
@pytest.mark.parametrize(
    ("topic", "kind", "code"), [("/chatter", "std_msgs/msg/String", 0), ("/x", "std_msgs/String", 1)]
)
def test_a_message_that_comes_ends_the_waiting(
    tmp_path: Path, master: dict[str, str], topic: str, kind: str, code: int
) -> None:
    for name, text in STANDINS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, readiness.MESSAGE_PROGRAM, topic, kind, "0.1"],
        env={"PYTHONPATH": str(tmp_path), "ROS2BENCH_WAITING": "1", **master},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "No message on /x" in done.stderr) == (code, code == 1)
