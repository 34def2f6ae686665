"""Arms of a benchmark that are stacks: made for it, measured in one campaign, read back from their records."""

import json
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import typer

from benchmarks.command import PROJECT, QUIET, call, console


@contextmanager
def own_stacks(files: Mapping[str, str]) -> Generator[None]:
    """Make a benchmark's own stacks, and remove them with their files.

    Args:
        files: content of the stack file of each.
    """
    try:
        for name, content in files.items():
            (PROJECT / f"Pulumi.{name}.yaml").write_text(content)
            call("pulumi", "stack", "init", name, shows_progress=True)
        yield
    finally:
        for name in files:
            subprocess.run(["pulumi", "destroy", "-s", name, *QUIET], check=False, cwd=PROJECT)
            subprocess.run(["pulumi", "stack", "rm", name, "--yes"], check=False, cwd=PROJECT)
            (PROJECT / f"Pulumi.{name}.yaml").unlink(missing_ok=True)


def measure(arms: Sequence[str], repetitions: int, duration_s: float, seed: int, store: Path) -> None:
    """Measure all arms in one campaign, in randomised interleaved order.

    Args:
        arms: stacks, each of which is up or parked.
        repetitions: of each arm.
        duration_s: length of each measured window.
        seed: of the order.
        store: folder that keeps the records.
    """
    words = ["python", "-m", "probes.run", "--cycles", "install", "--json", "--store", f"dir:{store.resolve()}"]
    for arm in arms:
        words += ["-s", arm]
    words += ["--repetitions", str(repetitions), "--duration-s", str(duration_s), "--seed", str(seed)]
    call(*words, shows_progress=True)


def newest_records(store: Path, arms: Sequence[str]) -> dict[str, Path]:
    """Folder of the newest complete record of each arm.

    Raises:
        typer.Exit: an arm has none.
    """
    found: dict[str, Path] = {}
    for file in sorted(store.glob("runs/**/manifest.json"), key=lambda file: file.parent.name):
        manifest = json.loads(file.read_bytes())
        if manifest["state"] == "complete":
            found[manifest["stack"]] = file.parent
    if absent := [arm for arm in arms if arm not in found]:
        console.print(f"{store} has no complete record of {', '.join(absent)}; measure again")
        raise typer.Exit(3)
    return {arm: found[arm] for arm in arms}


def values(folder: Path, metric: str) -> list[float]:
    """A metric of each repetition of a record.

    Raises:
        ValueError: a repetition has none.
    """
    readings = pl.read_parquet(folder / "metrics.parquet")
    chosen = readings.filter((pl.col("name") == metric) & (pl.col("labels") == "{}") & (pl.col("repetition") >= 0))
    found = chosen.sort("repetition")["value"]
    if found.null_count() or found.is_empty():
        raise ValueError(f"{folder}: a repetition has no {metric}")
    return found.to_list()
