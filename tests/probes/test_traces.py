"""The path of a frame, from answers as Jaeger's HTTP API gives them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from probes import traces
from probes.errors import TargetError, UsageError
from probes.frame_traces import FrameTrace, Question, find_traces, frame_trace, longest, parameters, path
from probes.platform_programs import platform_outputs
from stacks.outputs import Observability, ProgramEndpoint, StackOutputs
from tests.probes.standins import outputs_of

DUE_US = 1_700_000_000_000_000
TRACE = "00112233445566778899aabbccddeeff"
QUESTION = Question("microservices", 120, 0, DUE_US * 1000 - 10**9, DUE_US * 1000 + 10**9)


def tags(node: str, topic: str, frame: int) -> list[dict[str, Any]]:
    return [
        {"key": "ros2bench.node", "type": "string", "value": node},
        {"key": "ros2bench.topic", "type": "string", "value": topic},
        {"key": "ros2bench.frame_number", "type": "int64", "value": frame},
        {"key": "ros2bench.stream", "type": "int64", "value": 0},
    ]


def span(
    name: str, node: str, start_us: int, duration_us: int, parent: str | None = None, frame: int = 120
) -> dict[str, Any]:
    references = [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": f"{parent}-id"}] if parent else []
    return {
        "traceID": TRACE,
        "spanID": f"{node}-id",
        "operationName": name,
        "references": references,
        "startTime": DUE_US + start_us,
        "duration": duration_us,
        "tags": tags(node, f"/{name}", frame),
        "processID": f"p-{node}",
    }


def answer(*spans: dict[str, Any]) -> dict[str, Any]:
    processes = {each["processID"]: {"serviceName": each["processID"][2:]} for each in spans}
    return {"traceID": TRACE, "spans": list(spans), "processes": processes}


WHOLE = answer(
    span("report", "monitor", 30_000, 500, "detector"),
    span("capture", "camera", 0, 2_000),
    span("detect", "detector", 3_000, 20_000, "camera"),
    span("read", "reader", 25_000, 90_000, "detector"),
)


def client_of(answered: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url="http://jaeger", transport=httpx.MockTransport(answered))


def asked(answered: Callable[[httpx.Request], httpx.Response], question: Question = QUESTION) -> list[FrameTrace]:
    async def ask() -> list[FrameTrace]:
        async with client_of(answered) as client:
            return await find_traces(client, question)

    return asyncio.run(ask())


def test_the_path_is_in_the_order_of_time_with_the_way_between_nodes() -> None:
    steps = path(frame_trace(WHOLE))
    assert [(step.span.node, step.after) for step in steps] == [
        ("camera", None),
        ("detector", "camera"),
        ("reader", "detector"),
        ("monitor", "detector"),
    ]
    assert [step.begins_s for step in steps] == pytest.approx([0, 0.003, 0.025, 0.030])
    assert [step.took_s for step in steps] == pytest.approx([0.002, 0.020, 0.090, 0.0005])
    assert [step.on_the_way_s for step in steps] == [
        None,
        pytest.approx(0.001),
        pytest.approx(0.002),
        pytest.approx(0.007),
    ]


def test_where_a_node_told_nothing_the_way_from_it_is_unknown() -> None:
    steps = path(frame_trace(answer(span("detect", "detector", 0, 10, "camera"))))
    assert (steps[0].on_the_way_s, steps[0].after) == (None, None)


def test_a_reference_to_another_trace_is_no_parent() -> None:
    linked = span("report", "monitor", 0, 1)
    linked["references"] = [{"refType": "CHILD_OF", "traceID": "ff" * 16, "spanID": "camera-id"}]
    assert frame_trace(answer(span("capture", "camera", 0, 1), linked)).spans[1].parent is None


def test_it_asks_for_the_frame_of_the_stack_in_microseconds() -> None:
    found = parameters(QUESTION)
    assert json.loads(found["tags"]) == {
        "ros2bench.frame_number": "120",
        "ros2bench.stack": "microservices",
        "ros2bench.stream": "0",
    }
    assert found["service"] == "camera"
    assert int(found["start"]) == DUE_US - 10**6
    assert "ros2bench.frame_number" not in parameters(Question("s", None, 0, 0, 1))["tags"]


def test_of_several_the_newest_comes_first() -> None:
    older = answer(span("capture", "camera", -5_000_000, 1))
    found = asked(lambda _: httpx.Response(200, json={"data": [older, WHOLE]}))
    assert [len(trace.spans) for trace in found] == [4, 1]
    assert longest(found) == found[0]


@pytest.mark.parametrize("given", [b"hello", b"[]", b'{"data": [{"spans": [{}], "processes": {}}]}'])
def test_what_is_no_jaeger_is_said_to_be_none(given: bytes) -> None:
    with pytest.raises(TargetError, match="no Jaeger"):
        asked(lambda _: httpx.Response(200, content=given))


def test_a_refusal_is_shown_with_what_was_said() -> None:
    with pytest.raises(TargetError, match=r"400 to .*parameter 'service' is required"):
        asked(lambda _: httpx.Response(400, text="parameter 'service' is required"))


def test_where_nobody_answers_it_says_so() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(TargetError, match="cannot be asked"):
        asked(refuse)


class Stacks:
    """The stacks of a project."""

    def __init__(self, *known: StackOutputs) -> None:
        self._known = {each.stack: each for each in known}

    def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Give the names, or the selected one."""
        return names or ("microservices",)

    def outputs(self, stack: str) -> StackOutputs:
        """Give a contract."""
        return self._known[stack]


