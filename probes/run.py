"""`python -m probes.run`: measure a stack and keep the record."""

from typing import Annotated

import typer

from probes.catalogue import explain as explain_metric
from probes.catalogue import find_metric
from probes.cluster import connect
from probes.conclusion import run_campaign
from probes.console import Screen
from probes.errors import ExitCode, ProbeError
from probes.fault_order import fault_order
from probes.plan import Cycles, Durations, Regime
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
        typer.Option(
            help="install: park and deploy the stack for each repetition. update: that, then make and undo the defined "
            "change. none: do not touch it."
        ),
    ] = "none",
    regime: Annotated[
        Regime,
        typer.Option(
            help="What machines hold before an install. warm: the images. image_cold: no image of the application. "
            "pristine: no volume of it either. The last two need machine readers that may remove images."
        ),
    ] = "warm",
    platform: Annotated[
        str | None,
        typer.Option(help="Stack whose machine readers are asked. Default: the platform: setting of the stacks."),
    ] = None,
    network: Annotated[
        bool | None,
        typer.Option(
            "--network/--no-network",
            help="Probe the network between all machines with a reader, or not at all. Default: between those that the "
            "application and its recorder use, if these are 2 to 4; for 2 it takes about 10 s of a repetition.",
            show_default=False,
        ),
    ] = None,
    fault: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=VALUE,…",
            help="Fault of the network between the application's machines in the window, proved before and removed "
            "after it; for example delay_s=0.02,loss_ratio=0.01. Needs machineReaders.allowFaults of the platform.",
        ),
    ] = None,
    control: Annotated[
        bool,
        typer.Option("--control", help="Measure the first stack twice, as arms A and A': the noise floor."),
    ] = False,
    repetitions: Annotated[int, typer.Option(help="Repetitions of each stack; 3 or more give an interval.")] = 5,
    duration_s: Annotated[float, typer.Option(help="Length of the measured window.")] = DEFAULTS.window_s,
    warmup_s: Annotated[float, typer.Option(help="Wait before the window.")] = DEFAULTS.warmup_s,
    cool_down_s: Annotated[float, typer.Option(help="Wait after a repetition.")] = DEFAULTS.cool_down_s,
    ready_timeout_s: Annotated[
        float, typer.Option(help="Longest wait for pods and for the first message.")
    ] = DEFAULTS.ready_timeout_s,
    idle_s: Annotated[
        float, typer.Option(help="Length of the idle baseline of power, measured while the stack is parked.")
    ] = DEFAULTS.idle_s,
    store: Annotated[
        str | None,
        typer.Option(help="dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX. Default: the stack's records: setting."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC", help="Say what a metric is, where it comes from and how sure it is; measure nothing."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure an experiment: warm up, measure, repeat, seal, upload.

    Exit codes: 0 committed, 2 usage, 3 invalid measurement, 4 deploy failed or target not ready, 5 stored locally only,
    6 aborted but sealed, 7 conflict, 130 interrupted before anything was measured.
    """
    screen = Screen(as_json=as_json)
    durations = Durations(
        warmup_s=warmup_s, window_s=duration_s, cool_down_s=cool_down_s, ready_timeout_s=ready_timeout_s, idle_s=idle_s
    )
    try:
        if explain is not None:
            screen.line(explain_metric(find_metric(explain)))
            return
        request = Request(
            tuple(stack or ()),
            repetitions,
            cycles,
            durations,
            seed,
            store,
            regime=regime,
            platform=platform,
            is_controlled=control,
            network=network,
            fault=fault_order(fault),
        )
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
