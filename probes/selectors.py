"""What the words of a comparison's command line stand for: runs of a stack, a pattern, a cell, a campaign, or one run.

A name comes before a part of an identifier, a stack before a pattern. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from probes.errors import UsageError
from probes.run_summary import RunSummary

BASELINE = "baseline"
SECOND_ARM = "A'"
UNCOMPARED_ROLES = frozenset({"control", "trial", "summary"})
MOST_LISTED = 12
LIST = "python -m probes.list"


@dataclass(frozen=True)
class Slot:
    """What one selector stands for: runs among which some are taken; all of them where they are named one by one."""

    name: str
    runs: tuple[RunSummary, ...]
    is_named: bool


def role_of(run: RunSummary) -> str:
    """Give the role of a run in its campaign; the second arm of an A/A control is `control`, as in a plan."""
    if run.arm == SECOND_ARM:
        return "control"
    return str(run.cell["role"]) if run.cell else "cell"


def _stack(run: RunSummary) -> str:
    return run.stack


def _pattern(run: RunSummary) -> str:
    return run.pattern


def _cell(run: RunSummary) -> str | None:
    return str(run.cell["name"]) if run.cell else None


def slots_of(selectors: Sequence[str], runs: Sequence[RunSummary]) -> list[Slot]:
    """Give what the selectors stand for, in their order, each name once.

    Raises:
        UsageError: One of them fits nothing or too much.
    """
    found: dict[str, Slot] = {}
    compared = compared_runs(runs)
    for selector in dict.fromkeys(selectors):
        for slot in resolve(selector, runs, compared):
            known = found.get(slot.name)
            found[slot.name] = slot if known is None else Slot(slot.name, _merged(known.runs, slot.runs), is_named=True)
    return list(found.values())


def compared_runs(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Give the runs that names stand for."""
    return [
        run
        for run in runs
        # A run outside of a campaign and of a control, as most are, needs no second look.
        if (run.arm is None and run.cell is None) or role_of(run) not in UNCOMPARED_ROLES
    ]


def resolve(selector: str, runs: Sequence[RunSummary], compared: Sequence[RunSummary]) -> list[Slot]:
    """Give what a selector stands for: a name before a part of an identifier, a stack before a pattern."""
    names: tuple[Callable[[RunSummary], str | None], ...] = (_stack, _pattern, _cell)
    for name_of in names:
        if fits := tuple(run for run in compared if name_of(run) == selector):
            return [Slot(selector, fits, is_named=False)]
    campaigns = _meant(selector, {run.campaign for run in runs})
    run_ids = _meant(selector, {run.run_id for run in runs})
    if len(campaigns) + len(run_ids) > 1:
        raise UsageError(
            f"{selector!r} fits {len(campaigns)} campaigns and {len(run_ids)} runs: {listed(campaigns | run_ids)}.",
            next_step="write more of it",
        )
    if run_ids:
        own = next(run for run in runs if run.run_id in run_ids)
        return [Slot(_name_of_run(own, runs), (own,), is_named=True)]
    if campaigns:
        return _cells([run for run in compared if run.campaign in campaigns], selector)
    raise UsageError(
        f"{selector!r} is no stack, pattern, cell, campaign or run among the {len(runs)} runs that were read; "
        f"stacks: {listed(stacks_of(runs)) or 'none'}; patterns: {listed({run.pattern for run in runs}) or 'none'}.",
        next_step=f"{LIST}, then name one of them",
    )


def _cells(runs: Sequence[RunSummary], selector: str) -> list[Slot]:
    """Give a slot for each cell of a campaign; the pattern that the others are usually compared with comes first."""
    named: dict[str, list[RunSummary]] = {}
    for run in runs:
        named.setdefault(str(run.cell["name"]) if run.cell else run.stack, []).append(run)
    if not named:
        raise UsageError(
            f"Campaign {selector!r} holds no run that can be compared: it is a search or an endurance run.",
            next_step=LIST,
        )
    order = sorted(named, key=lambda name: (named[name][0].pattern not in {BASELINE, "monolithic"}, name))
    return [Slot(name, tuple(named[name]), is_named=True) for name in order]


def newest_campaign(runs: Sequence[RunSummary]) -> str:
    """Give the newest campaign with two complete stacks or more.

    Raises:
        UsageError: There is none.
    """
    stacks: dict[str, set[str]] = {}
    for run in runs:
        if run.state == "complete" and role_of(run) not in UNCOMPARED_ROLES:
            stacks.setdefault(run.campaign, set()).add(run.stack)
    newest = next((run.campaign for run in reversed(runs) if len(stacks.get(run.campaign, ())) > 1), None)
    if newest is None:
        raise UsageError(
            f"None of the {len(runs)} runs that were read belongs to a campaign with two complete stacks.",
            next_step=f"name what to compare: python -m probes.compare {' '.join(sorted(stacks_of(runs))[:4])}",
        )
    return newest


def with_first(slots: list[Slot], baseline: str, runs: Sequence[RunSummary]) -> list[Slot]:
    """Put the baseline first; a name that is not among the selectors is added to them."""
    chosen = [slot for slot in slots if slot.name == baseline] or resolve(baseline, runs, compared_runs(runs))
    if len(chosen) != 1:
        raise UsageError(
            f"--baseline {baseline!r} stands for {len(chosen)} contenders: {listed(slot.name for slot in chosen)}.",
            next_step="name one of them",
        )
    return [chosen[0], *(slot for slot in slots if slot.name != chosen[0].name)]


def _name_of_run(run: RunSummary, runs: Sequence[RunSummary]) -> str:
    is_alone = sum(other.stack == run.stack for other in runs) == 1
    return run.stack if is_alone else f"{run.stack} {run.run_id[-12:]}"


def _meant(part: str, identifiers: set[str]) -> set[str]:
    """Give the identifiers that begin or end with a part, or the one that it is."""
    if part in identifiers:
        return {part}
    return {item for item in identifiers if item.startswith(part) or item.endswith(part)}


def _merged(first: Iterable[RunSummary], second: Iterable[RunSummary]) -> tuple[RunSummary, ...]:
    runs = {run.run_id: run for run in (*first, *second)}
    return tuple(sorted(runs.values(), key=lambda run: (run.created_at, run.run_id)))


def stacks_of(runs: Iterable[RunSummary]) -> set[str]:
    """Give the names of the stacks of some runs."""
    return {run.stack for run in runs}


def listed(items: Iterable[str]) -> str:
    """Write items for a message, sorted, the first ones of many."""
    every = sorted(set(items))
    more = f" and {len(every) - MOST_LISTED} more" if len(every) > MOST_LISTED else ""
    return ", ".join(every[:MOST_LISTED]) + more
