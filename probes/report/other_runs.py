"""What runs of another kind say beside a comparison: updates of update campaigns, swaps of endurance runs.

A campaign that installs updates nothing, and `python -m probes.endurance` makes a record of its own, which no campaign
of runs holds. Of each contender those of the newest campaign count that were measured with the same application, load,
network, machines and versions. Pure.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl

from probes.comparing import Observed, compare_selection
from probes.comparison import Cell, Comparison, Row
from probes.conditions import Conditions
from probes.metrics import NOT_REQUESTED
from probes.report.titles import split_key
from probes.run_summary import RunSummary
from probes.selection import Entrant, Selection, unequal
from probes.selectors import UNCOMPARED_ROLES, role_of

SWAP_KEYS = frozenset({
    "swap_s", "service_gap_s{part=swap}", "memory_after_swap_bytes", "memory_trend_bytes_per_swap",
    "memory_trend_bytes_per_swap{statistic=low}", "memory_trend_bytes_per_swap{statistic=high}", "memory_leak",
})  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of run that a comparison may lack.

    Args:
        says: Begin of the sentence that names the runs.
        is_of: Whether a run is one.
        holds: Whether a metric key is of it.
        free: Conditions in which it may differ from the compared runs.
    """

    says: str
    is_of: Callable[[RunSummary], bool]
    holds: Callable[[str], bool]
    free: frozenset[str]


def _is_update(run: RunSummary) -> bool:
    return run.conditions.cycles == "update" and role_of(run) not in UNCOMPARED_ROLES


def _is_endurance(run: RunSummary) -> bool:
    return role_of(run) == "summary" and run.campaign.startswith("endurance-")


def _is_of_change(key: str) -> bool:
    return any(label.startswith("change=") for label in split_key(key)[1])


KINDS = (
    Kind("Updates are of the runs", _is_update, _is_of_change, frozenset({"cycles", "window_s"})),
    # An endurance run installs nothing, and it has no window.
    Kind("Swaps are of the endurance runs", _is_endurance, SWAP_KEYS.__contains__,
         frozenset({"regime", "cycles", "window_s"})),
)  # fmt: skip


class Found(Observed, Protocol):
    """Runs, and what was observed in them, such as `probes.record_sources.FoundRuns`."""

    @property
    def runs(self) -> tuple[RunSummary, ...]:
        """All runs, oldest first."""
        ...


@dataclass(frozen=True)
class Beside:
    """What was taken from other runs.

    Args:
        run_ids: Of each contender, its other runs.
        observed: What was observed in them, of their own keys.
    """

    run_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    observed: tuple[pl.DataFrame, ...] = ()


def with_other_runs(comparison: Comparison, selection: Selection, found: Found) -> tuple[Comparison, Beside]:
    """Give a comparison with what other runs say, and their observations; as it is where there are none.

    What the compared runs were asked for themselves is left to them. Where the baseline has no such run there are
    values and no verdicts.
    """
    beside = Beside()
    compared = {run.run_id for entrant in selection.entrants for run in entrant.runs}
    for kind in KINDS:
        entrants = runs_of(kind, selection, found.runs)
        others = [run for entrant in entrants for run in entrant.runs]
        if not others or any(run.run_id in compared for run in others):
            continue
        measured = {row.key for row in comparison.rows if any(cell.estimate is not None for cell in row.cells)}
        observed = found.observations(others)
        keys = {key for key in observed["key"].unique() if kind.holds(key) and key not in measured}
        if keys:
            own = replace(selection, baseline=entrants[0].name, entrants=entrants, excluded=())
            # Compared with everything that these runs measured, so that the error rate covers what was looked at.
            rows = [row for row in compare_selection(own, found).rows if row.key in keys]
            named = ", ".join(f"{entrant.name} {run.run_id}" for entrant in entrants for run in entrant.runs)
            comparison = _completed(comparison, rows, entrants[0].name, f"{kind.says} {named}.")
            beside = _added(beside, observed.filter(pl.col("key").is_in(list(keys))), entrants)
    return comparison, beside


def runs_of(kind: Kind, selection: Selection, runs: Sequence[RunSummary]) -> tuple[Entrant, ...]:
    """Give the comparable runs of the newest campaign of each contender that has any, in their order."""
    chosen: list[Entrant] = []
    for entrant in selection.entrants:
        stack = entrant.runs[-1].stack
        fitting = [run for run in runs if run.stack == stack and _fits(run, kind, selection.conditions)]
        if fitting:
            newest = tuple(run for run in fitting if run.campaign == fitting[-1].campaign)
            chosen.append(Entrant(entrant.name, newest, ()))
    return tuple(chosen)


def _fits(run: RunSummary, kind: Kind, expected: Conditions) -> bool:
    if run.state != "complete" or not kind.is_of(run):
        return False
    return all(condition.partition(".")[0] in kind.free for condition, _, _ in unequal(run, expected))


def _completed(comparison: Comparison, rows: Sequence[Row], baseline: str, sentence: str) -> Comparison:
    """Give a comparison with further rows, each in the place of the one that it replaces.

    Args:
        comparison: What is completed.
        rows: What other runs say, compared with one another.
        baseline: What these were compared with.
        sentence: Which runs they are of.
    """
    names = [contender.name for contender in comparison.contenders]
    new = {row.key: _widened(row, names, has_baseline=baseline == comparison.baseline) for row in rows}
    told = {row.metric for row in rows}
    known = [new.pop(row.key, row) for row in comparison.rows if row.key in new or not _is_told(row, told)]
    settings = replace(comparison.settings, selection=(*comparison.settings.selection, sentence))
    return replace(comparison, rows=(*known, *new.values()), settings=settings)


def _is_told(row: Row, told: Collection[str]) -> bool:
    """Whether a row only says of a metric as a whole that it was not asked for, and other runs tell it by label."""
    is_whole = row.key == row.metric and row.metric in told
    return is_whole and all(cell.missing == NOT_REQUESTED for cell in row.cells)


def _added(beside: Beside, observed: pl.DataFrame, entrants: Sequence[Entrant]) -> Beside:
    run_ids = dict(beside.run_ids)
    for entrant in entrants:
        run_ids[entrant.name] = (*run_ids.get(entrant.name, ()), *(run.run_id for run in entrant.runs))
    return Beside(run_ids, (*beside.observed, observed))


def _widened(row: Row, names: Sequence[str], *, has_baseline: bool) -> Row:
    """Give a row a cell for every contender; without the baseline's own nothing is said of differences."""
    cells = {cell.contender: cell if has_baseline else _bare(cell) for cell in row.cells}
    every = tuple(cells.get(name) or Cell(name, None, None, 0, missing=NOT_REQUESTED) for name in names)
    return replace(row, cells=every)


def _bare(cell: Cell) -> Cell:
    return Cell(cell.contender, cell.estimate, cell.interval, cell.n, missing=cell.missing)
