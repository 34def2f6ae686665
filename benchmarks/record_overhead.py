"""What recording adds to a run: its tables written and sealed, its record uploaded, over the time of the run itself.

    python -m benchmarks.record_overhead [--spool FOLDER] [--pairs 20]

Runs that were measured earlier are recorded once more from what they left in the spool, in a folder of this
benchmark's own: journal, tables of each repetition, seal, upload, every object read back and compared. The object store
is a SeaweedFS of this benchmark's own on 127.0.0.1. A pair is a run with its recording over the run without; the time
of a run is that of its repetitions, as its journal tells it. Runs that are shorter than three repetitions of the
default length, the fewest that carry an interval, are left out. The control records the same run twice.
"""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from benchmarks.command import console
from benchmarks.paired import Comparison, compare, run_pairs, show
from benchmarks.seaweedfs import BUCKET, single
from probes.journal import Entry, Journal
from probes.kept import read_kept, write_repetition
from probes.record import CONTEXT_FILE, End, seal, upload
from probes.run_id import new_run_id
from probes.spool import RunFolder, Spool
from probes.store import S3Store, Store

LIMIT = 1.005
LEAST_RUN_S = 90
PAIRS = 20
ADDED = frozenset({"tables", "sha256"})


@dataclass(frozen=True)
class MeasuredRun:
    """A run as it lies in the spool.

    Attributes:
        run_id: its identifier.
        run_s: sum of its repetitions, each from its first state to `collected`; other stacks' turns do not count.
        context: what was known before the first repetition.
        repetitions: facts and tables of each.
    """

    run_id: str
    run_s: float
    context: Mapping[str, Any]
    repetitions: Sequence[tuple[Mapping[str, Any], Mapping[str, pl.DataFrame]]]


def read_run(folder: RunFolder) -> MeasuredRun | None:
    """Read a run; None where it did not collect what was planned."""
    entries = folder.read_journal().entries
    states = {entry.state for entry in entries}
    if "collected" not in states or states & {"failed", "aborted"}:
        return None
    kept = read_kept(folder)
    # What `write_repetition` adds itself.
    bare = [{key: value for key, value in facts.items() if key not in ADDED} for facts in kept.repetitions]
    found = [(facts, kept.tables.get(f"{facts['repetition']:03d}", {})) for facts in bare]
    if not found or any("samples" not in tables for _, tables in found):
        return None
    return MeasuredRun(folder.run_id, repetitions_s(entries), folder.read_json(CONTEXT_FILE), found)


def repetitions_s(entries: Sequence[Entry]) -> float:
    """Sum the repetitions of a journal, each from its first state to `collected`."""
    total_ns, began_ns = 0, None
    for entry in entries:
        if entry.state == "collected" and began_ns is not None:
            total_ns, began_ns = total_ns + entry.at_ns - began_ns, None
        elif began_ns is None and entry.state in {"deploying", "ready", "measuring"}:
            began_ns = entry.at_ns
    return total_ns / 1e9


def record_s(run: MeasuredRun, spool: Spool, store: Store) -> float:
    """Record a run once more, under a new name; gives the seconds that it took."""
    began_s = time.monotonic()
    folder = spool.create(new_run_id())
    with Journal(folder.path) as journal:
        journal.append("planned", stack=run.context["stack"], store=None)
        folder.write_json(CONTEXT_FILE, {**run.context, "run_id": folder.run_id})
        for facts, tables in run.repetitions:
            for state in ("deploying", "ready", "measuring"):
                journal.append(state, repetition=facts["repetition"])
            write_repetition(folder, facts["repetition"], facts, tables)
            journal.append("collected", repetition=facts["repetition"])
        seal(folder, journal, End("complete", None))
        upload(folder, journal, store)
    return time.monotonic() - began_s


def measure(runs: Sequence[MeasuredRun], spool: Spool, store: Store, *, pairs: int, seed: int) -> list[Comparison]:
    """Record the runs in turn, after a control that records each one twice; the control comes first."""
    turn = count()

    def with_record() -> float:
        run = runs[next(turn) // 2 % len(runs)]
        return run.run_s + record_s(run, spool, store)

    record_s(runs[0], spool, store)  # The first one imports and connects.
    again, other = run_pairs(with_record, with_record, pairs=pairs, seed=seed, tell=console.print)
    control = compare("control: run with record / the same again", again, other, seed=seed)
    chosen = list(islice(cycle(runs), pairs))
    first = [run.run_s + record_s(run, spool, store) for run in chosen]
    found = compare("run with record / run without", first, [run.run_s for run in chosen], seed=seed, limit=LIMIT)
    return [control, found]


def main(
    spool: Annotated[Path | None, typer.Option(help="Spool with measured runs. Default: the user's own.")] = None,
    least_run_s: Annotated[float, typer.Option(help="Shorter runs are left out.")] = LEAST_RUN_S,
    pairs: Annotated[int, typer.Option(min=3, help="Pairs of each comparison.")] = PAIRS,
    seed: Annotated[int, typer.Option(help="Seed of the order within the pairs.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare runs with and without their record."""
    measured = Spool(spool)
    runs = [run for run in map(read_run, measured.runs()) if run is not None and run.run_s >= least_run_s]
    if not runs:
        text = f"There is no measured run of {least_run_s:g} s or more in {measured.root}. Type: python -m probes.run"
        console.print(text, markup=False)
        raise typer.Exit(2)
    with tempfile.TemporaryDirectory() as folder, single(Path(folder) / "store") as weed:
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = weed.operator
        store = S3Store(BUCKET, "", weed.endpoint, "us-east-1")
        found = measure(runs, Spool(Path(folder) / "spool"), store, pairs=pairs, seed=seed)
    show("record_overhead", found, keep)
    if not found[0].holds_one:
        console.print("The control does not hold 1: this machine was too restless, measure again.")
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
