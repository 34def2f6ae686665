"""Which runs a comparison takes, and why not the others. Pure.

Names (a stack, a pattern, a cell of a campaign) take the newest campaign that has a complete, comparable run of each
of them; where there is none, of the comparable runs of each those of its own newest campaign. A campaign gives all of
its cells, a run identifier that run. Comparable are runs with equal conditions (`probes.conditions`) and equal levels
of a campaign's factors. Runs that failed a gate or were cut off are never taken; steps of a search, what sums up
others, and the second half of an A/A control by their identifier only. The last serves as noise floor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from probes.comparison import Exclusion
from probes.conditions import Conditions, differences
from probes.errors import UsageError
from probes.run_summary import RunSummary
from probes.selectors import (
    BASELINE,
    LIST,
    MOST_LISTED,
    Slot,
    listed,
    newest_campaign,
    role_of,
    slots_of,
    stacks_of,
    with_first,
)

ABSENT_WITHOUT_KUBERNETES = ("machine_class", "network.mode", "network.discovery")
"""Conditions that `probes.baseline` leaves out by its definition; a run of it is comparable all the same."""


@dataclass(frozen=True)
class Entrant:
    """The runs of one contender, and of its A/A control where there is one; oldest first."""

    name: str
    runs: tuple[RunSummary, ...]
    control: tuple[RunSummary, ...]


@dataclass(frozen=True)
class Selection:
    """What is compared with what.

    Args:
        baseline: Name of the entrant that the others are compared with.
        entrants: The baseline first, the others in the order asked for.
        excluded: What was asked for and is not compared.
        sentences: What was taken and by which rule.
        conditions: Of the compared runs.
    """

    baseline: str
    entrants: tuple[Entrant, ...]
    excluded: tuple[Exclusion, ...]
    sentences: tuple[str, ...]
    conditions: Conditions


@dataclass(frozen=True)
class _Reference:
    """What the compared runs have in common."""

    conditions: Conditions
    levels: tuple[tuple[str, Any], ...]


def select(selectors: Sequence[str], runs: Sequence[RunSummary], baseline: str | None = None) -> Selection:
    """Choose the runs of a comparison.

    Args:
        selectors: Stacks, patterns, cells, campaigns, run identifiers or parts of these two; none: the newest campaign
            with two contenders or more.
        runs: All runs that there are, oldest first.
        baseline: Which contender the others are compared with; the first one by default.

    Raises:
        UsageError: A selector fits nothing or too much, or fewer than two contenders can be compared.
    """
    slots = slots_of(selectors or (newest_campaign(runs),), runs)
    if baseline is not None:
        slots = with_first(slots, baseline, runs)
    if len(slots) < 2:
        raise UsageError(
            f"{_said(selectors)} holds one contender only ({slots[0].name}); a comparison needs two or more.",
            next_step=f"name another: {listed(stacks_of(runs) - {slots[0].name}) or LIST}",
        )
    reference, sentence, session = _reference(slots)
    entrants = tuple(Entrant(slot.name, taken, ()) for slot in slots if (taken := _taken(slot, reference, session)))
    entrants = tuple(replace(entrant, control=_control(entrant, entrants, reference, runs)) for entrant in entrants)
    excluded = _excluded(slots, entrants, reference)
    if len(entrants) < 2 or entrants[0].name != slots[0].name:
        raise UsageError(_incomparable(slots, excluded), next_step=_remedy(slots))
    return Selection(
        entrants[0].name,
        entrants,
        excluded,
        (sentence, *_remarks(entrants, reference, slots)),
        reference.conditions,
    )


def is_comparable(run: RunSummary, expected: Conditions) -> bool:
    """Tell whether a run was measured under some conditions."""
    # Runs that were read together share their conditions, which spares comparing a hundred thousand of them.
    return run.conditions is expected or not unequal(run, expected)


def unequal(run: RunSummary, expected: Conditions) -> tuple[tuple[str, str, str], ...]:
    """Give each condition in which a run differs, as field, value and what is expected."""
    found = _differences(run.conditions, expected)
    if run.pattern != BASELINE:
        return found
    return tuple(item for item in found if item[0] not in ABSENT_WITHOUT_KUBERNETES)


@lru_cache(maxsize=4096)
def _differences(value: Conditions, expected: Conditions) -> tuple[tuple[str, str, str], ...]:
    return tuple((item.field, item.value, item.expected) for item in differences(value, expected))


def levels_of(run: RunSummary) -> tuple[tuple[str, Any], ...]:
    """Give the levels of the factors of a run's campaign, but for the stack; empty outside of a campaign."""
    if run.cell is None:
        return ()
    levels: Mapping[str, Any] = run.cell.get("levels") or {}
    return tuple((name, repr(level)) for name, level in sorted(levels.items()))


