"""Traces of frames as Jaeger's HTTP API (version 1) tells them, and the path of one frame as a table. Pure but asking.

Times are microseconds there: Jaeger keeps no finer ones in its answers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from probes.errors import TargetError
from probes.platform_programs import asked

FIRST_SERVICE = "camera"
"""Kind of the node with which every path begins; Jaeger wants a service in every question."""
MOST_TRACES = 50
NS_PER_US = 1_000


@dataclass(frozen=True)
class Span:
    """What one node did for a frame; times in nanoseconds since the epoch, `parent` is the identity of another span."""

    span_id: str
    parent: str | None
    name: str
    service: str
    node: str
    topic: str
    start_ns: int
    duration_ns: int

    @property
    def end_ns(self) -> int:
        """When the node had published."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class FrameTrace:
    """Everything that the nodes told of one frame, in the order of time."""

    trace_id: str
    frame_number: int
    stream: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Question:
    """Which frames are meant.

    Attributes:
        stack: Stack of the experiment.
        frame_number: Of the frame; None: any.
        stream: Of several streams.
        from_ns: Begin of the time in which it was captured, since the epoch.
        to_ns: End of it.
    """

    stack: str
    frame_number: int | None
    stream: int
    from_ns: int
    to_ns: int


def parameters(question: Question) -> dict[str, str]:
    """Give what `GET /api/traces` is asked."""
    tags = {"ros2bench.stack": question.stack, "ros2bench.stream": str(question.stream)}
    if question.frame_number is not None:
        tags["ros2bench.frame_number"] = str(question.frame_number)
    return {
        "service": FIRST_SERVICE,
        "tags": json.dumps(tags, sort_keys=True),
        "start": str(question.from_ns // NS_PER_US),
        "end": str(question.to_ns // NS_PER_US + 1),
        "limit": str(MOST_TRACES),
    }


async def find_traces(client: httpx.AsyncClient, question: Question) -> list[FrameTrace]:
    """Give the traces of the frames that are meant, the newest first.

    Raises:
        TargetError: Jaeger cannot be asked, or answers something else.
    """
    request = client.build_request("GET", "/api/traces", params=parameters(question))
    answer = await asked(client, "jaeger", request)
    try:
        found = [frame_trace(trace) for trace in answer.json()["data"] or ()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TargetError(
            f"What answers at {request.url.copy_with(query=None)} is no Jaeger with the HTTP API 1: {error!r}.",
            next_step="check tracing in the platform's stack file",
            reason="jaeger_refused",
        ) from None
    return sorted((trace for trace in found if trace.spans), key=lambda trace: -trace.spans[0].start_ns)


def frame_trace(trace: Mapping[str, Any]) -> FrameTrace:
    """Read one trace of an answer.

    Raises:
        KeyError: It lacks what every trace of ours has.
        ValueError: A number is none.
    """
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    spans: list[Span] = []
    numbers: set[tuple[int, int]] = set()
    for each in trace["spans"]:
        tags = {tag["key"]: tag["value"] for tag in each.get("tags") or ()}
        numbers.add((int(tags["ros2bench.frame_number"]), int(tags["ros2bench.stream"])))
        spans.append(
            Span(
                span_id=each["spanID"],
                parent=_parent(each.get("references") or (), trace["traceID"]),
                name=each["operationName"],
                service=services[each["processID"]],
                node=tags["ros2bench.node"],
                topic=tags["ros2bench.topic"],
                start_ns=int(each["startTime"]) * NS_PER_US,
                duration_ns=int(each["duration"]) * NS_PER_US,
            )
        )
    number, stream = min(numbers, default=(0, 0))
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.end_ns))
    return FrameTrace(trace["traceID"], number, stream, tuple(ordered))


def _parent(references: Sequence[Mapping[str, Any]], trace_id: str) -> str | None:
    """Give the span of the same trace after which one comes; references to other traces are links."""
    own = [each for each in references if each["refType"] == "CHILD_OF" and each["traceID"] == trace_id]
    return str(own[0]["spanID"]) if own else None


def longest(traces: Sequence[FrameTrace]) -> FrameTrace:
    """Give the newest of the traces that most nodes have told of."""
    most = max(len(trace.spans) for trace in traces)
    return next(trace for trace in traces if len(trace.spans) == most)


@dataclass(frozen=True)
class Step:
    """One line of a frame's path, times in seconds.

    Attributes:
        span: What a node did.
        begins_s: After the frame was due.
        took_s: From when the node took it until it had published.
        on_the_way_s: Since the node before it had published: transport and queue; None for the first, and where that
            node told nothing.
        after: That node.
    """

    span: Span
    begins_s: float
    took_s: float
    on_the_way_s: float | None
    after: str | None


def path(trace: FrameTrace) -> list[Step]:
    """Give a frame's path through the nodes, in the order of time."""
    known = {span.span_id: span for span in trace.spans}
    due_ns = trace.spans[0].start_ns
    steps: list[Step] = []
    for span in trace.spans:
        before = known.get(span.parent or "")
        steps.append(
            Step(
                span=span,
                begins_s=(span.start_ns - due_ns) / 1e9,
                took_s=span.duration_ns / 1e9,
                on_the_way_s=None if before is None else (span.start_ns - before.end_ns) / 1e9,
                after=None if before is None else before.node,
            )
        )
    return steps
