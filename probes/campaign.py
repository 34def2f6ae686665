"""`python -m probes.campaign PLAN.yaml`: factors x levels x repetitions, in randomised blocks, resumable at any time.

Each visit is an ordinary run with a record of its own; the records share the campaign's identifier. Which visits are
done is read from the spool, so that the same command goes on where a killed one stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from probes.campaign_plan import PlanFile, Visit, identifier, read_plan, visits
from probes.campaign_summary import SHOWN, Agreement, CellSummary, agreements, summarise_cells
from probes.cell import is_done, manifests_of, place_in, records_of
from probes.cluster import connect
from probes.conclusion import SEVERITY
from probes.console import Screen, quantity
from probes.errors import ExitCode, ProbeError
from probes.plan import Durations
from probes.resume import needs_resuming, resume_run
from probes.spool import RunFolder, Spool
from probes.store import open_store
from probes.target import PulumiTarget
from probes.visit import ENDED, Manner, campaigns_folder, check_specs, park_all, perform, write_override
from probes.world import World

SWITCH_S = 45.0
"""Guess for parking and deploying, until a visit has shown how long they take."""
MOST_FAILURES = 3
UNITS = {"frames_hz": "Hz", "frames_delivered_ratio": "1"}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def campaign(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="Plan; docs/campaigns.md lists its keys.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the visits and the estimated time, do nothing.")
    ] = False,
    again: Annotated[str, typer.Option(help="Name for doing the same plan anew, for example monday.")] = "",
) -> None:
    """Measure every cell of a plan, one experiment at a time, or go on where an earlier call stopped.

    Exit codes: 0 every visit has its record, otherwise that of the worst visit, as of python -m probes.run.
    """
    screen = Screen()
    try:
        plan = read_plan(plan_file)
        name = identifier(plan) + (f"-{again}" if again else "")
        if dry_run:
            spool = Spool()
            ordered = visits(plan, name)
            check_all(plan, ordered, campaigns_folder() / name, check_specs)
            show_plan(plan, name, ordered, manifests_of(spool.runs(), name), records_of(spool.runs(), name))
            return
        world = World(PulumiTarget(), connect, Spool(), open_store, screen)
        code = run_plan(plan, name, world, campaigns_folder() / name)
    except ProbeError as problem:
        screen.error(problem)
        code = problem.exit_code
    except KeyboardInterrupt:
        screen.note(f"interrupted; to go on: python -m probes.campaign {plan_file}")
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


def run_plan(
    plan: PlanFile,
    name: str,
    world: World,
    folder: Path,
    check: Callable[[str, Sequence[Path]], None] = check_specs,
) -> ExitCode:
    """Make every visit that has no record yet, then leave the stacks parked as their files say.

    Args:
        plan: What to do.
        name: Identifier of the campaign.
        world: The outside.
        folder: Where the overrides of the visits are written.
        check: Refuses specs that could not be deployed.

    Raises:
        UsageError: A stack does not exist, or a level cannot be deployed.
        ProbeError: The stacks cannot be parked at the end.
    """
    stacks = world.target.choose(tuple(plan.stacks))
    ordered = visits(plan, name)
    overrides = check_all(plan, ordered, folder, check)
    finish_begun(world, name, plan.store)
    waiting = waiting_visits(ordered, manifests_of(world.spool.runs(), name))
    world.screen.step(f"campaign {name}: {len(ordered) - len(waiting)} of {len(ordered)} visits are done")
    codes, failures = [ExitCode.COMMITTED], 0
    manner = Manner(durations_of(plan), plan.seed, plan.store, plan.cycles, plan.platform)
    for position, visit in enumerate(waiting, start=1):
        world.screen.step(f"visit {position} of {len(waiting)}: {visit.cell.name} ({visit.cell.role})")
        visited = perform(visit, manner, world, overrides[override_name(visit)], stacks)
        codes.append(visited.code)
        if visited.code in ENDED:
            break
        failures = 0 if visited.manifest is not None and is_done(visited.manifest) else failures + 1
        if failures == MOST_FAILURES:
            world.screen.note(f"{failures} visits in a row failed; the campaign stops. To go on, give the same command")
            break
    else:
        if waiting:
            park_all(world, stacks, plan.durations.ready_timeout_s)
    manifests = manifests_of(world.spool.runs(), name)
    show_summary(summarise_cells(manifests, plan.seed), agreements(manifests, plan.seed))
    return max(codes, key=SEVERITY.index)


def check_all(
    plan: PlanFile, ordered: Sequence[Visit], folder: Path, check: Callable[[str, Sequence[Path]], None]
) -> dict[str, Path]:
    """Write the override of every cell, and refuse now what could not be deployed later; gives them by their names."""
    found: dict[str, Path] = {}
    for visit in ordered:
        name = override_name(visit)
        if name not in found:
            found[name] = write_override(folder, name, visit.spec)
    for stack in plan.stacks:
        mine = {override_name(visit) for visit in ordered if visit.stack == stack}
        check(stack, [found[name] for name in sorted(mine)])
    return found


def override_name(visit: Visit) -> str:
    """Name the override of a cell as a file may be named."""
    return "".join(letter if letter.isalnum() or letter in "-_=." else "_" for letter in visit.cell.name)


def finish_begun(world: World, name: str, store: str | None) -> None:
    """Seal and upload what a killed call left behind, so that a visit that was measured is not made again."""
    for folder in records_of(world.spool.runs(), name):
        if needs_resuming(folder):
            resumed = resume_run(folder, store)
            world.screen.note(f"run {resumed.run_id} of an earlier call: {resumed.text}")


def waiting_visits(ordered: Sequence[Visit], manifests: Sequence[Mapping[str, Any]]) -> list[Visit]:
    """Give the visits that no run was measured to its end for, in their order."""
    done = {place_in(manifest) for manifest in manifests if is_done(manifest)}
    return [visit for visit in ordered if visit.key not in done]


def durations_of(plan: PlanFile) -> Durations:
    """Give the lengths of the phases as the runner takes them."""
    return Durations(**plan.durations.model_dump())


def visit_s(plan: PlanFile, records: Sequence[RunFolder]) -> tuple[float, str]:
    """Estimate how long a visit takes, in seconds, and say from what: the visits made so far, or a guess."""
    taken: list[float] = []
    for folder in records:
        entries = folder.read_journal().entries
        if entries and entries[-1].state == "committed":
            taken.append((entries[-1].at_ns - entries[0].at_ns) / 1e9)
    if taken:
        return sum(taken) / len(taken) + SWITCH_S / 3, f"{len(taken)} visits made so far"
    phases = plan.durations
    measured_s = phases.warmup_s + phases.window_s + phases.drain_s + phases.cool_down_s
    return measured_s + SWITCH_S, f"the phases and {SWITCH_S:g} s for parking and deploying"


def show_plan(
    plan: PlanFile,
    name: str,
    ordered: Sequence[Visit],
    manifests: Sequence[Mapping[str, Any]],
    records: Sequence[RunFolder],
) -> None:
    """Print every visit in its order, and how long they will take."""
    waiting = {visit.key for visit in waiting_visits(ordered, manifests)}
    table = Table(box=None, pad_edge=False)
    for column in ("visit", "block", "stack", *plan.factors, "role", "done"):
        table.add_column(column)
    for position, visit in enumerate(ordered, start=1):
        names = [_level(visit.cell.levels[factor], plan, factor) for factor in plan.factors]
        done = "" if visit.key in waiting else "yes"
        block = str(visit.cell.repetition + 1)
        table.add_row(str(position), block, visit.stack, *map(escape, names), visit.cell.role, done)
    each_s, source = visit_s(plan, records)
    console = Console(highlight=False)
    console.print(table)
    total = timedelta(seconds=round(each_s * len(waiting)))
    console.print(f"\ncampaign {name}: {len(waiting)} of {len(ordered)} visits to make")
    console.print(f"about {total} ({each_s:.0f} s each, from {source})", soft_wrap=True)


def show_summary(cells: Sequence[CellSummary], agreed: Sequence[Agreement]) -> None:
    """Print each cell's values, and how far equal cells were apart."""
    console = Console(highlight=False)
    if not cells:
        return
    keys = [key for key in SHOWN if any(key in cell.values for cell in cells)]
    table = Table(box=None, pad_edge=False)
    for column in ("cell", "role", *keys, "complete", "invalid"):
        table.add_column(escape(column))
    for cell in cells:
        values = [_value(cell, key) for key in keys]
        table.add_row(escape(cell.name), cell.role, *values, str(cell.complete), str(cell.invalid))
    console.print(table)
    for found in agreed:
        interval = "" if found.interval is None else f" ({found.interval[0]:.3f} to {found.interval[1]:.3f})"
        floor = "too few pairs for a noise floor" if found.floor is None else f"noise floor {found.floor:.1%}"
        line = f"A/A {found.stack}: {found.metric} x {found.ratio:.3f}{interval}, {found.pairs} pairs: {floor}"
        console.print(escape(line), soft_wrap=True)


def _value(cell: CellSummary, key: str) -> str:
    mean = cell.values.get(key)
    if mean is None:
        return "-"
    unit = UNITS.get(key, "s")
    spread = f" ({quantity(mean.interval[0], unit)} to {quantity(mean.interval[1], unit)})" if mean.interval else ""
    return f"{quantity(mean.value, unit)}{spread}"


def _level(value: Any, plan: PlanFile, factor: str) -> str:
    return next(name for name, known in plan.factors[factor].named().items() if known == value)


if __name__ == "__main__":
    app()
