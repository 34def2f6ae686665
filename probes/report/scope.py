"""What a page is about: a comparison, or one run with the others that belong to it. Pure."""

from collections.abc import Sequence

from probes.errors import UsageError
from probes.run_summary import RunSummary
from probes.selection import Entrant, Selection, is_comparable, levels_of, select
from probes.selectors import UNCOMPARED_ROLES, role_of

RUN = "python -m probes.run"


def choose(selectors: Sequence[str], runs: Sequence[RunSummary], baseline: str | None = None) -> Selection:
    """Choose what the page shows.

    Without a selector the newest run, together with the others of its campaign. One selector that names a run, a stack
    or a pattern gives that alone, everything else is compared as `probes.compare` does.

    Args:
        selectors: Stacks, patterns, cells, campaigns, run identifiers or parts of these two.
        runs: All runs that there are, oldest first.
        baseline: Which contender the others are compared with.

    Raises:
        UsageError: There is nothing to show, or a selector fits nothing or too much.
    """
    if not runs:
        raise UsageError("There is no sealed run and no record to report.", next_step=RUN)
    if baseline is not None or len(selectors) > 1:
        return select(selectors, runs, baseline)
    if not selectors:
        newest = next((run for run in reversed(runs) if not _is_auxiliary(run)), runs[-1])
        return _campaign_of(newest, runs) or alone(newest, runs)
    selector = selectors[0]
    named = [run for run in runs if run.run_id.startswith(selector) or run.run_id.endswith(selector)]
    is_campaign = any(run.campaign.startswith(selector) or run.campaign.endswith(selector) for run in runs)
    if len(named) == 1 and (named[0].run_id == selector or not is_campaign):
        return alone(named[0], runs, is_exactly=True)
    of_stack = [run for run in runs if selector in {run.stack, run.pattern} and not _is_auxiliary(run)]
    if of_stack:
        return alone(next((run for run in reversed(of_stack) if run.state == "complete"), of_stack[-1]), runs)
    return select(selectors, runs)


def alone(run: RunSummary, runs: Sequence[RunSummary], *, is_exactly: bool = False) -> Selection:
    """Show one run; where it is a visit of a campaign, with the other visits of its cell.

    Args:
        run: The run.
        runs: All runs.
        is_exactly: Show this one only.
    """
    same = [
        other
        for other in runs
        if not is_exactly
        and other.campaign == run.campaign
        and (other.stack, other.arm, other.state) == (run.stack, run.arm, "complete")
        and not _is_auxiliary(other)
        and levels_of(other) == levels_of(run)
        and is_comparable(other, run.conditions)
    ]
    taken = tuple(same) if run in same else (run,)
    control = tuple(
        other
        for other in runs
        if other.campaign == run.campaign
        and other.stack == run.stack
        and other.state == "complete"
        and other.run_id != run.run_id
        and role_of(other) == "control"
        and is_comparable(other, run.conditions)
    )
    said = (
        f"Run {run.run_id} alone." if len(taken) == 1 else f"The {len(taken)} visits of {run.stack} in {run.campaign}."
    )
    return Selection(run.stack, (Entrant(run.stack, taken, control),), (), (said,), run.conditions)


def _campaign_of(run: RunSummary, runs: Sequence[RunSummary]) -> Selection | None:
    """Compare the campaign of a run; None where it holds nothing to compare."""
    stacks = {
        other.stack
        for other in runs
        if other.campaign == run.campaign and other.state == "complete" and not _is_auxiliary(other)
    }
    if len(stacks) < 2:
        return None
    return select((run.campaign,), runs)


def _is_auxiliary(run: RunSummary) -> bool:
    """Tell whether a run is the second half of a control, or a part or the sum of a search."""
    return role_of(run) in UNCOMPARED_ROLES