def experiment(**tracing: Any) -> StackOutputs:
    return outputs_of(
        "microservices", platform="platform", spec={"tracing": {"enabled": True, "sampleEvery": 10} | tracing}
    )


def platform(jaeger: ProgramEndpoint | None) -> StackOutputs:
    return outputs_of("platform", kind="platform", observability=Observability(mode="none", jaeger=jaeger))


def test_a_frame_that_is_not_traced_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="frames 120 and 130 are"):
        traces.check_sampled(experiment(), 127)
    traces.check_sampled(experiment(), 130)
    traces.check_sampled(experiment(), None)


def test_a_stack_that_traces_nothing_says_so() -> None:
    with pytest.raises(UsageError, match=r"tracing\.enabled is not set"):
        traces.check_sampled(outputs_of(), 1)


def test_the_platform_is_that_of_the_stack_unless_another_is_named() -> None:
    stacks: Any = Stacks(platform(None), outputs_of("other", kind="platform"))
    assert platform_outputs(stacks, experiment(), None).stack == "platform"
    assert platform_outputs(stacks, experiment(), "other").stack == "other"
    assert platform_outputs(stacks, platform(None), None).stack == "platform"
    with pytest.raises(UsageError, match="names no platform"):
        platform_outputs(stacks, outputs_of("alone"), None)


def test_a_platform_without_traces_says_what_to_set() -> None:
    stacks: Any = Stacks(platform(None))
    with pytest.raises(UsageError, match="keeps no traces"):
        asyncio.run(traces.traced(stacks, experiment(), QUESTION))


def test_the_command_shows_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    async def traced(*_: object) -> tuple[FrameTrace, int]:
        return frame_trace(WHOLE), 1

    monkeypatch.setattr(traces, "PulumiTarget", lambda: Stacks(experiment(), platform(None)))
    monkeypatch.setattr(traces, "traced", traced)
    done = CliRunner().invoke(traces.app, ["-s", "microservices", "--frame", "120"])
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.stdout.splitlines()[2:6]] == ["camera", "detector", "reader", "monitor"]
    assert "1 more of this number" in done.stderr
    as_json = CliRunner().invoke(traces.app, ["-s", "microservices", "--frame", "120", "--json"])
    found = json.loads(as_json.stdout)
    assert (found["frame_number"], len(found["steps"])) == (120, 4)
    refused = CliRunner().invoke(traces.app, ["-s", "microservices", "--frame", "121"])
    assert refused.exit_code == 2
