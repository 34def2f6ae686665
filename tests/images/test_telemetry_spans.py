"""Spans of frames: their identities, the request that exports them, and a collector that is slow, dead or refuses."""

import hashlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import WORKSPACE, module

span = module("ros2bench_telemetry.span")
otlp = module("ros2bench_telemetry.otlp")
exporter = module("ros2bench_telemetry.exporter")
tracer = module("ros2bench_telemetry.tracer")

INTENDED_NS = 1_700_000_000_123_456_789
ABOUT = {"stack": "demo", "pattern": "composition", "instance": "pod-1"}
ENDPOINT = exporter.Endpoint("http", "jaeger.ros2bench-platform.svc", 4318, "/v1/traces")
LIMIT_S = 5.0


def made(number: int = 7, kind: str = "detector", after: str = "camera", used: Any = None) -> Any:
    frame = span.Frame(0, number, INTENDED_NS)
    return span.Span("detect", kind, kind, frame, "/detections", INTENDED_NS + 5, INTENDED_NS + 9, after, used)


def wait_until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.002)


class Collector:
    """Takes requests, or does not."""

    def __init__(self, *, fails: bool = False, status: int = 200, answer: bytes = b"{}") -> None:
        self.bodies: list[dict[str, Any]] = []
        self.fails = fails
        self.status = status
        self.answer = answer
        self.asked = 0
        self.free = threading.Event()
        self.free.set()

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Take one."""
        self.asked += 1
        self.free.wait(LIMIT_S)
        if self.fails:
            raise ConnectionRefusedError(111, "Connection refused")
        self.bodies.append(json.loads(body))
        return self.status, self.answer

    def close(self) -> None:
        """Nothing is open."""

    @property
    def spans(self) -> list[dict[str, Any]]:
        """Every span that it has."""
        return [
            each
            for body in self.bodies
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for each in scope["spans"]
        ]


def exporting(collector: Collector, **options: Any) -> tuple[Any, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []

    def tell(level: str, text: str) -> None:
        told.append((level, text))

    found = exporter.Exporter(
        ENDPOINT,
        ABOUT,
        transport=collector,
        **{"period_s": 0.01, **options},
        tell=tell,
    )
    return found, told


def test_identities_are_those_of_the_contract() -> None:
    text = f"ros2bench-trace-v1\n2\n42\n{INTENDED_NS}"
    trace = span.trace_id(span.Frame(2, 42, INTENDED_NS))
    assert trace == hashlib.sha256(text.encode()).digest()[:16].hex()
    assert (
        span.span_id(trace, "reader")
        == hashlib.sha256(f"ros2bench-span-v1\n{trace}\nreader".encode()).digest()[:8].hex()
    )


@given(st.integers(0, 2**64 - 1), st.integers(1, 1000))
def test_a_frame_is_traced_in_all_nodes_or_in_none(number: int, every: int) -> None:
    assert span.is_sampled(number, every) == (number % every == 0)


def test_the_request_is_otlp_in_json() -> None:
    """https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: hexadecimal identities, 64 bits as text."""
    other = span.Frame(0, 5, INTENDED_NS - 1)
    body = json.loads(otlp.request([made(used=(other, "reader"))], ABOUT))
    (resource,) = body["resourceSpans"]
    assert {each["key"]: each["value"] for each in resource["resource"]["attributes"]} == {
        "service.name": {"stringValue": "detector"},
        "service.namespace": {"stringValue": "demo"},
        "service.instance.id": {"stringValue": "pod-1"},
    }
    (found,) = resource["scopeSpans"][0]["spans"]
    trace = span.trace_id(made().frame)
    linked = span.trace_id(other)
    assert found == {
        "traceId": trace,
        "spanId": span.span_id(trace, "detector"),
        "parentSpanId": span.span_id(trace, "camera"),
        "name": "detect",
        "kind": 5,
        "startTimeUnixNano": str(INTENDED_NS + 5),
        "endTimeUnixNano": str(INTENDED_NS + 9),
        "attributes": [
            {"key": "ros2bench.stack", "value": {"stringValue": "demo"}},
            {"key": "ros2bench.pattern", "value": {"stringValue": "composition"}},
            {"key": "ros2bench.node", "value": {"stringValue": "detector"}},
            {"key": "ros2bench.stream", "value": {"intValue": "0"}},
            {"key": "ros2bench.frame_number", "value": {"intValue": "7"}},
            {"key": "ros2bench.topic", "value": {"stringValue": "/detections"}},
        ],
        "links": [{"traceId": linked, "spanId": span.span_id(linked, "reader")}],
    }


def test_nodes_of_one_process_are_services_of_their_own() -> None:
    spans = [made(kind="detector"), made(kind="camera", after=""), made(8, kind="detector")]
    body = json.loads(otlp.request(spans, ABOUT))
    names = [each["resource"]["attributes"][0]["value"]["stringValue"] for each in body["resourceSpans"]]
    assert names == ["camera", "detector"]
    assert "parentSpanId" not in body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def test_what_is_added_arrives() -> None:
    collector = Collector()
    found, told = exporting(collector)
    for number in range(5):
        found.add(made(number))
    wait_until(lambda: len(collector.spans) == 5)
    wait_until(lambda: found.exported == 5)
    assert (found.dropped, told) == (0, [])


def test_a_full_queue_drops_and_counts_and_nobody_waits() -> None:
    collector = Collector()
    collector.free.clear()
    found, _ = exporting(collector, capacity=10)
    found.add(made(0))
    wait_until(lambda: collector.asked == 1)
    began_s = time.monotonic()
    for number in range(1, 1001):
        found.add(made(number))
    assert time.monotonic() - began_s < 1.0
    assert found.dropped == 990
    collector.free.set()
    wait_until(lambda: found.exported == 11)


def test_a_dead_collector_costs_a_counted_drop_and_one_line() -> None:
    collector = Collector(fails=True)
    found, told = exporting(collector, period_s=0.001)
    for number in range(3):
        found.add(made(number))
        wait_until(lambda number=number: found.dropped == number + 1)
    assert [level for level, _ in told] == ["WARNING"]
    assert "Connection refused" in told[0][1]
    collector.fails = False
    found.add(made(9))
    wait_until(lambda: found.exported == 1)
    wait_until(lambda: len(told) == 2)
    assert told[1][0] == "INFO"
    assert "3 were dropped" in told[1][1]


def test_it_asks_a_dead_collector_less_and_less_often() -> None:
    found, _ = exporting(Collector(fails=True), period_s=1.0)
    pauses = []
    for failures in range(7):
        found._failures = failures
        pauses.append(found._pause_s())
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("status", [400, 429, 503])
def test_a_refusal_is_a_counted_drop(status: int) -> None:
    found, told = exporting(Collector(status=status))
    found.add(made())
    wait_until(lambda: found.dropped == 1)
    assert str(status) in told[0][1]


@pytest.mark.parametrize(
    ("answer", "dropped"), [(b'{"partialSuccess": {"rejectedSpans": "1"}}', 1), (b"", 0), (b"no json", 0), (b"[]", 0)]
)
def test_spans_that_a_collector_refuses_in_part_are_counted(answer: bytes, dropped: int) -> None:
    found, _ = exporting(Collector(answer=answer))
    found.add(made())
    wait_until(lambda: found.exported + found.dropped == 1)
    assert found.dropped == dropped


def test_the_count_of_dropped_spans_is_told_while_it_grows() -> None:
    collector = Collector(answer=b'{"partialSuccess": {"rejectedSpans": "1"}}')
    found, told = exporting(collector, tell_period_s=0.3)
    began_s = time.monotonic()
    found.add(made())
    wait_until(lambda: len(told) == 1)
    for number in range(2, 4):
        found.add(made(number))
        wait_until(lambda number=number: found.dropped == number)
    assert len(told) == 1 or time.monotonic() - began_s > 0.3
    # Nothing comes any more, yet what was not told is.
    wait_until(lambda: told[-1] == ("WARNING", f"spans dropped so far: 3 ({ENDPOINT})"))
    assert told[0] == ("WARNING", f"spans dropped so far: 1 ({ENDPOINT})")
    count = len(told)
    time.sleep(0.5)
    assert len(told) == count


def test_a_dead_collector_is_told_with_the_count_of_what_it_costs() -> None:
    found, told = exporting(Collector(fails=True), period_s=0.001, tell_period_s=0.05)
    found.add(made())
    wait_until(lambda: len(told) == 2)
    assert told[1] == ("WARNING", f"spans dropped so far: 1 ({ENDPOINT})")


def test_the_end_tells_once_what_nobody_has() -> None:
    collector = Collector(fails=True)
    found, told = exporting(collector, period_s=0.001)
    found.add(made())
    wait_until(lambda: found._failures == 1 and found._sending == 0)
    found._failures = 16
    for number in range(2, 5):
        found.add(made(number))
    found.close(LIMIT_S)
    found.close(LIMIT_S)
    assert [text for _, text in told[1:]] == [f"spans dropped so far: 4 ({ENDPOINT})"]


def test_the_end_counts_what_is_on_its_way() -> None:
    collector = Collector()
    collector.free.clear()
    found, told = exporting(collector)
    found.add(made())
    wait_until(lambda: collector.asked == 1)
    found.add(made(2))
    found.close(0.05)
    assert told == [("WARNING", f"spans dropped so far: 2 ({ENDPOINT})")]
    collector.free.set()


def test_the_end_of_a_node_that_lost_nothing_is_silent() -> None:
    found, told = exporting(Collector(), period_s=60.0)
    found.add(made())
    found.close(LIMIT_S)
    wait_until(lambda: found.exported == 1)
    found.close(LIMIT_S)
    assert (found.dropped, told) == (0, [])


def test_a_name_that_cannot_be_looked_up_ends_nothing() -> None:
    told: list[str] = []

    def tell(_: str, text: str) -> None:
        told.append(text)

    endpoint = exporter.parse_endpoint("http://a..b:4318")
    found = exporter.Exporter(endpoint, ABOUT, period_s=0.001, tell=tell)
    for number in range(1, 4):
        found.add(made(number))
        wait_until(lambda number=number: found.dropped == number)
    assert found.exported == 0
    assert "takes no spans" in told[0]


def test_the_end_of_a_node_sends_what_waits_at_once() -> None:
    collector = Collector()
    found, _ = exporting(collector, period_s=60.0)
    found.add(made())
    began_s = time.monotonic()
    found.flush(LIMIT_S)
    assert time.monotonic() - began_s < LIMIT_S / 2
    assert len(collector.spans) == 1


def test_the_end_of_a_node_does_not_wait_for_a_dead_collector() -> None:
    collector = Collector()
    collector.free.clear()
    found, _ = exporting(collector)
    found.add(made())
    wait_until(lambda: collector.asked == 1)
    began_s = time.monotonic()
    found.flush(0.05)
    assert time.monotonic() - began_s < 1.0
    collector.free.set()


@contextmanager
def served(*, close_after_each: bool = False) -> Generator[tuple[int, list[tuple[str, str, bytes]]]]:
    taken: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            # The connection ends without a word, as that of a collector does which has waited too long.
            self.close_connection = close_after_each

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("close_after_each", [False, True])
def test_over_http_a_connection_is_kept_and_made_again(close_after_each: bool) -> None:
    with served(close_after_each=close_after_each) as (port, taken):
        transport = exporter.HttpTransport(exporter.parse_endpoint(f"http://127.0.0.1:{port}"))
        for number in range(3):
            assert transport.post(b"%d" % number) == (200, b"{}")
        transport.close()
    assert taken == [("/v1/traces", "application/json", b"%d" % number) for number in range(3)]


def test_where_nobody_listens_the_transport_says_so() -> None:
    transport = exporter.HttpTransport(exporter.parse_endpoint("http://127.0.0.1:9"), timeout_s=1.0)
    with pytest.raises((OSError, http.client.HTTPException)):
        transport.post(b"{}")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://jaeger.ros2bench-platform.svc:4318", "http://jaeger.ros2bench-platform.svc:4318/v1/traces"),
        ("http://h:4318/", "http://h:4318/v1/traces"),
        ("https://h/otlp", "https://h:443/otlp/v1/traces"),
        ("http://h/v1/traces", "http://h:80/v1/traces"),
    ],
)
def test_an_address_is_completed(text: str, address: str) -> None:
    assert str(exporter.parse_endpoint(text)) == address


@pytest.mark.parametrize("text", ["", "jaeger:4318", "ftp://h", "http://", "http://h:99999"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:4318 is expected"):
        exporter.parse_endpoint(text)


class Kept:
    """Keeps spans instead of sending them."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def add(self, found: Any) -> None:
        """Keep one."""
        self.spans.append(found)

    def close(self, limit_s: float) -> None:
        """Nothing waits."""


