"""What follows the last repetition, or an early end: seal every run, upload what is complete, show it, exit code."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from probes.errors import ExitCode, ProbeError
from probes.journal import Journal
from probes.kept import measured_something
from probes.record import End, seal, upload
from probes.run_state import Run
from probes.session import Campaign, Request, measure
from probes.spool import MANIFEST_FILE
from probes.world import World

INTERRUPTED = "interrupted"
SEVERITY = (
    ExitCode.COMMITTED,
    ExitCode.INVALID,
    ExitCode.TARGET,
    ExitCode.USAGE,
    ExitCode.STORED_LOCALLY,
    ExitCode.INTERRUPTED,
    ExitCode.ABORTED,
    ExitCode.CONFLICT,
)
"""Exit codes from the least to the most pressing: a campaign ends with the most pressing of its runs."""


@dataclass(frozen=True)
class Outcome:
    """How the measuring ended."""

    problem: ProbeError | None
    is_interrupted: bool
    defect: Exception | None


def run_campaign(request: Request, world: World) -> ExitCode:
    """Measure, seal, upload, show."""
    campaign = Campaign(request)
    outcome = _measure(campaign, world)
    if outcome.problem:
        world.screen.error(outcome.problem)
    codes = [outcome.problem.exit_code] if outcome.problem else []
    codes += [_finish(run, campaign, world, outcome) for run in campaign.runs]
    if outcome.defect:
        raise outcome.defect
    if outcome.is_interrupted and not campaign.runs:
        codes.append(ExitCode.INTERRUPTED)
    return max(codes, key=SEVERITY.index)


def _measure(campaign: Campaign, world: World) -> Outcome:
    try:
        asyncio.run(_until_terminated(campaign, world))
    except ProbeError as problem:
        return Outcome(problem, is_interrupted=False, defect=None)
    except (KeyboardInterrupt, asyncio.CancelledError):
        world.screen.note("interrupted")
        return Outcome(None, is_interrupted=True, defect=None)
    except Exception as defect:  # noqa: BLE001 - raised again once every run is sealed
        return Outcome(None, is_interrupted=False, defect=defect)
    return Outcome(None, is_interrupted=False, defect=None)


async def _until_terminated(campaign: Campaign, world: World) -> None:
    """Measure; a SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("runs in a task")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await measure(campaign, world)


def _end_of(run: Run, campaign: Campaign, outcome: Outcome) -> End:
    if campaign.plan and run.done == campaign.plan.repetitions:
        return End("complete", None)
    if outcome.problem and outcome.problem.exit_code == ExitCode.TARGET:
        return End("failed", outcome.problem.reason)
    if outcome.problem:
        return End("aborted", outcome.problem.reason)
    if outcome.defect:
        return End("failed", "internal_error")
    return End("aborted", INTERRUPTED)


def _finish(run: Run, campaign: Campaign, world: World, outcome: Outcome) -> ExitCode:
    """Seal and, where it is complete, upload one run."""
    folder, plan = run.folder, campaign.plan
    if plan and plan.cycles != "none" and run.done < plan.repetitions:
        stack = run.outputs.stack
        world.screen.note(f"stack {stack} is left as it is; to bring it to running: pulumi up -s {stack}")
    with run.journal as journal:
        if outcome.is_interrupted and not measured_something(folder):
            journal.append("aborted", INTERRUPTED)
            folder.release()
            return ExitCode.INTERRUPTED
        try:
            with _uninterrupted():
                manifest = seal(folder, journal, _end_of(run, campaign, outcome))
            if outcome.is_interrupted or manifest["state"] in {"failed", "aborted"}:
                _show_local(world, run, manifest)
                return outcome.problem.exit_code if outcome.problem else ExitCode.ABORTED
            return _upload(run, journal, campaign, world, manifest)
        except ProbeError as problem:
            world.screen.error(problem)
            return problem.exit_code
        except KeyboardInterrupt:
            world.screen.note(f"interrupted; the sealed run waits: python -m probes.resume {folder.run_id}")
            return ExitCode.ABORTED


def _upload(run: Run, journal: Journal, campaign: Campaign, world: World, manifest: dict[str, Any]) -> ExitCode:
    """Store a sealed run and show it; where the store fails, show it all the same."""
    try:
        address = upload(run.folder, journal, world.open_store(campaign.request.store, run.outputs.records))
    except ProbeError:
        _show_local(world, run, manifest)
        raise
    world.screen.result(manifest, address, [f"python -m probes.report {run.folder.run_id}"])
    return ExitCode.INVALID if manifest["state"] == "invalid" else ExitCode.COMMITTED


def _show_local(world: World, run: Run, manifest: dict[str, Any]) -> None:
    """Show a run that is kept on this machine only, and how to go on."""
    run_id = run.folder.run_id
    place = f"{run.folder.sealed / MANIFEST_FILE} (on this machine only)"
    steps = [f"python -m probes.resume {run_id}", f"python -m probes.report {run_id}"]
    world.screen.result(manifest, place, steps)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Let a seal, which takes a moment, come to its end; an interruption takes effect right after it."""
    pending: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _frame: pending.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pending:
        raise KeyboardInterrupt
