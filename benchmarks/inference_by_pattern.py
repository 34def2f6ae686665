"""What a pattern adds to the time from capture to result: inference_s of each pattern over that of monolithic.

    python -m benchmarks.inference_by_pattern [--repetitions 10]

One campaign of `probes.run` over all arms, in randomised interleaved order; a repetition of one arm is paired with the
same repetition of monolithic. The control is monolithic once more, under another name. The arms `monolithic-again` and
`composition-shared` are stacks of this benchmark, made for it and removed with it.
"""

import json
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from benchmarks.command import PROJECT, QUIET, call, console, need
from benchmarks.paired import LEAST_PAIRS, Comparison, compare, show

BASELINE = "monolithic"
CONTROL = "monolithic-again"
ARMS = (BASELINE, CONTROL, "microservices", "composition", "composition-shared", "overlay")
OWN_STACKS = {
    CONTROL: "config:\n  ros2bench:spec:\n    pattern: monolithic\n",
    "composition-shared": (
        "config:\n  ros2bench:spec:\n    pattern: composition\n    composition:\n      process: shared\n"
    ),
}
LIMITS = {"composition": 1.1}


@contextmanager
def own_stacks() -> Generator[None]:
    """Make this benchmark's stacks, and remove them with their files."""
    try:
        for name, content in OWN_STACKS.items():
            (PROJECT / f"Pulumi.{name}.yaml").write_text(content)
            call("pulumi", "stack", "init", name, shows_progress=True)
        yield
    finally:
        for name in OWN_STACKS:
            subprocess.run(["pulumi", "destroy", "-s", name, *QUIET], check=False, cwd=PROJECT)
            subprocess.run(["pulumi", "stack", "rm", name, "--yes"], check=False, cwd=PROJECT)
            (PROJECT / f"Pulumi.{name}.yaml").unlink(missing_ok=True)


def medians(folder: Path) -> list[float]:
    """Seconds from capture to result, median of the frames, of each repetition of a record."""
    readings = pl.read_parquet(folder / "metrics.parquet")
    chosen = readings.filter(
        (pl.col("name") == "inference_s") & (pl.col("labels") == "{}") & (pl.col("repetition") >= 0)
    )
    values = chosen.sort("repetition")["value"]
    if values.null_count():
        raise ValueError(f"{folder}: a repetition has no inference_s")
    return values.to_list()


def comparisons(folders: dict[str, Path], *, seed: int) -> list[Comparison]:
    """Each arm over monolithic, the control first.

    Args:
        folders: folder of the record of each arm.
        seed: seed of the intervals.
    """
    baseline = medians(folders[BASELINE])
    found: list[Comparison] = []
    for arm, folder in folders.items():
        if arm != BASELINE:
            name = f"{'control: ' if arm == CONTROL else ''}{arm} / {BASELINE}, inference_s"
            found.append(compare(name, medians(folder), baseline, seed=seed, limit=LIMITS.get(arm)))
    return found


def measure(arms: Sequence[str], repetitions: int, duration_s: float, seed: int, store: Path) -> None:
    """Measure all arms in one campaign."""
    words = ["python", "-m", "probes.run", "--cycles", "install", "--json", "--store", f"dir:{store}"]
    for arm in arms:
        words += ["-s", arm]
    words += ["--repetitions", str(repetitions), "--duration-s", str(duration_s), "--seed", str(seed)]
    call(*words, shows_progress=True)


def newest_records(store: Path) -> dict[str, Path]:
    """Folder of the newest complete record of each arm.

    Raises:
        typer.Exit: an arm has none.
    """
    found: dict[str, Path] = {}
    for file in sorted(store.glob("runs/**/manifest.json"), key=lambda file: file.parent.name):
        manifest = json.loads(file.read_bytes())
        if manifest["state"] == "complete":
            found[manifest["stack"]] = file.parent
    if absent := [arm for arm in ARMS if arm not in found]:
        console.print(f"{store} has no complete record of {', '.join(absent)}; measure again")
        raise typer.Exit(3)
    return {arm: found[arm] for arm in ARMS}


def main(
    store: Annotated[Path, typer.Option(help="Folder that keeps the records.")],
    repetitions: Annotated[int, typer.Option(min=3, help="Repetitions of each arm.")] = LEAST_PAIRS,
    duration_s: Annotated[float, typer.Option(help="Length of each measured window.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    compare_only: Annotated[bool, typer.Option(help="Measure nothing; compare what the folder holds.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare the patterns, with a control of monolithic against itself."""
    if compare_only:
        show("inference_by_pattern", comparisons(newest_records(store), seed=seed), keep)
        return
    need("KUBECONFIG")
    with own_stacks():
        for arm in ARMS:
            call("pulumi", "up", "-s", arm, *QUIET, shows_progress=True)
            call("pulumi", "up", "-s", arm, *QUIET, environment={"ROS2BENCH_STATE": "parked"}, shows_progress=True)
        measure(ARMS, repetitions, duration_s, seed, store.resolve())
    show("inference_by_pattern", comparisons(newest_records(store), seed=seed), keep)


if __name__ == "__main__":
    typer.run(main)
