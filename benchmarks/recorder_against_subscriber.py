"""The recorder against an ordinary rclpy subscriber, on the same topics.

    python -m benchmarks.recorder_against_subscriber [--windows 10] [--searches 5]

Runs `ros2bench-recorder-benchmark` of the recorder image in a pod of its own: a sender, the recorder while it captures,
and two ordinary nodes, which are one another's control. Processor time: all of them hear every message at the same
time. Largest rate without a loss: each alone with the sender, since a machine has few cores, and on one topic: of many
topics an executor takes a message each in one turn, which hides what a message costs it. It is sought twice: against
an ordinary node as it is written, with ROS 2's default queue of ten messages, and against one whose queue is as deep as
the recorder's, which leaves only what a message costs. On two cores the second ratio is that of the machine, too:
sender, the middleware's receiving thread and the recorder share them, and while one waits for its turn, a queue fills.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.command import console, need
from benchmarks.paired import Comparison, compare, show
from components.deployment import restricted_context
from components.image import read_lock
from components.transport import fastdds_profile

NAMESPACE = "ros2bench-benchmark"
POD = "recorder-benchmark"
PROGRAM = ("ros2bench-recorder-benchmark",)
MOST_CPU_RATIO = 0.10
MOST_INTERVAL_RATIO = 0.10
"""Of the shortest intervals between messages without a loss: ten times the rate."""
QUEUES = {"default": "with a default queue of 10", "equal": "with a queue as deep as the recorder's"}
"""Of the ordinary subscriber."""
SOCKET_BUFFER_BYTES = 4_194_304
LONGEST_S = 3600
USER = 10001


@dataclass(frozen=True)
class Found:
    """What the program in the pod has told.

    Attributes:
        comparisons: controls and claims.
        cpu: the claim about processor time.
        intervals: the claim about rates by queue of the subscriber, as seconds per message; none where a listener
            never was free of loss.
        bound: queues with which the sender was slower than the recorder, whose true rate may be larger.
        lost: messages that the recorder did not get or could not keep at the moderate rate.
    """

    comparisons: tuple[Comparison, ...]
    cpu: Comparison
    intervals: Mapping[str, Comparison | None]
    bound: tuple[str, ...]
    lost: int


def evaluate(lines: Sequence[dict[str, Any]], seed: int) -> Found:
    """Compute ratios from what the pod has told.

    Raises:
        ValueError: Fewer than three windows or searches.
    """
    windows = [line for line in lines if line["kind"] == "cpu"]
    searches = [line for line in lines if line["kind"] == "rate"]

    def seconds(name: str) -> list[float]:
        return [line["seconds"][name] for line in windows]

    cpu = compare(
        "CPU: recorder / subscriber", seconds("recorder"), seconds("subscriber"), seed=seed, limit=MOST_CPU_RATIO
    )
    comparisons = [compare("control, CPU: subscriber / subscriber", seconds("again"), seconds("subscriber"), seed=seed)]
    intervals: dict[str, Comparison | None] = {}
    for queue, having in QUEUES.items():
        sought = [line for line in searches if line["queue"] == queue]
        control, intervals[queue] = _rates(sought, having, seed)
        comparisons += [control] if control else []
    lost = sum(line["sent"] - line["received"]["recorder"] for line in windows)
    lost += sum(line["recorder"] for line in lines if line["kind"] == "dropped")
    bound = tuple(sorted({line["queue"] for line in searches if line["recorder"]["is_bound"]}))
    claims = [cpu, *(one for one in intervals.values() if one)]
    return Found((*comparisons, *claims), cpu, intervals, bound, lost)


def _rates(searches: Sequence[dict[str, Any]], having: str, seed: int) -> tuple[Comparison | None, Comparison | None]:
    """Give control and claim of one queue; nothing where a listener never was free of loss."""
    if not all(line[name]["hz"] > 0 for line in searches for name in ("recorder", "subscriber", "again")):
        return None, None

    def intervals(name: str) -> list[float]:
        return [1 / line[name]["hz"] for line in searches]

    ordinary = intervals("subscriber")
    control = f"control, shortest interval, subscribers {having}: subscriber / subscriber"
    claim = f"shortest interval without a loss: recorder / subscriber {having}"
    return (
        compare(control, intervals("again"), ordinary, seed=seed),
        compare(claim, intervals("recorder"), ordinary, seed=seed, limit=MOST_INTERVAL_RATIO),
    )


def manifests(image: str, arguments: Sequence[str], program: Sequence[str] = PROGRAM) -> list[dict[str, Any]]:
    """Namespace, profile and pod."""
    metadata = {"namespace": NAMESPACE}
    environment = {
        "FASTRTPS_DEFAULT_PROFILES_FILE": "/etc/ros2bench/fastdds.xml",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        "ROS_STATIC_PEERS": "127.0.0.1",
        "ROS_DOMAIN_ID": "97",
    }
    container = {
        "name": "benchmark",
        "image": image,
        "args": [*program, *arguments],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "securityContext": restricted_context(),
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": [
            {"name": "configuration", "mountPath": "/etc/ros2bench", "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - the mount itself
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "configuration", "configMap": {"name": POD}},
            {"name": "temporary", "emptyDir": {"sizeLimit": "2Gi"}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        ],
    }
    profile = {"fastdds.xml": fastdds_profile(SOCKET_BUFFER_BYTES, unicast_only=True)}
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POD, **metadata}, "data": profile},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, **metadata}, "spec": pod},
    ]


def kubectl(*words: str, may_fail: bool = False) -> str:
    """Run kubectl; gives what it printed.

    Raises:
        typer.Exit: It failed; what it said has been printed.
    """
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode and not may_fail:
        console.print(
            f"kubectl {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}", markup=False
        )
        raise typer.Exit(4)
    return done.stdout


def run_in_pod(image: str, arguments: Sequence[str], program: Sequence[str] = PROGRAM) -> list[dict[str, Any]]:
    """Run the program in a pod and give its lines; the namespace is removed in the end.

    Raises:
        typer.Exit: The pod failed; its log has been printed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": manifests(image, arguments, program)}, file)
        file.flush()
        try:
            kubectl("apply", "--server-side", "-f", file.name)
            kubectl(
                "wait", "-n", NAMESPACE, f"pod/{POD}", "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
                f"--timeout={LONGEST_S}s",
            )  # fmt: skip
            log = kubectl("logs", "-n", NAMESPACE, POD)
            code = kubectl(
                "get", "-n", NAMESPACE, f"pod/{POD}", "-o",
                "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}",
            )  # fmt: skip
        finally:
            kubectl("delete", "namespace", NAMESPACE, "--wait", "--ignore-not-found", may_fail=True)
    if code != "0":
        console.print(f"The program in the pod ended with {code}:\n{log}", markup=False)
        raise typer.Exit(4)
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def main(
    topics: Annotated[int, typer.Option(min=1, help="Number of topics.")] = 50,
    rate_hz: Annotated[float, typer.Option(help="Messages per second and topic.")] = 30.0,
    windows: Annotated[int, typer.Option(min=3, help="Windows in which processor time is compared.")] = 10,
    window_s: Annotated[float, typer.Option(help="Length of a window.")] = 5.0,
    rate_topics: Annotated[int, typer.Option(min=1, help="Topics of the searches.")] = 1,
    searches: Annotated[int, typer.Option(min=3, help="Searches for the largest rate.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare the recorder with an ordinary subscriber, after a control of two of these."""
    need("KUBECONFIG", "ROS2BENCH_IMAGES_LOCK")
    image = read_lock(Path(os.environ["ROS2BENCH_IMAGES_LOCK"])).reference("recorder")
    asked = {
        "topics": topics,
        "rate-hz": rate_hz,
        "windows": windows,
        "window-s": window_s,
        "rate-topics": rate_topics,
        "searches": searches,
    }
    lines = run_in_pod(image, [f"--{name}={value}" for name, value in asked.items()] + [f"--seed={seed}"])
    found = evaluate(lines, seed)
    show("recorder_against_subscriber", found.comparisons, keep)
    slower = " and ".join(QUEUES[queue] for queue in found.bound)
    bound = f" The sender was slower than the recorder, which may be faster still ({slower})." if slower else ""
    console.print(f"Recorder: {found.lost} messages lost at {topics} x {rate_hz:g} Hz.{bound}")
    claims = (found.cpu, *found.intervals.values())
    if found.lost or not all(one and one.limit and one.ratio <= one.limit for one in claims):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
