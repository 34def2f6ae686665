"""What exchanging a node costs, beside a comparison of runs: the endurance runs of its stacks.

`python -m probes.endurance` makes a record of its own, which no campaign of runs holds. Of each contender the newest
one counts that was measured with the same application, load, network, machines and versions. Pure.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from probes.comparing import Observed, compare_selection
from probes.comparison import Cell, Comparison, Row
from probes.conditions import Conditions
from probes.metrics import NOT_REQUESTED
from probes.run_summary import RunSummary
from probes.selection import Entrant, Selection, unequal
from probes.selectors import role_of

CAMPAIGN = "endurance-"
"""What the campaign of an endurance run begins with."""
KEYS = (
    "swap_s", "service_gap_s{part=swap}", "memory_after_swap_bytes", "memory_trend_bytes_per_swap",
    "memory_trend_bytes_per_swap{statistic=low}", "memory_trend_bytes_per_swap{statistic=high}", "memory_leak",
)  # fmt: skip
OF_RUNS = frozenset({"regime", "cycles", "window_s"})
"""Conditions that an endurance run has none of: it installs nothing, and it has no window."""


class Found(Observed, Protocol):
    """Runs, and what was observed in them, such as `probes.record_sources.FoundRuns`."""

    @property
    def runs(self) -> tuple[RunSummary, ...]:
        """All runs, oldest first."""
        ...


def swaps_of(selection: Selection, runs: Sequence[RunSummary]) -> tuple[Entrant, ...]:
    """Give the newest comparable endurance run of each contender that has one, in their order."""
    chosen: list[Entrant] = []
    for entrant in selection.entrants:
        stack = entrant.runs[-1].stack
        fitting = [run for run in runs if run.stack == stack and _is_of_swaps(run, selection.conditions)]
        if fitting:
            chosen.append(Entrant(entrant.name, (fitting[-1],), ()))
    return tuple(chosen)


def with_swaps(comparison: Comparison, selection: Selection, found: Found) -> Comparison:
    """Give a comparison with what endurance runs say of swaps; as it is where there are none, or where it is of them.

    Where the baseline has no such run there are values and no verdicts.
    """
    entrants = swaps_of(selection, found.runs)
    compared = {run.run_id for entrant in selection.entrants for run in entrant.runs}
    if not entrants or any(run.run_id in compared for entrant in entrants for run in entrant.runs):
        return comparison
    own = replace(selection, baseline=entrants[0].name, entrants=entrants, excluded=())
    has_baseline = entrants[0].name == comparison.baseline
    names = [contender.name for contender in comparison.contenders]
    rows = {
        row.key: _completed(row, names, has_baseline=has_baseline)
        for row in compare_selection(own, found, keys=KEYS).rows
        if row.key in KEYS
    }
    known = [rows.pop(row.key, row) for row in comparison.rows]
    told = ", ".join(f"{entrant.name} {entrant.runs[0].run_id}" for entrant in entrants)
    settings = replace(
        comparison.settings, selection=(*comparison.settings.selection, f"Swaps are of the endurance runs {told}.")
    )
    return replace(comparison, rows=(*known, *rows.values()), settings=settings)


def _is_of_swaps(run: RunSummary, expected: Conditions) -> bool:
    if run.state != "complete" or role_of(run) != "summary" or not run.campaign.startswith(CAMPAIGN):
        return False
    return all(field.partition(".")[0] in OF_RUNS for field, _, _ in unequal(run, expected))


def _completed(row: Row, names: Sequence[str], *, has_baseline: bool) -> Row:
    """Give a row a cell for every contender; without the baseline's own nothing is said of differences."""
    cells = {cell.contender: cell if has_baseline else _bare(cell) for cell in row.cells}
    every = tuple(cells.get(name) or Cell(name, None, None, 0, missing=NOT_REQUESTED) for name in names)
    return replace(row, cells=every)


def _bare(cell: Cell) -> Cell:
    return Cell(cell.contender, cell.estimate, cell.interval, cell.n, missing=cell.missing)