def opened(kept: Kept, environment: Mapping[str, str]) -> Any:
    def keep(*_: object) -> Kept:
        return kept

    return tracer.open_tracer(
        "report",
        kind="monitor",
        node="monitor_2",
        stream=2,
        topic="/stream_2/results",
        after="detector",
        environment=environment,
        make_exporter=keep,
    )


def test_a_tracer_notes_sampled_frames_only() -> None:
    kept = Kept()
    noting = opened(kept, {tracer.ENDPOINT: "http://h:4318", tracer.SAMPLE_EVERY: "4"})
    intended = SimpleNamespace(sec=INTENDED_NS // 10**9, nanosec=INTENDED_NS % 10**9)
    used = SimpleNamespace(frame_number=0, intended=intended)
    for number in range(8):
        noting.note(number, intended, INTENDED_NS, used, "reader")
    assert [each.frame.number for each in kept.spans] == [0, 4]
    found = kept.spans[1]
    assert found.frame == span.Frame(2, 4, INTENDED_NS)
    assert (found.node, found.kind, found.after, found.topic) == (
        "monitor_2",
        "monitor",
        "detector",
        "/stream_2/results",
    )
    assert found.used == (span.Frame(2, 0, INTENDED_NS), "reader")
    assert found.begun_ns == INTENDED_NS < found.ended_ns


def test_a_message_of_a_frame_that_is_not_traced_is_not_linked() -> None:
    kept = Kept()
    noting = opened(kept, {tracer.ENDPOINT: "http://h:4318", tracer.SAMPLE_EVERY: "4"})
    noting.note(4, INTENDED_NS, 0, SimpleNamespace(frame_number=3, intended=None), "reader")
    assert kept.spans[0].used is None


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({tracer.ENDPOINT: "nonsense"}, "ROS2BENCH_TRACES_ENDPOINT"),
        ({tracer.ENDPOINT: "http://h", tracer.SAMPLE_EVERY: "0"}, "ROS2BENCH_TRACES_SAMPLE_EVERY"),
        ({tracer.ENDPOINT: "http://h", tracer.SAMPLE_EVERY: "often"}, "ROS2BENCH_TRACES_SAMPLE_EVERY"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        opened(Kept(), variables)


IMPORTS = """
import sys
from ros2bench_telemetry import json_lines
print(sorted(name for name in sys.modules if name.startswith("ros2bench_telemetry.") or name == "http.client"))
"""


def test_without_the_variables_nothing_is_imported_for_traces() -> None:
    """The nodes import the lines; what sends spans is imported inside `open_tracer` of the node alone."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        env={**os.environ, "PYTHONPATH": str(WORKSPACE / "ros2bench_telemetry")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['ros2bench_telemetry.json_lines']\n"
    package = WORKSPACE / "ros2bench_nodes" / "ros2bench_nodes"
    importing = [file.stem for file in package.glob("*.py") if "ros2bench_telemetry.tracer" in file.read_text()]
    assert importing == ["application_node"]
    source = (package / "application_node.py").read_text()
    assert source.index("if TRACES_ENDPOINT not in os.environ") < source.index("from ros2bench_telemetry.tracer")
