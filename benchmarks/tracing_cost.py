"""What tracing takes of a node's processor time, measured where nothing else is: in a process that only wakes.

    python -m benchmarks.tracing_cost --manifest RUN/manifest.json [--rounds 10]

`benchmarks.tracing_overhead` compares whole applications; a difference of 1 % drowns there in what applications scatter
by. This one runs `ros2bench_recorder.benchmark.traced` of the recorder image in a pod of its own: windows with and
without tracing, each in a process of its own, and a control of two without. What tracing adds is set against the share
of one node in the application's own processor time: that of a run without tracing on the same machine, whose manifest
is given. A node that is busy has colder caches than a process that sleeps: take the result for a lower bound.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.command import console, need
from benchmarks.paired import LEAST_PAIRS, Comparison, compare, show
from benchmarks.recorder_against_subscriber import run_in_pod
from components.image import read_lock

PROGRAM = ("python3", "-m", "ros2bench_recorder.benchmark.traced")
NODES = 4
LIMIT = 1.01
CPU = "cpu_cores"


def application_cores(manifest: Mapping[str, Any]) -> float:
    """Give the cores that the application of a run took.

    Raises:
        typer.BadParameter: The run has none, or its nodes were traced.
    """
    if (manifest["spec"].get("tracing") or {}).get("enabled"):
        raise typer.BadParameter(f"the nodes of run {manifest['run_id']} were traced; give one without tracing")
    found = manifest["metrics"].get(CPU, {})
    if "value" not in found:
        raise typer.BadParameter(
            f"{CPU} of run {manifest['run_id']} is missing: {found.get('missing', 'not measured')}"
        )
    return float(found["value"])


def evaluate(rounds: Sequence[Mapping[str, float]], window_s: float, cores: float, seed: int) -> tuple[Comparison, ...]:
    """Compute the control, and the processor time of a node with tracing over that without.

    The limit holds at the sampling rate that a stack has by default; every frame is the most that can be asked for.

    Args:
        rounds: Seconds of processor time of each arm.
        window_s: Length of their windows.
        cores: What the whole application takes without tracing.
        seed: Seed of the intervals.

    Raises:
        ValueError: Fewer than three rounds.
    """
    node_s = cores * window_s / NODES

    def with_node(arm: str) -> list[float]:
        return [node_s + each[arm] - each["untraced"] for each in rounds]

    untraced = [node_s] * len(rounds)
    return (
        compare("control: untraced-again / untraced, a node", with_node("again"), untraced, seed=seed),
        compare(
            "traced / untraced, a node, every seventh frame", with_node("sampled"), untraced, seed=seed, limit=LIMIT
        ),
        compare("traced / untraced, a node, every frame", with_node("traced"), untraced, seed=seed),
    )


def main(
    manifest: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Manifest of a run of microservices here.")
    ],
    rate_hz: Annotated[float, typer.Option(help="Frames per second.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=3, help="Rounds of four windows.")] = LEAST_PAIRS,
    window_s: Annotated[float, typer.Option(help="Length of a window.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Measure what tracing adds to a node, after a control."""
    need("KUBECONFIG", "ROS2BENCH_IMAGES_LOCK")
    cores = application_cores(json.loads(manifest.read_text()))
    image = read_lock(Path(os.environ["ROS2BENCH_IMAGES_LOCK"])).reference("recorder")
    asked = {"rate-hz": rate_hz, "rounds": rounds, "window-s": window_s, "seed": seed}
    lines = run_in_pod(image, [f"--{name}={value}" for name, value in asked.items()], PROGRAM)
    found = evaluate(lines, window_s, cores, seed)
    show("tracing_cost", found, keep)
    for arm, which in (("sampled", "every seventh frame"), ("traced", "every frame")):
        added_ms = 1000 * sum(each[arm] - each["untraced"] for each in lines) / len(lines) / window_s
        console.print(f"Tracing {which} takes {added_ms:.2f} ms of processor time a second in a node.")
    console.print(f"Four nodes take {1000 * cores:.0f} ms a second.")
    if "broken" in {one.verdict for one in found}:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
