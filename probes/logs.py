"""`python -m probes.logs RUN_ID`: every line that the pods of a run's stack wrote while it ran."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from probes.cluster import connect
from probes.console import Screen
from probes.errors import ExitCode, ProbeError, TargetError, UsageError
from probes.log_access import access_of
from probes.log_lines import Line, Wanted, from_loki, from_opensearch, rfc3339
from probes.platform_programs import Connect, observability_of, platform_outputs, program_client
from probes.run_span import run_span
from probes.target import PulumiTarget
from stacks.outputs import ProgramEndpoint, StackOutputs

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def lines_of(
    platform: StackOutputs,
    wanted: Wanted,
    connect_to: Connect = connect,
    environment: Mapping[str, str] = os.environ,
) -> list[Line]:
    """Ask whoever keeps the lines of a platform's cluster.

    Args:
        platform: Contract of the platform.
        wanted: Which lines.
        connect_to: Connects to the cluster.
        environment: Holds the credentials of a store at an address of its own.

    Raises:
        UsageError: Nobody does, or the credentials are incomplete.
        TargetError: It cannot be asked.
    """
    said: Mapping[str, Any] = platform.spec.get("logs", {})
    elsewhere: Mapping[str, Any] = said.get("external", {})
    if said.get("mode") == "external" and elsewhere.get("kind") == "opensearch":
        endpoint = ProgramEndpoint(url=elsewhere["url"])
        access = access_of(environment, key_scheme="ApiKey")
        async with program_client("opensearch", endpoint, connect_to, access) as client:
            return await from_opensearch(client, wanted, elsewhere["index"], elsewhere["timeField"])
    endpoint = observability_of(platform).loki
    if endpoint is None:
        raise UsageError(
            f"Stack {platform.stack} collects no lines: logs.mode is none.",
            next_step=f"set logs: {{mode: loki}} in Pulumi.{platform.stack}.yaml and run again; of pods that are still "
            f"there: kubectl -n ros2bench-{wanted.stack} logs POD",
        )
    access = access_of(environment, key_scheme="Bearer")
    async with program_client("loki", endpoint, connect_to, access) as client:
        return await from_loki(client, wanted)


def chosen(lines: Sequence[Line], level: str | None, speaker: str | None) -> list[Line]:
    """Give the lines of a level or graver, of one node or program; plain text has no level and is as grave as INFO."""
    least = LEVELS.index(level) if level else 0
    return [
        line
        for line in lines
        if (LEVELS.index(line.level) if line.level in LEVELS else LEVELS.index("INFO")) >= least
        and (speaker is None or speaker in {line.speaker, line.pod, line.container})
    ]


def shown(line: Line) -> str:
    """Give one line as people read it."""
    return f"{rfc3339(line.at_ns)[11:23]}  {line.level or '-':8}  {line.speaker:20}  {line.message}"


def document(line: Line) -> dict[str, Any]:
    """Give one line as plain JSON values."""
    return {
        "at_ns": line.at_ns,
        "namespace": line.namespace,
        "pod": line.pod,
        "container": line.container,
        "text": line.text,
        "fields": dict(line.fields),
    }


@app.command()
def logs(
    run_id: Annotated[str, typer.Argument(help="Run: its identifier, or a part of its beginning or end.")],
    level: Annotated[str | None, typer.Option(help=f"This level or graver: {', '.join(LEVELS)}.")] = None,
    node: Annotated[str | None, typer.Option(help="Lines of one node, program, pod or container.")] = None,
    platform: Annotated[
        str | None, typer.Option(help="Stack that collects the lines. Default: that of the run.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="spool, dir:PATH, s3://BUCKET[/PREFIX]. Default: the spool, then the store.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Show every line that the pods of the run's stack wrote while it ran, and others' lines that name it."""
    screen = Screen()
    try:
        if level is not None and level not in LEVELS:
            raise UsageError(f"--level is {level!r}; choices: {', '.join(LEVELS)}.")
        span = run_span(run_id, store)
        wanted = Wanted(span.outputs.stack, span.run_id, span.from_ns, span.to_ns)
        found = asyncio.run(lines_of(platform_outputs(PulumiTarget(), span.outputs, platform), wanted))
        if not found:
            raise TargetError(
                f"The collector has no line of stack {wanted.stack} from {rfc3339(wanted.from_ns)} to "
                f"{rfc3339(wanted.to_ns)}.",
                next_step="lines are kept for logs.retentionHours only; was the platform up when the run was made?",
                reason="no_lines",
            )
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    for line in chosen(found, level, node):
        if as_json:
            sys.stdout.write(json.dumps(document(line), ensure_ascii=False) + "\n")
        else:
            screen.line(shown(line))


if __name__ == "__main__":
    app()
