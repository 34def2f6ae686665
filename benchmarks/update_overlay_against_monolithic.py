"""From a change of one package to the first message of what was changed: overlay against monolithic.

    python -m benchmarks.update_overlay_against_monolithic [--pairs 10]

A line of the detector's source changes in a copy of the project; the image of the pattern that holds it is built and
pushed from there, `pulumi up` rolls it out, and the time ends when the recorder gets the first result of the new
processes (their frame numbers begin anew). Monolithic is measured twice: `cached`, where every layer below the change
is at hand, and `clean`, where each layer is built anew as on a machine that keeps no cache. The control is the overlay
against itself.
"""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import PROJECT, QUIET, call, console, need
from benchmarks.paired import LEAST_PAIRS, compare, run_pairs, show
from probes.cluster import connect
from probes.provenance import boot_id
from probes.session import endpoint_of, recorder_of
from probes.target import PulumiTarget

CHANGED = Path("images/workspace/src/ros2bench_nodes/ros2bench_nodes/detector.py")
ROLES = {"monolithic": "application-monolithic", "overlay": "overlay-nodes"}
LIMIT = 0.2
WAIT_S = 180.0
POLL_S = 0.2
MOST_SAMPLES = 100_000


def copy_of_the_project(folder: Path) -> Path:
    """Copy what is tracked, so that a change touches no file of the user's."""
    copy = folder / "project"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in tracked.rstrip("\0").split("\0"):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target)
    return copy


def change(copy: Path) -> None:
    """Change one line of one node's source, to something that was never there before."""
    file = copy / CHANGED
    kept = [line for line in file.read_text().splitlines() if not line.startswith("CHANGE = ")]
    file.write_text("\n".join([*kept, f"CHANGE = '{secrets.token_hex(8)}'"]) + "\n")


def deploy_change(stack: str, copy: Path, lock: Path, *, clean: bool) -> None:
    """Build, push and roll out what has changed, as a user does."""
    words = [sys.executable, "-m", "images.build", "--registry", os.environ["ROS2BENCH_REGISTRY"], "--lock", str(lock)]
    if "ROS2BENCH_REGISTRY_CA" in os.environ:
        words += ["--ca", os.environ["ROS2BENCH_REGISTRY_CA"]]
    words += ["--no-cache"] if clean else []
    call(*words, ROLES[stack], folder=copy)
    call("pulumi", "up", "-s", stack, *QUIET, environment={"ROS2BENCH_IMAGES_LOCK": str(lock)})


async def update_s(stack: str, copy: Path, lock: Path, *, clean: bool) -> float:
    """Seconds from the change to the first result of the new processes.

    Raises:
        TimeoutError: no result of new processes arrived.
    """
    outputs = PulumiTarget().outputs(stack)
    async with connect() as cluster, recorder_of(cluster, endpoint_of(outputs)) as recorder:
        clock = await recorder.clock_offset(boot_id(), (await recorder.status()).boot_id)
        capture = f"update-{secrets.token_hex(8)}"
        await recorder.start(capture, MOST_SAMPLES)
        try:
            await asyncio.sleep(1)
            change(copy)
            began_ns = time.time_ns()
            await asyncio.to_thread(deploy_change, stack, copy, lock, clean=clean)
            deadline_s = time.monotonic() + WAIT_S
            while True:
                arrivals = (await recorder.samples(capture, "/results")).rows
                restarted = arrivals[1:][arrivals[1:, 0] < arrivals[:-1, 0]]
                if restarted.size:
                    return (clock.to_runner(int(restarted[-1, 4])) - began_ns) / 1e9
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"stack {stack}: no result of new processes within {WAIT_S:g} s")
                await asyncio.sleep(POLL_S)
        finally:
            await recorder.stop(capture)
            await recorder.delete(capture)


def timed(stack: str, copy: Path, lock: Path, *, clean: bool = False) -> Callable[[], float]:
    """One way of the comparison: the stack runs alone, then it is updated, then it is parked."""

    def way() -> float:
        locked = {"ROS2BENCH_IMAGES_LOCK": str(lock)}
        call("pulumi", "up", "-s", stack, *QUIET, environment=locked)
        taken_s = asyncio.run(update_s(stack, copy, lock, clean=clean))
        call("pulumi", "up", "-s", stack, *QUIET, environment=locked | {"ROS2BENCH_STATE": "parked"})
        return taken_s

    return way


def main(
    pairs: Annotated[int, typer.Option(min=3, help="Pairs of each comparison.")] = LEAST_PAIRS,
    clean_pairs: Annotated[int, typer.Option(min=3, help="Pairs with monolithic built without any cache.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the order within the pairs.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare the two ways, after a control of one way against itself."""
    need("ROS2BENCH_REGISTRY")
    with tempfile.TemporaryDirectory(prefix="ros2bench-update-") as folder:
        copy = copy_of_the_project(Path(folder))
        lock = Path(folder) / "images.lock.json"
        shutil.copy2(os.environ["ROS2BENCH_IMAGES_LOCK"], lock)
        overlay = timed("overlay", copy, lock)
        ways = {
            "control: overlay / overlay": (overlay, pairs),
            "overlay / monolithic, cached": (timed("monolithic", copy, lock), pairs),
            "overlay / monolithic, clean": (timed("monolithic", copy, lock, clean=True), clean_pairs),
        }
        found = [
            compare(
                name,
                *run_pairs(overlay, other, pairs=count, seed=seed, tell=console.print),
                seed=seed,
                limit=None if other is overlay else LIMIT,
            )
            for name, (other, count) in ways.items()
        ]
    show("update_overlay_against_monolithic", found, keep)
    if not found[0].holds_one:
        console.print("The control does not hold 1: this machine was too restless, measure again.")
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
