"""What the recorder costs that Prometheus reads every second: as exporter alone, and while it measures a run.

    python -m benchmarks.exporter_cost [--rounds 5]

Runs `ros2bench_recorder.benchmark.scraped` of the recorder image in a pod of its own: a sender, and a recorder that
counts and is read once a second, as it does all day; that keeps every message for a run besides; and that keeps them
but is not read, twice: the control. The windows come in an order drawn anew for each round.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.command import console, need
from benchmarks.paired import Comparison, compare, show
from benchmarks.recorder_against_subscriber import run_in_pod
from components.image import read_lock

MOST_SHARE = 0.05
PROGRAM = ("python3", "-m", "ros2bench_recorder.benchmark.scraped")


def evaluate(rounds: Sequence[Mapping[str, Any]], window_s: float, seed: int) -> tuple[Comparison, ...]:
    """Compute the control, what reading adds, and the shares of a core of a recorder that is read.

    Raises:
        ValueError: Fewer than three rounds.
    """

    def seconds(arm: str) -> list[float]:
        return [each[arm]["cpu_s"] for each in rounds]

    whole = [window_s] * len(rounds)
    return (
        compare("control: not read / not read", seconds("again"), seconds("unread"), seed=seed),
        compare("CPU: read every second / not read", seconds("read"), seconds("unread"), seed=seed),
        compare(
            "CPU of one core: exporter, read every second", seconds("exporter"), whole, seed=seed, limit=MOST_SHARE
        ),
        compare("CPU of one core: the same while it keeps a run", seconds("read"), whole, seed=seed),
    )


def main(
    topics: Annotated[int, typer.Option(min=1, help="Number of topics.")] = 50,
    rate_hz: Annotated[float, typer.Option(help="Messages per second and topic.")] = 30.0,
    rounds: Annotated[int, typer.Option(min=3, help="Rounds of four windows.")] = 5,
    window_s: Annotated[float, typer.Option(help="Length of a window.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Measure what the exporter costs, after a control."""
    need("KUBECONFIG", "ROS2BENCH_IMAGES_LOCK")
    image = read_lock(Path(os.environ["ROS2BENCH_IMAGES_LOCK"])).reference("recorder")
    asked = {"topics": topics, "rate-hz": rate_hz, "rounds": rounds, "window-s": window_s, "seed": seed}
    lines = run_in_pod(image, [f"--{name}={value}" for name, value in asked.items()], PROGRAM)
    found = evaluate(lines, window_s, seed)
    show("exporter_cost", found, keep)
    read = [line[arm] for line in lines for arm in ("exporter", "read")]
    lost = sum(each["sent"] - each["received"] for line in lines for each in line.values() if isinstance(each, dict))
    console.print(
        f"{topics} topics x {rate_hz:g} Hz: {lost} messages lost; {sum(each['pages'] for each in read)} pages of at "
        f"most {max(each['page_bytes'] for each in read)} bytes read."
    )
    if lost or "broken" in {one.verdict for one in found}:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
