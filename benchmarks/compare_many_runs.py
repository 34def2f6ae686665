"""What compaction saves when many runs are compared: the same comparison from manifests and from compacted files.

    python -m benchmarks.compare_many_runs --folder /tmp/many-runs

The records are synthetic (benchmarks.synthetic_records), and the comparison is of one metric: mean and standard error
of each pattern, with the run as the unit. From manifests a sample of 1,000 runs is read, and its time scaled: each
record costs the same. Every comparison runs in a process of its own, without its imports; before each, the compacted
files leave the page cache (reading a record of a folder does so by itself). In the store of 100,000 runs the records
are empty folders, because compaction leaves their names to be listed and nothing else. Over 1,000,000 runs the
compacted files alone are scanned, as somebody's own query does. The whole command, `python -m probes.compare`, is timed
from its start to its end, with its imports; it reads two runs of many, because it takes of each stack the newest.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from benchmarks.command import PROJECT, console
from benchmarks.paired import LEAST_PAIRS, run_pairs, show
from benchmarks.paired import compare as compare_times
from benchmarks.synthetic_records import PATTERNS, Size, write_compacted, write_records
from probes.compacted import best_sets, scan_observations, scan_runs
from probes.records import list_runs, observations
from probes.run_summary import RunFilter
from probes.store_folder import FolderStore

KEY = "inference_s"
LEAST_RATIO = 300
LIMIT_S = 1.0
LIMIT_OF_A_MILLION_S = 2.0
SAMPLE = Size(runs=1_000)
HUNDRED_THOUSAND = Size(runs=100_000)
MILLION = Size(runs=1_000_000, keys=20, repetitions=3)


def by_pattern(runs: pl.LazyFrame, observed: pl.LazyFrame) -> pl.DataFrame:
    """Give mean and standard error of each pattern, with the run as the unit.

    The rows of a run lie together, and comparing neighbours costs less than a table of a million names; if they did
    not, a run would count twice and there would be more runs than were written.
    """
    numbered = observed.select("run_id", "value").with_columns(pl.col("run_id").rle_id().alias("number"))
    means = numbered.group_by("number").agg(pl.col("run_id").first(), pl.col("value").mean())
    return (
        means.join(runs.select("run_id", "pattern"), on="run_id")
        .group_by("pattern")
        .agg(
            pl.len().alias("runs"),
            pl.col("value").mean().alias("mean"),
            (pl.col("value").std() / pl.len().sqrt()).alias("error"),
        )
        .sort("pattern")
        .collect()
    )


def compare(root: Path) -> pl.DataFrame:
    """Compare as the program does: list the runs, also those that no set holds, then read what was observed."""
    store = FolderStore(root)
    runs = list_runs(store, RunFilter(states=("complete",)))
    observed = observations(store, runs, keys=(KEY,))
    named = pl.LazyFrame({"run_id": [run.run_id for run in runs], "pattern": [run.pattern for run in runs]})
    return by_pattern(named, observed.lazy())


def scan(root: Path) -> pl.DataFrame:
    """Compare over the compacted sets alone, as a query does that somebody types."""
    store = FolderStore(root)
    sets = best_sets(store)
    runs = scan_runs(store, sets).filter(pl.col("state") == "complete")
    return by_pattern(runs, scan_observations(store, sets).filter(pl.col("key") == KEY))


WAYS: dict[str, Callable[[Path], pl.DataFrame]] = {"compare": compare, "scan": scan}


@dataclass(frozen=True)
class Timing:
    """Seconds of one comparison, and how many runs it found."""

    seconds: float
    runs: int


def timed(way: str, root: Path) -> Timing:
    """Compare in this process."""
    began_s = time.perf_counter()
    table = WAYS[way](root)
    return Timing(time.perf_counter() - began_s, int(table["runs"].sum()))


def cold_s(way: str, root: Path, size: Size) -> float:
    """Compare in a new process, with no compacted file in the page cache; gives the seconds without imports.

    Raises:
        ValueError: It found other runs than there are.
    """
    forget(root)
    command = [sys.executable, "-m", "benchmarks.compare_many_runs", "--folder", str(root), "--only", way]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    timing = Timing(**json.loads(done.stdout))
    if timing.runs != size.runs:
        raise ValueError(f"{root} holds {size.runs} runs, but {timing.runs} were compared")
    return timing.seconds


def whole_command_s(root: Path) -> float:
    """Give the seconds of the command from its start to its end, with no compacted file in the page cache."""
    forget(root)
    command = [sys.executable, "-m", "probes.compare", *PATTERNS[:2], "--store", f"dir:{root}", "--json"]
    began_s = time.perf_counter()
    subprocess.run(command, cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began_s


def forget(root: Path) -> None:
    """Take the compacted files out of the page cache."""
    for path in (root / "compacted").rglob("*.*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def made(root: Path, size: Size, write: Callable[[Path, Size], None]) -> Path:
    """Make a folder of records unless it is there already."""
    if not root.exists():
        aside = root.with_name(f"{root.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write(aside, size)
        aside.rename(root)
    return root


def main(
    folder: Annotated[Path, typer.Option(help="Where the synthetic records go, some 2 GB. They are kept.")],
    pairs: Annotated[int, typer.Option(min=3, help="Pairs of each comparison.")] = LEAST_PAIRS,
    seed: Annotated[int, typer.Option(help="Seed of the order within the pairs.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
    only: Annotated[str | None, typer.Option(help="Time one comparison over the folder: compare or scan.")] = None,
) -> None:
    """Compare the two ways, after a control of one way against itself."""
    if only:
        sys.stdout.write(json.dumps(asdict(timed(only, folder))))
        return
    sample = made(folder / "sample", SAMPLE, write_records)
    many = made(folder / "hundred-thousand", HUNDRED_THOUSAND, write_compacted)
    most = made(folder / "million", MILLION, partial(write_compacted, with_folders=False))
    os.sync()
    scaled = HUNDRED_THOUSAND.runs / SAMPLE.runs

    def compacted_s() -> float:
        return cold_s("compare", many, HUNDRED_THOUSAND)

    def manifests_s() -> float:
        return scaled * cold_s("compare", sample, SAMPLE)

    again, other = run_pairs(compacted_s, compacted_s, pairs=pairs, seed=seed, tell=console.print)
    first, second = run_pairs(compacted_s, manifests_s, pairs=pairs, seed=seed, tell=console.print)
    million = [cold_s("scan", most, MILLION) for _ in range(pairs)]
    whole = [whole_command_s(many) for _ in range(pairs)]
    control = compare_times("control: compacted / compacted, 100,000 runs", again, other, seed=seed)
    found = [
        control,
        compare_times("compacted / manifests, 100,000 runs", first, second, seed=seed, limit=1 / LEAST_RATIO),
        compare_times("compacted, 100,000 runs / 1 s", first, [LIMIT_S] * pairs, seed=seed, limit=1),
        compare_times("scan of 1,000,000 runs / 2 s", million, [LIMIT_OF_A_MILLION_S] * pairs, seed=seed, limit=1),
    ]
    found.append(compare_times("whole command, 100,000 runs / 1 s", whole, [LIMIT_S] * pairs, seed=seed))
    show("compare_many_runs", found, keep)
    console.print(f"compacted is {1 / found[1].ratio:.0f} times as fast (at least {LEAST_RATIO} is asked for)")
    if not control.holds_one:
        console.print("The control does not hold 1: this machine was too restless, measure again.")
        raise typer.Exit(3)
    raise typer.Exit(0 if all(one.verdict in {"kept", "reported"} for one in found) else 1)


if __name__ == "__main__":
    typer.run(main)
