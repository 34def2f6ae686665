"""`python -m probes.panels`: every panel of every dashboard from the live Prometheus, as one page of pictures.

Exit code 0; with --check 3 where a panel that should have series has none, or where Prometheus refuses a query.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from components.dashboards.catalogue import DASHBOARDS
from components.dashboards.panel import Dashboard
from probes.cluster import connect
from probes.console import Screen
from probes.errors import ExitCode, ProbeError, UsageError
from probes.panel_answers import Asking, DashboardAnswers, Scope, faults, scope_of
from probes.platform_programs import Connect, observability_of, platform_outputs
from probes.prometheus import NAME, Prometheus, Span
from probes.report.page_file import write_page
from probes.target import PulumiTarget
from stacks.outputs import ProgramEndpoint, StackOutputs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
WINDOW = re.compile(r"[1-9][0-9]*(s|m|h)")
MOST_POINTS = 400


@asynccontextmanager
async def opened(endpoint: ProgramEndpoint, connect_to: Connect = connect) -> AsyncGenerator[Prometheus]:
    """Open a Prometheus where the platform says that it is.

    Args:
        endpoint: A pod, to which a port is forwarded, or an address.
        connect_to: Connects to the cluster.

    Raises:
        TargetError: There is no ready pod of it, or the cluster cannot be reached.
    """
    if endpoint.url is not None:
        client = Prometheus(endpoint.url, is_forwarded=False)
        try:
            yield client
        finally:
            client.close()
        return
    async with connect_to() as cluster, cluster.program(NAME, endpoint) as address:
        client = Prometheus(address, is_forwarded=True)
        try:
            yield client
        finally:
            client.close()


def endpoint_of(platform: StackOutputs) -> ProgramEndpoint:
    """Give the Prometheus of a platform.

    Raises:
        UsageError: It has none.
    """
    found = observability_of(platform).prometheus
    if found is None:
        raise UsageError(
            f"Platform {platform.stack} has no Prometheus: observability.mode is "
            f"{observability_of(platform).mode!r}; choices: builtin, operator, external.",
            next_step=f"set observability: {{mode: builtin}} in Pulumi.{platform.stack}.yaml, then "
            f"pulumi up -s {platform.stack}; or name one with --url",
        )
    return found


def chosen(names: Sequence[str]) -> tuple[Dashboard, ...]:
    """Give dashboards by their names; all where none is named.

    Raises:
        UsageError: There is none of that name.
    """
    known = {each.name: each for each in DASHBOARDS}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no dashboard {name!r}; choices: {', '.join(known)}.", next_step="--dashboard experiment"
            )
    return tuple(known[name] for name in names) or DASHBOARDS


async def asked(
    endpoint: ProgramEndpoint, span: Span, scope: Scope, wanted: Sequence[Dashboard], screen: Screen
) -> tuple[DashboardAnswers, ...]:
    """Ask the Prometheus of an endpoint for every panel of dashboards."""
    async with opened(endpoint) as prometheus:
        asking = Asking(prometheus, span, scope, screen.step)
        # The forwarded port is served by this loop, so that whoever waits for answers waits in a thread.
        return await asyncio.to_thread(asking.dashboards, wanted)


def span_until(now_s: float, minutes: float) -> Span:
    """Give the time that is shown: whole steps of at least one second, at most 400 points."""
    step_s = max(1.0, -(-minutes * 60 // MOST_POINTS))
    until_s = now_s // step_s * step_s
    return Span(until_s - minutes * 60, until_s, step_s)


@app.command()
def panels(
    stack: Annotated[
        str | None, typer.Option("-s", "--stack", help="Stack that is looked at. Default: the selected stack.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Page to write.")] = Path("panels.html"),
    minutes: Annotated[float, typer.Option(min=1, max=1440, help="How far back.")] = 15.0,
    window: Annotated[str, typer.Option(help="Window of rates: 30s, 1m, 5m.")] = "1m",
    topic: Annotated[str | None, typer.Option(help="One topic only.")] = None,
    platform: Annotated[str | None, typer.Option(help="Stack whose Prometheus is asked. Default: the stack's.")] = None,
    url: Annotated[str | None, typer.Option(help="Address of a Prometheus, instead of the platform's.")] = None,
    dashboard: Annotated[
        list[str] | None, typer.Option(help="Dashboard, by its name; may be repeated. Default: all.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 3 where a panel that should have series has none.")
    ] = False,
) -> None:
    """Draw every panel of every dashboard from live series, and say for each why there are none where there are none.

    Exit codes: 0 written, 2 usage, 3 a panel lacks its series (with --check), 4 no Prometheus to ask.
    """
    # Not above: the page's modules need numpy, which a wrong option need not wait for.
    from probes.report.panel_page import PageFacts, render  # noqa: PLC0415

    screen = Screen()
    try:
        if not WINDOW.fullmatch(window):
            raise UsageError(f"--window is {window!r}, which is no duration.", next_step="--window 30s, 1m or 5m")
        wanted = chosen(dashboard or ())
        target = PulumiTarget()
        outputs = target.outputs(target.choose((stack,) if stack else ())[0])
        endpoint = ProgramEndpoint(url=url) if url else endpoint_of(platform_outputs(target, outputs, platform))
        span = span_until(time.time(), minutes)
        is_experiment = outputs.kind != "platform"
        scope = scope_of(outputs.stack, outputs.spec, is_experiment=is_experiment, topic=topic, window=window)
        found = asyncio.run(asked(endpoint, span, scope, wanted, screen))
        write_page(output, render(found, span, PageFacts(outputs.stack, outputs.pattern, window)))
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    told(found, screen)
    screen.line(f"panels: {output} ({output.stat().st_size / 1e6:.1f} MB, opens without a network)")
    if check and faults(found):
        raise typer.Exit(ExitCode.INVALID)


def told(found: tuple[DashboardAnswers, ...], screen: Screen) -> None:
    """Say what was found, and name every panel that has no series."""
    for each in found:
        counts = Counter(answer.verdict for answer in each.answers)
        screen.line(f"{each.dashboard.title}: " + ", ".join(f"{number} {said}" for said, number in counts.items()))
        for answer in each.answers:
            if answer.verdict != "found":
                screen.line(f"  {answer.panel.title}: {answer.verdict}: {answer.why}")


if __name__ == "__main__":
    app()