def block_of(run: RunSummary) -> tuple[str, int]:
    """Give the campaign of a run and its block there; repetitions of one block were measured close to one another."""
    return run.campaign, int(run.cell["repetition"]) if run.cell else 0


def _reference(slots: Sequence[Slot]) -> tuple[_Reference, str, str | None]:
    """Decide on conditions and levels; gives the sentence that says so, and the campaign where it is a single one."""
    names = ", ".join(slot.name for slot in slots)
    if all(slot.is_named for slot in slots):
        reference = _best_reference(slots)
        campaigns = {run.campaign for slot in slots for run in slot.runs}
        named = f"of campaign {campaigns.pop()}" if len(campaigns) == 1 else "named"
        return reference, f"The runs {named}, under the conditions of {slots[0].name}.", None
    common = _sessions([slot for slot in slots if not slot.is_named])
    for session in common:
        within = [slot if slot.is_named else _of_session(slot, session) for slot in slots]
        reference = _best_reference(within)
        if _coverage(within, reference) == len(slots):
            return reference, f"The newest campaign that holds all of {names}: {session}.", session
    reference = _best_reference(slots)
    return reference, f"No campaign holds all of {names}: of each its newest comparable campaign or run.", None


def _sessions(slots: Sequence[Slot]) -> list[str]:
    """Give the campaigns in which every slot has a complete run, newest first."""
    held = [{run.campaign for run in slot.runs if run.state == "complete"} for slot in slots]
    common = set[str].intersection(*held)
    return list(dict.fromkeys(run.campaign for run in reversed(slots[0].runs) if run.campaign in common))


def _of_session(slot: Slot, session: str) -> Slot:
    return Slot(slot.name, tuple(run for run in slot.runs if run.campaign == session), slot.is_named)


def _best_reference(slots: Sequence[Slot]) -> _Reference:
    """Give the conditions and levels that most slots have, the baseline among them; the newest of several."""
    known = [run for slot in slots[:1] for run in slot.runs if run.state == "complete"]
    # What runs without Kubernetes leave out cannot be what others are held against.
    others = [run for slot in slots for run in slot.runs if run.state == "complete" and run.pattern != BASELINE]
    candidates = others if known and known[0].pattern == BASELINE else known
    # Runs that were read together share their conditions: telling these objects apart is enough for most of them.
    distinct = {(id(run.conditions), levels_of(run)): (run, position) for position, run in enumerate(candidates)}
    newest: dict[_Reference, int] = {}
    for run, position in distinct.values():
        reference = _Reference(run.conditions, levels_of(run))
        newest[reference] = max(position, newest.get(reference, -1))
    if not newest:
        raise UsageError(
            f"{slots[0].name} has no complete run: {_states(slots[0].runs)}.",
            next_step="python -m probes.doctor",
        )
    return max(newest, key=lambda reference: (_coverage(slots, reference), newest[reference]))


def _coverage(slots: Sequence[Slot], reference: _Reference) -> int:
    return sum(any(_fits(run, reference) for run in slot.runs) for slot in slots)


def _fits(run: RunSummary, reference: _Reference) -> bool:
    return run.state == "complete" and levels_of(run) == reference.levels and is_comparable(run, reference.conditions)


def _taken(slot: Slot, reference: _Reference, session: str | None) -> tuple[RunSummary, ...]:
    fitting = [run for run in slot.runs if _fits(run, reference)]
    if not fitting or slot.is_named:
        return tuple(fitting)
    wanted = session or fitting[-1].campaign
    return tuple(run for run in fitting if run.campaign == wanted)


def _control(
    entrant: Entrant, entrants: Sequence[Entrant], reference: _Reference, runs: Sequence[RunSummary]
) -> tuple[RunSummary, ...]:
    """Give the second half of the A/A control of an entrant's stack, unless it is compared itself."""
    campaigns, stacks = {run.campaign for run in entrant.runs}, {run.stack for run in entrant.runs}
    compared = {run.run_id for other in entrants for run in other.runs}
    return tuple(
        run
        for run in runs
        if run.campaign in campaigns
        and run.stack in stacks
        and role_of(run) == "control"
        and run.run_id not in compared
        and _fits(run, reference)
    )


