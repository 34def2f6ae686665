"""`python -m probes.peak -s STACK`: the largest rate at which less than 5 % of the frames are lost.

Each trial is an ordinary run with a record of its own at one rate; the answer is a record of its own, `frames_hz_peak`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from probes.campaign_plan import Visit, nested
from probes.campaign_summary import value_of
from probes.cell import Cell
from probes.cluster import connect
from probes.console import Screen
from probes.derived_record import begin_record, finish_record, keep_readings
from probes.errors import ExitCode, ProbeError, UsageError
from probes.measurements.peak import NO_LOSS_KNOWN, TRIAL_FAILED
from probes.plan import Durations
from probes.readings import Reading
from probes.record import End
from probes.run_id import new_run_id
from probes.search import Limits, NoPeak, Peak, Trial, search
from probes.spool import Spool
from probes.store import open_store
from probes.target import PulumiTarget
from probes.visit import ENDED, Manner, Visited, campaigns_folder, check_specs, park_all, perform, write_override
from probes.world import World

RATE_KEY = "application.load.rateHz"
DEFAULTS = Limits()
PHASES = Durations(warmup_s=5.0, window_s=20.0)
HARMLESS_GATES = frozenset({"enough_samples", "one_regime", "quiet_machine"})
"""Gates whose failure does not touch the count of frames: few samples are what a rate that fails looks like."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class SearchEnded(Exception):  # noqa: N818 - an event, not a fault
    """A trial ended in a way that gives no loss; `code` is the run's, `reason` what the record keeps."""

    def __init__(self, code: ExitCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@app.command()
def peak(
    stack: Annotated[str, typer.Option("-s", "--stack", help="Stack to search.")],
    start_hz: Annotated[float, typer.Option(help="First rate.")] = DEFAULTS.start_hz,
    least_hz: Annotated[float, typer.Option(help="Smallest rate.")] = DEFAULTS.least_hz,
    most_hz: Annotated[float, typer.Option(help="Largest rate.")] = DEFAULTS.most_hz,
    loss_limit: Annotated[
        float, typer.Option(help="A rate holds if less than this share is lost.")
    ] = DEFAULTS.loss_limit,
    resolution: Annotated[float, typer.Option(help="Width of the answer, as a share of it.")] = DEFAULTS.resolution,
    key: Annotated[str, typer.Option(help="Key of the spec that is the rate.")] = RATE_KEY,
    duration_s: Annotated[float, typer.Option(help="Length of the window of a trial.")] = PHASES.window_s,
    warmup_s: Annotated[float, typer.Option(help="Wait before the window.")] = PHASES.warmup_s,
    platform: Annotated[
        str | None,
        typer.Option(help="Stack whose machine readers tell what else ran during each trial. Default: none."),
    ] = None,
    store: Annotated[str | None, typer.Option(help="As for python -m probes.run.")] = None,
) -> None:
    """Search the largest rate: doubling, bisection, then a linear check in which a rate must hold twice.

    Exit codes: 0 found and committed, otherwise as of python -m probes.run.
    """
    screen = Screen()
    limits = Limits(start_hz, least_hz, most_hz, loss_limit, resolution)
    manner = Manner(replace(PHASES, window_s=duration_s, warmup_s=warmup_s), seed=1, store=store, platform=platform)
    try:
        world = World(PulumiTarget(), connect, Spool(), open_store, screen)
        code = find_peak(stack, limits, key, manner, world)
    except ProbeError as problem:
        screen.error(problem)
        code = problem.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


def find_peak(
    stack: str,
    limits: Limits,
    key: str,
    manner: Manner,
    world: World,
    check: Callable[[str, list[Any]], None] = check_specs,
) -> ExitCode:
    """Search, leave the stack parked as its file says, keep the answer.

    Raises:
        UsageError: A number is out of range, or the key is none of the stack's spec.
        ProbeError: The stack cannot be read, parked or sealed.
    """
    try:
        searching = search(limits)
    except ValueError as error:
        raise UsageError(f"The search cannot begin: {error}.", next_step="python -m probes.peak --help") from None
    world.target.choose((stack,))
    campaign = f"peak-{new_run_id()}"
    folder = campaigns_folder() / campaign
    check(
        stack,
        [write_override(folder, f"limit-{rate:g}", nested(key, rate)) for rate in {limits.start_hz, limits.most_hz}],
    )
    trials: list[dict[str, Any]] = []

    def measure(trial: Trial) -> float:
        number = len(trials) + 1
        world.screen.step(f"trial {number} ({trial.stage}): {trial.rate_hz:.4g} Hz")
        cell = Cell(campaign, f"{stack}, {trial.rate_hz:.6g} Hz", number, "trial", {"rate_hz": trial.rate_hz})
        override = write_override(folder, f"trial-{number}", nested(key, trial.rate_hz))
        visited = perform(
            Visit(stack, cell, nested(key, trial.rate_hz), {"network": False}), manner, world, override, (stack,)
        )
        loss = loss_of(visited)
        run = visited.manifest["run_id"] if visited.manifest else None
        foreign = value_of(visited.manifest, "foreign_cpu_ratio") if visited.manifest else None
        trials.append(
            {
                "rate_hz": trial.rate_hz,
                "stage": trial.stage,
                "loss_ratio": loss,
                "foreign_cpu_ratio": foreign,
                "run": run,
            }
        )
        beside = "" if foreign is None else f", {foreign:.0%} of the busiest machine's processors taken by others"
        world.screen.step(f"trial {number}: {loss:.1%} lost{beside}")
        return loss

    found, ended = drive(searching, measure)
    if ended not in ENDED:
        park_all(world, (stack,), manner.durations.ready_timeout_s)
    cell = Cell(campaign, stack, 0, "summary", {})
    facts = {
        "repetitions": 0,
        "seed": manner.seed,
        "cycles": "none",
        "key": key,
        "limits": asdict(limits),
        "trials": trials,
    }
    record = begin_record(world, world.target.outputs(stack), cell, facts, manner.store)
    keep_readings(record, [reading_of(found)])
    end = End("aborted", "interrupted") if ended in ENDED else End("complete", None)
    return max(finish_record(world, record, end), ended or ExitCode.COMMITTED)


def drive(searching: Any, measure: Callable[[Trial], float]) -> tuple[Peak | NoPeak, ExitCode | None]:
    """Answer a search's questions by measuring until it has its answer, or a trial tells nothing."""
    try:
        trial = next(searching)
        while True:
            trial = searching.send(measure(trial))
    except StopIteration as answer:
        return answer.value, None
    except SearchEnded as ended:
        return NoPeak(ended.reason), ended.code


def loss_of(visited: Visited) -> float:
    """Give the share of frames that a trial lost.

    An application that sends nothing at a rate loses everything; a run that broke for another reason tells nothing.

    Raises:
        SearchEnded: The trial has no loss.
    """
    manifest = visited.manifest
    if manifest is None:
        raise SearchEnded(visited.code, TRIAL_FAILED)
    if manifest["state"] == "failed" and manifest["reason"] == "no_message":
        return 1.0
    broken = (
        set(str(manifest["reason"] or "").split(",")) - HARMLESS_GATES if manifest["state"] == "invalid" else set[str]()
    )
    if manifest["state"] not in {"complete", "invalid"} or broken:
        raise SearchEnded(visited.code, TRIAL_FAILED)
    ratio = _ratio(manifest["metrics"])
    if ratio is None:
        raise SearchEnded(ExitCode.INVALID, NO_LOSS_KNOWN)
    return 1 - ratio


def reading_of(found: Peak | NoPeak) -> Reading:
    """Give frames_hz_peak, or why there is none."""
    if isinstance(found, NoPeak):
        return Reading("frames_hz_peak", missing=found.reason)
    return Reading("frames_hz_peak", found.rate_hz)


def _ratio(metrics: Mapping[str, Any]) -> float | None:
    delivered = metrics.get("frames_delivered_ratio", {})
    if delivered.get("missing") in {"no_samples", "too_few_samples"}:
        return 0.0
    return delivered.get("value")


if __name__ == "__main__":
    app()
