"""`python -m probes.traces`: the path of one frame through the nodes, with times, from the platform's Jaeger."""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from probes.cluster import connect
from probes.console import Screen, quantity
from probes.errors import ExitCode, ProbeError, TargetError, UsageError
from probes.frame_traces import FrameTrace, Question, find_traces, longest, path
from probes.platform_programs import Connect, observability_of, platform_outputs, program_client
from probes.target import PulumiTarget
from stacks.outputs import StackOutputs

NS_PER_S = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_S
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def sample_every(outputs: StackOutputs) -> int:
    """Give the one frame in how many that a stack traces.

    Raises:
        UsageError: It traces none.
    """
    tracing: dict[str, Any] = outputs.spec.get("tracing", {})
    if not tracing.get("enabled"):
        raise UsageError(
            f"Stack {outputs.stack} traces nothing: tracing.enabled is not set.",
            next_step=f"set tracing: {{enabled: true}} in Pulumi.{outputs.stack}.yaml, then: pulumi up -s "
            f"{outputs.stack}",
        )
    return int(tracing["sampleEvery"])


def check_sampled(outputs: StackOutputs, frame: int | None) -> None:
    """Check that a frame is one of those that are traced.

    Raises:
        UsageError: It is not; names the next ones that are.
    """
    every = sample_every(outputs)
    if frame is not None and frame % every:
        below = frame - frame % every
        raise UsageError(
            f"Frame {frame} is not traced: tracing.sampleEvery of stack {outputs.stack} is {every}, so that frames "
            f"{below} and {below + every} are.",
            next_step=f"--frame {below}, or set tracing.sampleEvery: 1",
        )


async def traced(
    target: PulumiTarget,
    outputs: StackOutputs,
    question: Question,
    platform_name: str | None = None,
    connect_to: Connect | None = None,
) -> tuple[FrameTrace, int]:
    """Give the trace of a frame, and how many others have its number.

    Raises:
        UsageError: The platform keeps no traces.
        TargetError: There is no such trace, or Jaeger cannot be asked.
    """
    platform = platform_outputs(target, outputs, platform_name)
    endpoint = observability_of(platform).jaeger
    if endpoint is None:
        raise UsageError(
            f"Stack {platform.stack} keeps no traces.",
            next_step=f"set tracing: {{enabled: true}} in Pulumi.{platform.stack}.yaml, then: pulumi up -s "
            f"{platform.stack}; traces that go elsewhere (tracing.endpoint) are asked there",
        )
    async with program_client("jaeger", endpoint, connect_to or connect) as client:
        found = await find_traces(client, question)
    if not found:
        wanted = "frame" if question.frame_number is None else f"frame {question.frame_number}"
        minutes = (question.to_ns - question.from_ns) / NS_PER_MINUTE
        raise TargetError(
            f"Jaeger has no trace of a {wanted} of stack {question.stack}, stream {question.stream}, from the last "
            f"{minutes:g} minutes.",
            next_step="give an older time with --minutes; if there is none at all, the nodes' log says whether spans "
            "were dropped: kubectl logs, lines with logger traces",
            reason="no_trace",
        )
    return (longest(found) if question.frame_number is None else found[0]), len(found) - 1


def table(trace: FrameTrace) -> Table:
    """Lay out the path of a frame."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("node")
    shown.add_column("span")
    for title in ("begins", "took", "on the way"):
        shown.add_column(title, justify="right")
    shown.add_column("after")
    shown.add_column("topic")
    for step in path(trace):
        shown.add_row(
            escape(step.span.node),
            escape(step.span.name),
            quantity(step.begins_s, "s"),
            quantity(step.took_s, "s"),
            "" if step.on_the_way_s is None else quantity(step.on_the_way_s, "s"),
            escape(step.after or ""),
            escape(step.span.topic),
        )
    return shown


def document(trace: FrameTrace) -> dict[str, Any]:
    """Give the path of a frame as plain JSON values."""
    return {
        "contract": 1,
        "trace_id": trace.trace_id,
        "frame_number": trace.frame_number,
        "stream": trace.stream,
        "due_ns": trace.spans[0].start_ns,
        "steps": [asdict(step) for step in path(trace)],
    }


@app.command()
def traces(
    stack: Annotated[
        str | None, typer.Option("-s", "--stack", help="Stack of the experiment. Default: selected.")
    ] = None,
    frame: Annotated[
        int | None, typer.Option(min=0, help="Number of the frame. Default: the newest that most nodes told of.")
    ] = None,
    stream: Annotated[int, typer.Option(min=0, help="Of several streams.")] = 0,
    minutes: Annotated[float, typer.Option(min=0.1, help="How far back.")] = 60.0,
    platform: Annotated[
        str | None, typer.Option(help="Stack that keeps the traces. Default: that of the stack.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show one frame's path through the nodes: when each took it, how long it worked, how long it was on the way."""
    screen = Screen()
    now_ns = time.time_ns()
    try:
        target = PulumiTarget()
        outputs = target.outputs(target.choose((stack,) if stack else ())[0])
        check_sampled(outputs, frame)
        question = Question(outputs.stack, frame, stream, now_ns - round(minutes * NS_PER_MINUTE), now_ns)
        found, others = asyncio.run(traced(target, outputs, question, platform))
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if as_json:
        sys.stdout.write(json.dumps(document(found), sort_keys=True) + "\n")
        return
    due = datetime.fromtimestamp(found.spans[0].start_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")
    screen.line(
        f"frame {found.frame_number} of {outputs.stack}, stream {found.stream}, due {due}, trace {found.trace_id}"
    )
    screen.table(table(found))
    if others and frame is not None:
        screen.note(f"{others} more of this number, of earlier runs of the camera; the newest is shown")


if __name__ == "__main__":
    app()
