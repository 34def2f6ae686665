"""`python -m probes.list`: the runs of this machine and of a store, those that fit the filters, oldest first."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from probes.console import Screen
from probes.doctor import diagnose
from probes.errors import ExitCode, ProbeError, SpoolDamaged, UsageError
from probes.record import CONTEXT_FILE
from probes.record_sources import SpoolRecords, open_sources
from probes.records import find_runs
from probes.run_id import created_at
from probes.run_summary import RunFilter, RunSummary
from probes.spool import RunFolder, Spool

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
CONTRACT = 1
SHORT = 12
"""Digits of an identifier that are shown: its random end, by which every command finds the run."""
STATES = ("complete", "invalid", "failed", "aborted", "unsealed")
COLUMNS = ("run", "created (UTC)", "stack", "pattern", "application", "state", "repetitions", "campaign", "where")


@dataclass(frozen=True)
class Listed:
    """One run.

    Args:
        run_id: Identifier.
        created_at: When it began, UTC, to the second, in ISO 8601.
        stack: Stack that was measured.
        pattern: Its pattern.
        application: Name of the application.
        campaign: Identifier that the runs of one command share.
        state: End state of its record; `unsealed` without one.
        reason: Why it is not complete.
        repetitions: Repetitions that came to their end; None without a record.
        is_here: Whether this machine's spool holds it.
        is_stored: Whether the store was found to hold it; None where no store was asked and the journal claims nothing.
    """

    run_id: str
    created_at: str
    stack: str
    pattern: str | None
    application: str | None
    campaign: str | None
    state: str
    reason: str | None
    repetitions: int | None
    is_here: bool
    is_stored: bool | None

    @property
    def where(self) -> str:
        """Say for people where the record lies."""
        if not self.is_here:
            return "stored"
        return "here, stored" if self.is_stored else "here only"


def of_summary(run: RunSummary, *, is_here: bool, is_stored: bool | None) -> Listed:
    """Make the line of a sealed run."""
    created = run.created_at.astimezone(UTC).isoformat(timespec="seconds")
    return Listed(
        run.run_id, created, run.stack, run.pattern, run.application, run.campaign, run.state, run.reason,
        run.repetitions, is_here, is_stored,
    )  # fmt: skip


def of_unsealed(folder: RunFolder) -> Listed:
    """Make the line of a run that has no record yet, of what it knew at its beginning."""
    diagnosis = diagnose(folder)
    try:
        context: Mapping[str, Any] = folder.read_json(CONTEXT_FILE)
    except SpoolDamaged:
        context = {}
    application = context.get("outputs", {}).get("application") or {}
    return Listed(
        run_id=folder.run_id,
        created_at=_created(folder.run_id),
        stack=context.get("stack", diagnosis.stack),
        pattern=context.get("pattern"),
        application=application.get("name"),
        campaign=context.get("campaign"),
        state="unsealed",
        reason=diagnosis.kinds[0],
        repetitions=None,
        is_here=True,
        is_stored=None,
    )


def fits(run: Listed, where: RunFilter) -> bool:
    """Tell whether a line fits a filter, as `RunFilter` does for records."""
    asked = (
        (where.stacks, run.stack),
        (where.patterns, run.pattern),
        (where.states, run.state),
        (where.applications, run.application),
        (where.campaigns, run.campaign),
    )
    named = not where.runs or any(run.run_id.startswith(part) or run.run_id.endswith(part) for part in where.runs)
    return named and where.holds_day(run.created_at[:10]) and all(not values or one in values for values, one in asked)


def list_all(spool: Spool, store: str | None, where: RunFilter) -> tuple[list[Listed], list[ProbeError]]:
    """Give the runs of the spool, and of a store that is named or that the environment names; with what is unreadable.

    Raises:
        StoreUnavailable: The store cannot be read.
        UsageError: The option names no store.
    """
    found: dict[str, Listed] = {}
    problems: list[ProbeError] = []
    sources = open_sources(store)
    asked = [source for source in sources if not isinstance(source, SpoolRecords)]
    for source in sources:
        runs = find_runs(source, where)
        problems += runs.problems
        if isinstance(source, SpoolRecords):
            problems += source.problems
            for run in runs.runs:
                known = False if asked else _claims_stored(spool, run.run_id)
                found[run.run_id] = of_summary(run, is_here=True, is_stored=known)
        else:
            for run in runs.runs:
                here = found.get(run.run_id)
                line = of_summary(run, is_here=False, is_stored=True)
                found[run.run_id] = replace(here, is_stored=True) if here else line
    if len(asked) < len(sources):
        unsealed = (of_unsealed(folder) for folder in spool.runs() if not folder.is_sealed)
        found |= {run.run_id: run for run in unsealed if fits(run, where)}
    return sorted(found.values(), key=lambda run: (run.created_at, run.run_id)), problems


def _claims_stored(spool: Spool, run_id: str) -> bool | None:
    return True if "stored" in diagnose(spool.find(run_id)).kinds else None


def _created(run_id: str) -> str:
    try:
        return created_at(run_id).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} is {text!r}; a day such as {datetime.now(UTC):%Y-%m-%d} is expected (UTC).",
            next_step="correct it",
        ) from None


@app.command("list")
def show(
    run: Annotated[list[str] | None, typer.Argument(help="Identifiers, or their beginnings or ends.")] = None,
    stack: Annotated[list[str] | None, typer.Option("-s", "--stack", help="Stack; may be repeated.")] = None,
    pattern: Annotated[list[str] | None, typer.Option(help="Pattern; may be repeated.")] = None,
    state: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(STATES)}; may be repeated.")] = None,
    application: Annotated[list[str] | None, typer.Option(help="Application; may be repeated.")] = None,
    campaign: Annotated[list[str] | None, typer.Option(help="Identifier of a campaign; may be repeated.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="First day, UTC: 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Last day, UTC.")] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="spool, dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX. Default: the spool, and the store of "
            "$ROS2BENCH_RECORDS_BUCKET where that is set."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """List runs, oldest first."""
    screen = Screen(as_json=as_json)
    try:
        if unknown := sorted(set(state or ()) - set(STATES)):
            raise UsageError(f"--state {unknown[0]} is none of {', '.join(STATES)}.", next_step="correct it")
        where = RunFilter(
            runs=tuple(run or ()),
            stacks=tuple(stack or ()),
            patterns=tuple(pattern or ()),
            states=tuple(state or ()),
            applications=tuple(application or ()),
            campaigns=tuple(campaign or ()),
            since=_day(since, "--since"),
            until=_day(until, "--until"),
        )
        found, problems = list_all(Spool(), store, where)
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    for problem in problems:
        screen.error(problem)
    if as_json:
        lines = [asdict(item) for item in found]
        sys.stdout.write(json.dumps({"contract": CONTRACT, "runs": lines}, sort_keys=True) + "\n")
    else:
        _show(screen, found)
    raise typer.Exit(max((problem.exit_code for problem in problems), default=ExitCode.COMMITTED))


def _show(screen: Screen, found: Sequence[Listed]) -> None:
    if not found:
        screen.line("No run fits.")
        return
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column == "repetitions" else "left")
    for item in found:
        table.add_row(*_cells(item))
    screen.table(table)
    screen.line(f"{len(found)} runs; every command takes these ends of their identifiers. --json shows the whole ones.")


def _cells(run: Listed) -> Iterable[str]:
    state = f"{run.state} ({run.reason})" if run.reason else run.state
    repetitions = "-" if run.repetitions is None else str(run.repetitions)
    yield from (run.run_id[-SHORT:], run.created_at[:19].replace("T", " "), run.stack, run.pattern or "-")
    yield from (run.application or "-", state, repetitions, (run.campaign or "-")[-SHORT:], run.where)


if __name__ == "__main__":
    app()
