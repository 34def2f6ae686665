"""Readiness observes the application: a node that hangs is unready, one that dies is started again."""

import json
import time
from typing import Any

import pytest

from tests.cluster.conftest import Journey

pytestmark = pytest.mark.cluster

SIGNAL = """
import os, signal, sys
name, which = sys.argv[1], getattr(signal, sys.argv[2])
for pid in filter(str.isdecimal, os.listdir("/proc")):
    words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
    if f"__node:={name}".encode() in words and int(pid) != os.getpid():
        os.kill(int(pid), which)
        break
else:
    sys.exit(f"no process of node {name}")
"""


def signal_node(journey: Journey, node: str, which: str) -> None:
    """Send a signal to the process of one node of the monolithic stack."""
    (journey.checkout / "signal_node.py").write_text(SIGNAL)
    done = journey.in_lab(
        f"kubectl -n ros2bench-monolithic exec -i deploy/$(kubectl -n ros2bench-monolithic get deploy "
        f"-l app.kubernetes.io/component=application -o jsonpath='{{.items[0].metadata.name}}') "
        f"-- python3 - {node} {which} < signal_node.py"
    )
    assert done.returncode == 0, done.stderr


def application_pod(journey: Journey) -> dict[str, Any]:
    """The application's pod."""
    words = "-n ros2bench-monolithic get pods -l app.kubernetes.io/component=application -o json"
    (pod,) = json.loads(journey.kubectl(words))["items"]
    return pod


def wait_until(journey: Journey, *, ready: bool, restarts: int, limit_s: float) -> float:
    """Wait until the pod's only container is as expected; gives the seconds that it took."""
    began_s = time.monotonic()
    while True:
        (container,) = application_pod(journey)["status"]["containerStatuses"]
        if container["ready"] is ready and container["restartCount"] == restarts:
            return time.monotonic() - began_s
        assert time.monotonic() - began_s < limit_s, container
        time.sleep(0.5)


def test_a_hung_node_makes_the_pod_unready_and_it_recovers(journey: Journey, demo: dict[str, Any]) -> None:
    wait_until(journey, ready=True, restarts=0, limit_s=30)
    signal_node(journey, "detector", "SIGSTOP")
    unready_s = wait_until(journey, ready=False, restarts=0, limit_s=30)
    signal_node(journey, "detector", "SIGCONT")
    ready_s = wait_until(journey, ready=True, restarts=0, limit_s=30)
    print(f"hung node: unready after {unready_s:.1f} s, ready {ready_s:.1f} s after it went on")


def test_a_node_that_dies_starts_its_container_again(journey: Journey, demo: dict[str, Any]) -> None:
    signal_node(journey, "monitor", "SIGKILL")
    ready_s = wait_until(journey, ready=True, restarts=1, limit_s=60)
    print(f"dead node: ready again after {ready_s:.1f} s")
