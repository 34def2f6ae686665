"""What tests of a platform share: waiting, settings of a stack, and asking its programs through the API server."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import yaml

from tests.cluster.conftest import UP, Journey

PLATFORM = "ros2bench-platform"
EXPERIMENTS = ("monolithic", "microservices", "composition", "overlay")
"""Stacks that an earlier test that failed may have left; a small machine has no room for two."""


def until(found: Callable[[], Any], limit_s: float = 60.0, every_s: float = 1.0) -> Any:
    """What a function gives once it gives something."""
    deadline_s = time.monotonic() + limit_s
    while not (value := found()):
        assert time.monotonic() < deadline_s, f"it did not happen within {limit_s:g} s; last: {value}"
        time.sleep(every_s)
    return value


def seconds_until(found: Callable[[], Any], limit_s: float) -> float:
    """How long it takes until a function gives something."""
    began_s = time.monotonic()
    until(found, limit_s, every_s=0.5)
    return time.monotonic() - began_s


def override(journey: Journey, name: str, **spec: Any) -> dict[str, str]:
    """Environment in which a stack has further settings."""
    file = journey.checkout / f"{name}.yaml"
    file.write_text(yaml.safe_dump(spec))
    return {"ROS2BENCH_SPEC_OVERRIDE": str(file)}


def up(journey: Journey, stack: str, settings: Mapping[str, str] | None = None, **more: str) -> None:
    """Bring a stack up, with further settings."""
    done = journey.in_lab(f"{UP} -s {stack}", timeout_s=900, **(settings or {}), **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def provided(journey: Journey, programs: str) -> None:
    """Let the lab have every image of ours, and third-party programs; stack files are as they are in the repository."""
    done = journey.type(f".venv/bin/python -m lab up --images all --platform {programs}", timeout_s=3000)
    assert done.returncode == 0, done.stderr[-3000:]
    assert journey.type("git checkout -q 'Pulumi.*.yaml'").returncode == 0


def destroyed(journey: Journey, *stacks: str) -> None:
    """Take stacks away; those that are not there are left alone."""
    for stack in stacks:
        journey.in_lab(f"pulumi destroy -s {stack} --yes --skip-preview", timeout_s=900)


def objects(journey: Journey) -> set[tuple[str, int]]:
    """Every workload of ours and how often it was changed."""
    found = json.loads(journey.kubectl("get deployments,daemonsets,namespaces -A -l app.kubernetes.io/part-of -o json"))
    return {(each["metadata"]["uid"], each["metadata"].get("generation", 0)) for each in found["items"]}


def pods(journey: Journey, namespace: str, selector: str) -> list[dict[str, Any]]:
    """Pods that labels select."""
    return json.loads(journey.kubectl(f"get pods -n {namespace} -l {selector} -o json"))["items"]


def machine_count(journey: Journey) -> int:
    """Machines of the cluster."""
    return len(json.loads(journey.kubectl("get nodes -o json"))["items"])


def ready_pod(journey: Journey, component: str) -> dict[str, Any] | None:
    """The pod of a program of the platform that is Ready and stays; after a change the old one is there for a while."""
    for pod in pods(journey, PLATFORM, f"app.kubernetes.io/component={component}"):
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        if conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]:
            return pod
    return None


@contextmanager
def forwarded(journey: Journey, component: str, port: int) -> Generator[httpx.Client]:
    """Reach the pod of a program of the platform as a user does, through the API server."""
    pod = until(lambda: ready_pod(journey, component))
    environment = dict(line.split("=", 1) for line in journey.in_lab("env -0").stdout.split("\0") if "=" in line)
    command = ["kubectl", "port-forward", "-n", PLATFORM, f"pod/{pod['metadata']['name']}", f":{port}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, "kubectl says where it listens"
            with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=30) as client:
                yield client
        finally:
            process.terminate()


def query(client: httpx.Client, expression: str, at_s: float | None = None) -> list[dict[str, Any]]:
    """Result of an instant query of Prometheus, one entry for each series."""
    asked = {"query": expression} | ({} if at_s is None else {"time": str(at_s)})
    body = client.get("/api/v1/query", params=asked).json()
    assert body["status"] == "success", f"{expression}: {body}"
    return body["data"]["result"]


@dataclass(frozen=True)
class Platform:
    """The platform in the lab, and how to ask its Prometheus."""

    journey: Journey

    def query(self, expression: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """Result of an instant query, one entry for each series."""
        with forwarded(self.journey, "prometheus", 9090) as client:
            return query(client, expression, at_s)

    def value(self, expression: str) -> float | None:
        """The one value of an expression; None where there is none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None
