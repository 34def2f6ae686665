"""`python -m probes.compact`: of each day one Parquet set with the summaries and observations of all its runs.

Originals stay. A set is named after the runs in it, its files are created and never changed, and the list of included
runs comes last: two commands at once, or one that is killed anywhere, leave nothing that a reader could mistake.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any

import polars as pl
import typer

from probes.compacted import File, best_sets, digest_of, encode_frame, encode_included, file_name, folder, included_key
from probes.console import Screen
from probes.errors import ExitCode, ProbeError, RecordConflict, RecordInvalid, StoreUnavailable
from probes.integrity import MANIFEST_FILE, check_record, digest
from probes.observations import in_order, nothing_observed, observations_of
from probes.records import OBJECT_MISSING, THREADS, Place, manifest_at, places, table_at
from probes.run_summary import RunFilter, run_row, runs_frame
from probes.store import Store
from probes.store_choice import chosen_store
from probes.tables import decode_table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Day:
    """What became of one day.

    Args:
        day: YYYY-MM-DD.
        runs: Runs in its set.
        observations: Observations in the set; None where it was there already.
        problems: Records that were left out, and why.
    """

    day: str
    runs: int
    observations: int | None
    problems: tuple[ProbeError, ...]


def compact(store: Store, where: RunFilter, tell: Callable[[str], None] = lambda _: None) -> tuple[Day, ...]:
    """Compact every day of a span that has committed records which no set of it holds.

    Args:
        store: Where the records lie.
        where: The span of days; its other fields are not looked at.
        tell: Is told which day comes next.

    Raises:
        StoreUnavailable: The store cannot be read or written.
    """
    held = {day_set.day: frozenset(day_set.run_ids) for day_set in best_sets(store, where)}
    by_day: Mapping[str, list[Place]] = defaultdict(list)
    for place in places(store, where):
        by_day[place.day].append(place)
    days: list[Day] = []
    for day, runs in sorted(by_day.items()):
        tell(f"{day}: {len(runs)} runs")
        days.append(_compact_day(store, day, runs, held.get(day, frozenset())))
    return tuple(days)


def _compact_day(store: Store, day: str, runs: Sequence[Place], held: frozenset[str]) -> Day:
    if {place.run_id for place in runs} <= held:
        return Day(day, len(held), None, ())
    with ThreadPoolExecutor(THREADS) as threads:
        read = list(threads.map(partial(_read, store), runs))
    problems = tuple(outcome for outcome in read if isinstance(outcome, ProbeError))
    sound = [outcome for outcome in read if isinstance(outcome, tuple)]
    run_ids = {row["run_id"] for row, _ in sound}
    if run_ids <= held:
        return Day(day, len(held), None, problems)
    observed = in_order(pl.concat([nothing_observed(), *(frame for _, frame in sound)]))
    frames = {"observations": observed, "runs": runs_frame([row for row, _ in sound])}
    set_digest = digest_of(run_ids)
    files = [_put(store, day, file_name(kind, set_digest), frame) for kind, frame in sorted(frames.items())]
    store.put(included_key(day, set_digest), encode_included(run_ids, files))
    return Day(day, len(run_ids), observed.height, problems)


def _read(store: Store, place: Place) -> tuple[dict[str, Any], pl.DataFrame] | ProbeError | None:
    """Verify one record, every table of it, and give its row and its observations; None where nothing commits it."""
    try:
        manifest = manifest_at(store, place.prefix)
        checked = check_record(
            store.get(place.prefix + MANIFEST_FILE), lambda name: _part(store, place.prefix + name), place.prefix
        )
        if checked.problems:
            first = checked.problems[0]
            return RecordInvalid(
                f"Run {place.run_id} does not verify: {first.key} {first.text}.", next_step="python -m probes.verify"
            )
        return run_row(manifest, place.prefix), observations_of(
            manifest, table_at(store, place.prefix, manifest, "metrics")
        )
    except StoreUnavailable as problem:
        if problem.reason == OBJECT_MISSING:
            return None
        raise
    except ProbeError as problem:
        return problem


def _part(store: Store, key: str) -> bytes | None:
    try:
        return store.get(key)
    except StoreUnavailable as problem:
        if problem.reason == OBJECT_MISSING:
            return None
        raise


def _put(store: Store, day: str, name: str, frame: pl.DataFrame) -> File:
    """Create a file of a set; one that is there with the same rows in other bytes is as good.

    Another version of Polars may write the same rows differently.
    """
    key, payload = folder(day) + name, encode_frame(frame)
    try:
        store.put(key, payload)
    except RecordConflict:
        payload = store.get(key)
        if not decode_table(payload).equals(frame):
            raise
    return File(name, len(payload), digest(payload))


@app.command()
def main(
    store: Annotated[
        str | None, typer.Option(help="dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX. Default: the environment's.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC. Default: the first there is.")
    ] = None,
) -> None:
    """Compact the records of each day, so that many runs can be compared fast. Originals stay as they are."""
    screen = Screen()
    first: date | None = since.date() if since else None
    try:
        days = compact(chosen_store(store), RunFilter(since=first), screen.step)
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    for day in days:
        for problem in day.problems:
            screen.error(problem)
        done = "was there" if day.observations is None else f"{day.observations} observations, written"
        left_out = f", {len(day.problems)} left out" if day.problems else ""
        screen.line(f"{day.day}  {day.runs} runs, {done}{left_out}")
    if not days:
        screen.line("There are no committed records in that span of days.")
    raise typer.Exit(ExitCode.INVALID if any(day.problems for day in days) else ExitCode.COMMITTED)


if __name__ == "__main__":
    app()