def _excluded(slots: Sequence[Slot], entrants: Sequence[Entrant], reference: _Reference) -> tuple[Exclusion, ...]:
    """Say why runs were left out: all that were named, and of the others those as new as the oldest that was taken."""
    taken = {run.run_id for entrant in entrants for run in entrant.runs}
    oldest = min((run.created_at for entrant in entrants for run in entrant.runs), default=None)
    campaigns = {run.campaign for entrant in entrants for run in entrant.runs}
    found: dict[tuple[str, str], Exclusion] = {}
    for slot in slots:
        left = [run for run in slot.runs if run.run_id not in taken]
        is_missing = slot.name not in {entrant.name for entrant in entrants}
        if is_missing and not slot.is_named:
            left = left[-1:]
        elif not slot.is_named:
            left = [run for run in left if oldest is None or run.created_at >= oldest]
        for run in left:
            for reason in _reasons(run, reference, campaigns):
                found[run.run_id, reason.field] = reason
    return tuple(found.values())


def _reasons(run: RunSummary, reference: _Reference, campaigns: set[str]) -> list[Exclusion]:
    if run.state != "complete":
        state = f"{run.state} ({run.reason})" if run.reason else run.state
        return [Exclusion(run.run_id, run.stack, "state", state, "complete")]
    reasons = [Exclusion(run.run_id, run.stack, *item) for item in unequal(run, reference.conditions)]
    own, expected = dict(levels_of(run)), dict(reference.levels)
    reasons += [
        Exclusion(run.run_id, run.stack, f"level.{name}", str(own.get(name)), str(expected.get(name)))
        for name in sorted(own.keys() | expected.keys())
        if own.get(name) != expected.get(name)
    ]
    return reasons or [Exclusion(run.run_id, run.stack, "campaign", run.campaign, " or ".join(sorted(campaigns)))]


def _remarks(entrants: Sequence[Entrant], reference: _Reference, slots: Sequence[Slot]) -> list[str]:
    """Say what a reader must know of the runs that were taken."""
    remarks: list[str] = []
    campaigns = {run.campaign for entrant in entrants for run in entrant.runs}
    if len(campaigns) > 1:
        remarks.append("The runs are of several campaigns: what changed between these is not told from the stacks.")
    if any(run.pattern == BASELINE for entrant in entrants for run in entrant.runs):
        remarks.append(
            f"Pattern {BASELINE} is without Kubernetes: its {', '.join(ABSENT_WITHOUT_KUBERNETES)} may differ."
        )
    cells = {str(run.cell["name"]) for slot in slots for run in slot.runs if run.cell and run.campaign in campaigns}
    others = cells - {str(run.cell["name"]) for entrant in entrants for run in entrant.runs if run.cell}
    if reference.levels:
        remarks.append(f"Levels: {', '.join(f'{name} {level}' for name, level in reference.levels)}.")
    if others:
        remarks.append(f"Other cells of the campaign, to be compared by their names: {listed(others)}.")
    versions = {(run.commit, run.dirty) for entrant in entrants for run in entrant.runs}
    if len(versions) > 1:
        remarks.append(f"The runs were measured with {len(versions)} versions of the program.")
    return remarks


def _incomparable(slots: Sequence[Slot], excluded: Sequence[Exclusion]) -> str:
    told = [
        f"{item.stack} {item.run_id[-12:]}: {item.field} is {item.value}, expected {item.expected}" for item in excluded
    ]
    names = ", ".join(slot.name for slot in slots)
    return f"Fewer than two of {names} have comparable runs. {'; '.join(told[:MOST_LISTED])}."


def _remedy(slots: Sequence[Slot]) -> str:
    stacks = dict.fromkeys(run.stack for slot in slots for run in slot.runs[-1:])
    return f"python -m probes.run {' '.join(f'-s {stack}' for stack in stacks)} --cycles install --control"


def _states(runs: Sequence[RunSummary]) -> str:
    return listed(f"{run.run_id[-12:]} {run.state} ({run.reason})" for run in runs)


def _said(selectors: Sequence[str]) -> str:
    return ", ".join(selectors) or "The newest campaign"
