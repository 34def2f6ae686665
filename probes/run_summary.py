"""One run as its manifest tells it, which runs are asked for, and both as a Polars frame."""

import gc
import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from probes.conditions import Conditions, conditions_of

CONDITION_TYPES: Mapping[str, pl.DataType] = {
    f"conditions_{field.name}": pl.Float64() if field.name == "window_s" else pl.String()
    for field in fields(Conditions)
}
RUNS: Mapping[str, pl.DataType] = {
    "run_id": pl.String(),
    "prefix": pl.String(),
    "schema": pl.Int32(),
    "created_at": pl.Datetime("us", "UTC"),
    "stack": pl.String(),
    "pattern": pl.String(),
    "arm": pl.String(),
    "campaign": pl.String(),
    "cell": pl.String(),
    "state": pl.String(),
    "reason": pl.String(),
    "application": pl.String(),
    "repetitions": pl.Int32(),
    "noise_floor": pl.String(),
    "commit": pl.String(),
    "dirty": pl.Boolean(),
    **CONDITION_TYPES,
}
"""Columns of a frame of runs: `cell` and `noise_floor` are JSON, the conditions have a column each."""

OWN = RUNS.keys() - CONDITION_TYPES.keys() - {"created_at"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RunSummary(NamedTuple):
    """One run as its manifest tells it; a named tuple, because a comparison may hold a hundred thousand of them.

    Args:
        run_id: Identifier.
        prefix: Key prefix of its record, ending in a slash.
        schema: Version of the record's schema.
        created_at: When the run began, UTC.
        stack: Stack that was measured.
        pattern: Its pattern.
        arm: Arm of an A/A control; None for other runs.
        campaign: Identifier that the runs of one command share.
        cell: Place in a campaign as the manifest has it; None outside of one.
        state: `complete`, `invalid`, `failed` or `aborted`.
        reason: Why it is not complete.
        application: Name of the application.
        repetitions: Repetitions that came to their end.
        noise_floor: What the A/A control of its campaign says, as the manifest has it.
        commit: Commit of the program that measured.
        dirty: Whether the program was changed locally.
        conditions: What must be equal for two runs to be comparable.
    """

    run_id: str
    prefix: str
    schema: int
    created_at: datetime
    stack: str
    pattern: str
    arm: str | None
    campaign: str
    cell: Mapping[str, Any] | None
    state: str
    reason: str | None
    application: str | None
    repetitions: int
    noise_floor: Mapping[str, Any] | None
    commit: str | None
    dirty: bool | None
    conditions: Conditions


@dataclass(frozen=True)
class RunFilter:
    """Which runs are asked for: those that fit every field; an empty field asks for nothing.

    Args:
        runs: Identifiers, or beginnings or ends of them.
        stacks: Names of stacks.
        patterns: Names of patterns.
        states: End states.
        applications: Names of applications.
        campaigns: Identifiers of campaigns.
        since: First day, UTC.
        until: Last day, UTC.
    """

    runs: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def holds_day(self, day: str) -> bool:
        """Tell whether a day (YYYY-MM-DD) is in the span."""
        return (self.since is None or self.since.isoformat() <= day) and (
            self.until is None or day <= self.until.isoformat()
        )

    def expression(self) -> pl.Expr:
        """Give the condition on the columns of `RUNS`; the span of days is left to `holds_day`."""
        chosen = {
            "stack": self.stacks,
            "pattern": self.patterns,
            "state": self.states,
            "application": self.applications,
            "campaign": self.campaigns,
        }
        conditions = [pl.col(column).is_in(list(values)) for column, values in chosen.items() if values]
        if self.runs:
            named = [
                pl.col("run_id").str.starts_with(part) | pl.col("run_id").str.ends_with(part) for part in self.runs
            ]
            conditions.append(pl.any_horizontal(named))
        return pl.all_horizontal(conditions) if conditions else pl.lit(value=True)


EVERY_RUN = RunFilter()


def run_row(manifest: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Give the row of a run in a frame of runs, from its checked manifest."""
    conditions = conditions_of(manifest)
    application = manifest["outputs"].get("application")
    return {
        "run_id": manifest["run_id"],
        "prefix": prefix,
        "schema": manifest["schema"],
        "created_at": datetime.fromisoformat(manifest["created_at"]),
        "stack": manifest["stack"],
        "pattern": manifest["pattern"],
        "arm": manifest["arm"],
        "campaign": manifest["campaign"],
        "cell": _json(manifest["cell"]),
        "state": manifest["state"],
        "reason": manifest["reason"],
        "application": application["name"] if application else None,
        "repetitions": manifest["repetitions_done"],
        "noise_floor": _json(manifest["noise_floor"]),
        "commit": manifest["git"]["revision"],
        "dirty": manifest["git"]["is_dirty"],
        **{f"conditions_{field.name}": getattr(conditions, field.name) for field in fields(Conditions)},
    }


def runs_frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Make a frame of runs, oldest first."""
    return in_order(pl.DataFrame(list(rows), schema=dict(RUNS), orient="row"))


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort a frame of runs: oldest first."""
    return frame.sort("created_at", "run_id")


def summaries(frame: pl.DataFrame) -> tuple[RunSummary, ...]:
    """Turn a frame of runs into values; runs of equal conditions share one.

    Column by column: making the values takes most of a comparison of a hundred thousand runs.
    """
    with _no_collection():
        columns: dict[str, list[Any]] = {name: _values(frame[name]) for name in RUNS if name in OWN}
        for name in ("cell", "noise_floor"):
            parsed = {text: text and json.loads(text) for text in set(columns[name])}
            columns[name] = [parsed[text] for text in columns[name]]
        since = frame["created_at"].dt.epoch("us").to_numpy().astype("timedelta64[us]")
        deltas: list[timedelta] = since.astype(object).tolist()
        columns["created_at"] = [EPOCH + delta for delta in deltas]
        rows = zip(*(columns[name] for name in RunSummary._fields[:-1]), _conditions(frame), strict=True)
        return tuple(map(RunSummary._make, rows))


def _values(column: pl.Series) -> list[Any]:
    """Give the values of a column; of one that holds the same throughout, as many do, a single one is made."""
    if column.len() and bool(column.eq_missing(column[0]).all()):
        return [column[0]] * column.len()
    return column.to_list()


def _conditions(frame: pl.DataFrame) -> list[Conditions]:
    """Give the conditions of each run, one object for equal ones; they seldom change from one run to the next."""
    if frame.is_empty():
        return []
    stated = frame.select(CONDITION_TYPES.keys())
    changes = stated.select(pl.any_horizontal(pl.all().ne_missing(pl.all().shift()))).to_series()
    first = [0, *(position for position in changes.arg_true() if position)]
    known: dict[tuple[Any, ...], Conditions] = {}
    found: list[Conditions] = []
    for begin, end, values in zip(first, [*first[1:], frame.height], stated[first].iter_rows(), strict=True):
        found += [known.setdefault(values, Conditions(*values))] * (end - begin)
    return found


@contextmanager
def _no_collection() -> Generator[None]:
    """Look for no garbage while many small values are made: there is none, and looking takes as long as making."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
