"""`python -m probes.run`: measure a stack and keep the record."""

from typing import Annotated

import typer

from probes.cluster import connect
from probes.conclusion import run_campaign
from probes.console import Screen
from probes.errors import ExitCode, ProbeError
from probes.plan import Cycles, Durations
from probes.session import Request
from probes.spool import Spool
from probes.store import open_store
from probes.target import PulumiTarget
from probes.world import World

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
DEFAULTS = Durations()


@app.command()
def run(
    stack: Annotated[
        list[str] | None,
        typer.Option("-s", "--stack", help="Stack to measure; may be repeated. Default: the selected stack."),
    ] = None,
    cycles: Annotated[
        Cycles,
        typer.Option(help="install: park and deploy the stack for each repetition. none: do not touch it."),
    ] = "none",
    repetitions: Annotated[int, typer.Option(help="Repetitions of each stack; 3 or more give an interval.")] = 5,
    duration_s: Annotated[float, typer.Option(help="Length of the measured window.")] = DEFAULTS.window_s,
    warmup_s: Annotated[float, typer.Option(help="Wait before the window.")] = DEFAULTS.warmup_s,
    cool_down_s: Annotated[float, typer.Option(help="Wait after a repetition.")] = DEFAULTS.cool_down_s,
    ready_timeout_s: Annotated[
        float, typer.Option(help="Longest wait for pods and for the first message.")
    ] = DEFAULTS.ready_timeout_s,
    store: Annotated[
        str | None,
        typer.Option(help="dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX. Default: the stack's records: setting."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure an experiment: warm up, measure, repeat, seal, upload.

    Exit codes: 0 committed, 2 usage, 3 invalid measurement, 4 deploy failed or target not ready, 5 stored locally only,
    6 aborted but sealed, 7 conflict, 130 interrupted before anything was measured.
    """
    screen = Screen(as_json=as_json)
    durations = Durations(
        warmup_s=warmup_s, window_s=duration_s, cool_down_s=cool_down_s, ready_timeout_s=ready_timeout_s
    )
    request = Request(tuple(stack or ()), repetitions, cycles, durations, seed, store)
    try:
        world = World(PulumiTarget(), connect, Spool(), open_store, screen)
        code = run_campaign(request, world)
    except ProbeError as problem:
        screen.error(problem)
        code = problem.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
