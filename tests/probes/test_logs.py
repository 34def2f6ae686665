"""Lines of a run, from answers as Loki and OpenSearch give them."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from components.autoscaling import certificate
from probes import log_lines, logs, platform_programs
from probes.errors import TargetError, UsageError
from probes.journal import Journal
from probes.log_access import access_of
from probes.log_lines import Line, Wanted
from probes.platform_programs import Access
from probes.record import CONTEXT_FILE
from probes.run_span import MARGIN_NS, run_span, span_of_manifest
from probes.spool import Spool
from stacks.outputs import Observability, ProgramEndpoint, StackOutputs
from tests.probes.standins import outputs_of

RUN_ID = "01990000-0000-7000-8000-000000000001"
BEGIN_NS = 1_700_000_000_000_000_000
WANTED = Wanted("demo", RUN_ID, BEGIN_NS, BEGIN_NS + 60 * 10**9)
LABELS = {"namespace": "ros2bench-demo", "pod": "camera-1", "container": "camera"}
Answer = Callable[[httpx.Request], httpx.Response]


def of_json(**fields: Any) -> str:
    return json.dumps({"level": "INFO", "message": "a sentence", "stack": "demo", **fields})


def loki_answer(*streams: tuple[dict[str, str], list[tuple[int, str]]]) -> dict[str, Any]:
    result = [{"stream": own, "values": [[str(at), text] for at, text in lines]} for own, lines in streams]
    return {"status": "success", "data": {"resultType": "streams", "result": result}}


class Loki:
    """Keeps lines and answers questions about them as Loki does: the oldest of the time asked for, up to the limit."""

    def __init__(self, *lines: tuple[int, str]) -> None:
        self.lines = sorted(lines)
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one question."""
        asking = dict(request.url.params)
        self.asked.append(asking)
        if "|=" in asking["query"]:
            return httpx.Response(200, json=loki_answer())
        begin, end, limit = (int(asking[key]) for key in ("start", "end", "limit"))
        return httpx.Response(
            200, json=loki_answer((LABELS, [line for line in self.lines if begin <= line[0] < end][:limit]))
        )


def from_loki(answered: Answer) -> list[Line]:
    async def ask() -> list[Line]:
        async with httpx.AsyncClient(base_url="http://loki", transport=httpx.MockTransport(answered)) as client:
            return await log_lines.from_loki(client, WANTED)

    return asyncio.run(ask())


def test_lines_come_in_the_order_of_time_with_what_they_hold() -> None:
    loki = Loki((BEGIN_NS + 2, "plain text"), (BEGIN_NS + 1, of_json(node="camera", run=RUN_ID)))
    found = from_loki(loki)
    assert [(line.at_ns - BEGIN_NS, line.level, line.speaker, line.message) for line in found] == [
        (1, "INFO", "camera", "a sentence"),
        (2, "", "camera-1/camera", "plain text"),
    ]
    queries = [each["query"] for each in loki.asked]
    assert queries == [
        '{namespace="ros2bench-demo"}',
        f'{{namespace=~"ros2bench-.+", namespace!="ros2bench-demo"}} |= "{RUN_ID}"',
    ]


@given(st.lists(st.integers(0, 40), max_size=60))
def test_whatever_the_pages_every_line_comes_once(offsets: list[int]) -> None:
    lines = [(BEGIN_NS + offset, f"line {number}") for number, offset in enumerate(offsets)]
    most_at_once = max((offsets.count(offset) for offset in offsets), default=0)
    page, log_lines.PAGE = log_lines.PAGE, max(most_at_once + 1, 4)
    try:
        found = from_loki(Loki(*lines))
    finally:
        log_lines.PAGE = page
    assert sorted((line.at_ns, line.text) for line in found) == sorted(lines)


def test_more_lines_of_one_time_than_a_page_holds_are_an_error_not_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "PAGE", 3)
    with pytest.raises(TargetError, match="more than 3 lines"):
        from_loki(Loki(*((BEGIN_NS, f"line {number}") for number in range(5))))


@pytest.mark.parametrize("given", [b"hello", b"{}", b'{"data": {"result": [{"stream": {}}]}}'])
def test_what_is_no_loki_is_said_to_be_none(given: bytes) -> None:
    with pytest.raises(TargetError, match="no Loki"):
        from_loki(lambda _: httpx.Response(200, content=given))


class OpenSearch:
    """Keeps lines as a search engine does that knows times to the millisecond, and sorts by nothing but them."""

    def __init__(self, *offsets_ns: int) -> None:
        self.hits = [self._hit(number, BEGIN_NS + offset) for number, offset in enumerate(offsets_ns)]
        self.bodies: list[dict[str, Any]] = []

    @staticmethod
    def _hit(number: int, at_ns: int) -> dict[str, Any]:
        where = {"namespace_name": "ros2bench-demo", "pod_name": "p", "container_name": "c"}
        source = {"time": log_lines.rfc3339(at_ns), "level": "INFO", "message": str(number), "kubernetes": where}
        return {"_index": "logs-1", "_id": f"{-number}", "_source": source}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one question."""
        assert request.url.path == "/logs-*/_search"
        body = json.loads(request.content)
        self.bodies.append(body)
        (by,) = body["sort"]
        assert list(by) == ["time"], "Elasticsearch 8 sorts by no _id"
        begin = self._milliseconds(body["query"]["bool"]["filter"][0]["range"]["time"]["gte"])
        at = [(self._milliseconds(each["_source"]["time"]), -number) for number, each in enumerate(self.hits)]
        chosen = sorted(each for each in at if each[0] >= begin)[: body["size"]]
        return httpx.Response(200, json={"hits": {"hits": [self.hits[-number] for _, number in chosen]}})

    @staticmethod
    def _milliseconds(text: str) -> int:
        return log_lines.nanoseconds(text) // 1_000_000


def from_opensearch(answered: Answer) -> list[Line]:
    async def ask() -> list[Line]:
        async with httpx.AsyncClient(base_url="http://o", transport=httpx.MockTransport(answered)) as client:
            return await log_lines.from_opensearch(client, WANTED, "logs-*", "time")

    return asyncio.run(ask())


def test_opensearch_is_asked_for_the_stack_or_the_run_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "PAGE", 2)
    store = OpenSearch(0, 1_000_000, 2_000_001)
    found = from_opensearch(store)
    assert [(line.at_ns - BEGIN_NS, line.message, line.pod) for line in found] == [
        (0, "0", "p"),
        (1_000_000, "1", "p"),
        (2_000_001, "2", "p"),
    ]
    filters = [body["query"]["bool"] for body in store.bodies]
    begins = [each["filter"][0]["range"]["time"]["gte"] for each in filters]
    assert begins[:2] == ["2023-11-14T22:13:20.000000000Z", "2023-11-14T22:13:20.001000000Z"]
    assert filters[0]["should"] == [{"match_phrase": {"stack": "demo"}}, {"match_phrase": {"run": RUN_ID}}]


@given(st.lists(st.integers(0, 40), max_size=60))
def test_whatever_the_pages_of_opensearch_every_line_comes_once(tenths_of_ms: list[int]) -> None:
    in_one_ms = [each // 10 for each in tenths_of_ms]
    most_at_once = max((in_one_ms.count(each) for each in in_one_ms), default=0)
    page, log_lines.PAGE = log_lines.PAGE, max(most_at_once + 1, 4)
    try:
        found = from_opensearch(OpenSearch(*(each * 100_000 for each in tenths_of_ms)))
    finally:
        log_lines.PAGE = page
    expected = sorted((BEGIN_NS + each * 100_000, str(number)) for number, each in enumerate(tenths_of_ms))
    assert sorted((line.at_ns, line.message) for line in found) == expected


def test_more_lines_of_one_millisecond_than_a_page_are_an_error_not_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "PAGE", 3)
    with pytest.raises(TargetError, match=r"more than 3 lines in the millisecond 2023-11-14T22:13:20\.001") as refused:
        from_opensearch(OpenSearch(0, *range(1_000_000, 1_000_004)))
    assert refused.value.reason == "opensearch_refused"


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_a_time_as_text_and_back_is_the_same(time_ns: int) -> None:
    assert log_lines.nanoseconds(log_lines.rfc3339(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2023-11-14T22:13:20Z", BEGIN_NS),
        ("2023-11-14T23:13:20.5+01:00", BEGIN_NS + 500_000_000),
        ("2023-11-14T22:13:20.000000001Z", BEGIN_NS + 1),
    ],
)
def test_times_of_other_programs_are_read(text: str, time_ns: int) -> None:
    assert log_lines.nanoseconds(text) == time_ns


@pytest.mark.parametrize(
    ("level", "speaker", "kept"),
    [
        (None, None, ["a", "b", "c"]),
        ("WARNING", None, ["b"]),
        ("DEBUG", "camera", ["a"]),
        (None, "monitor-1", ["c"]),
    ],
)
def test_lines_are_chosen_by_level_and_by_who_wrote_them(
    level: str | None, speaker: str | None, kept: list[str]
) -> None:
    lines = log_lines.in_order(
        [
            Line(1, of_json(message="a", node="camera")),
            Line(2, of_json(message="b", level="ERROR", node="detector")),
            Line(3, "c", pod="monitor-1", container="monitor"),
        ]
    )
    assert [line.message for line in logs.chosen(lines, level, speaker)] == kept


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    return Spool()


def test_of_a_run_without_a_record_the_journal_tells_the_time(spool: Spool) -> None:
    folder = spool.create(RUN_ID)
    folder.write_json(CONTEXT_FILE, {"outputs": outputs_of().model_dump(mode="json", by_alias=True)})
    with Journal(folder.path) as journal:
        journal.append("planned", stack="monolithic", store=None)
        journal.append("aborted", "process_ended")
        times = [entry.at_ns for entry in journal.entries]
        journal.append("sealed", manifest_sha256="0" * 64)
    found = run_span(RUN_ID[-6:], None, spool)
    assert (found.run_id, found.outputs.stack) == (RUN_ID, "monolithic")
    assert (found.from_ns, found.to_ns) == (times[0] - MARGIN_NS, times[1] + MARGIN_NS)


def test_of_a_record_the_captures_tell_the_time() -> None:
    manifest = {
        "run_id": RUN_ID,
        "created_at": "2023-11-14T22:13:20+00:00",
        "outputs": outputs_of().model_dump(mode="json", by_alias=True),
        "repetitions": [{"capture": {"stopped_ns": BEGIN_NS + 5}}, {"capture": {"stopped_ns": BEGIN_NS + 9}}, {}],
    }
    found = span_of_manifest(manifest)
    assert (found.from_ns, found.to_ns) == (BEGIN_NS - MARGIN_NS, BEGIN_NS + 9 + MARGIN_NS)


def test_a_run_that_nobody_knows_is_a_usage_error(spool: Spool) -> None:
    with pytest.raises(UsageError, match="0 runs fit"):
        run_span("nothing", "spool", spool)


def platform(**logs_spec: Any) -> StackOutputs:
    endpoint = ProgramEndpoint(url="http://loki.example:3100") if logs_spec.get("mode") == "loki" else None
    return outputs_of(
        "platform", kind="platform", spec={"logs": logs_spec}, observability=Observability(mode="none", loki=endpoint)
    )


def test_a_platform_that_collects_nothing_says_what_to_set() -> None:
    with pytest.raises(UsageError, match=r"logs\.mode is none"):
        asyncio.run(logs.lines_of(platform(mode="none"), WANTED))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What is asked of stores at an address of their own, which answer that there is no line."""
    requests: list[httpx.Request] = []
    client = httpx.AsyncClient

    def answered(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        empty = {"hits": {"hits": []}} if request.method == "POST" else loki_answer()
        return httpx.Response(200, json=empty)

    def with_transport(**options: Any) -> httpx.AsyncClient:
        return client(**options, transport=httpx.MockTransport(answered))

    monkeypatch.setattr(platform_programs.httpx, "AsyncClient", with_transport)
    return requests


OPENSEARCH = {"kind": "opensearch", "url": "https://o.example:9200", "index": "logs-*", "timeField": "time"}
STORES = {"opensearch": {"mode": "external", "external": OPENSEARCH}, "loki": {"mode": "loki"}}
BASIC = {"ROS2BENCH_LOGS_USER": "reader", "ROS2BENCH_LOGS_PASSWORD": "pass:word"}
KEY = {"ROS2BENCH_LOGS_API_KEY": "abc"}


@pytest.mark.parametrize(
    ("store", "environment", "told"),
    [
        ("opensearch", {}, None),
        ("loki", {}, None),
        ("opensearch", BASIC, "Basic cmVhZGVyOnBhc3M6d29yZA=="),
        ("loki", BASIC, "Basic cmVhZGVyOnBhc3M6d29yZA=="),
        ("opensearch", KEY, "ApiKey abc"),
        ("loki", KEY, "Bearer abc"),
    ],
)
def test_a_store_is_told_who_asks(
    store: str, environment: dict[str, str], told: str | None, asked: list[httpx.Request]
) -> None:
    assert asyncio.run(logs.lines_of(platform(**STORES[store]), WANTED, environment=environment)) == []
    assert asked
    assert {request.headers.get("Authorization") for request in asked} == {told}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ROS2BENCH_LOGS_USER": "reader"}, "ROS2BENCH_LOGS_PASSWORD is not"),
        ({"ROS2BENCH_LOGS_PASSWORD": "secret"}, "ROS2BENCH_LOGS_USER is not"),
        (BASIC | KEY, "are both set"),
        ({"ROS2BENCH_LOGS_API_KEY": "abc\n"}, "no header can hold"),
        ({"ROS2BENCH_LOGS_CA": "/nowhere/ca.pem"}, "ROS2BENCH_LOGS_CA is /nowhere/ca.pem"),
        ({"ROS2BENCH_LOGS_CA": __file__}, "no certificate in PEM"),
    ],
)
def test_credentials_that_cannot_be_meant_are_a_usage_error(environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        asyncio.run(logs.lines_of(platform(mode="loki"), WANTED, environment=environment))
    assert not any(text in str(refused.value) for text in ("pass:word", "secret", "abc"))


def test_the_authority_of_a_store_is_trusted_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(certificate.made("logs.example", dt.datetime.now(dt.UTC)).authority)
    found = access_of({"ROS2BENCH_LOGS_CA": str(file)}, key_scheme="Bearer")
    assert found.authorities is not None
    assert len(found.authorities.get_ca_certs()) == 1
    assert access_of({}, key_scheme="Bearer") == Access()


def test_a_store_that_does_not_know_who_asks_says_what_to_set() -> None:
    with pytest.raises(TargetError, match="ROS2BENCH_LOGS_") as refused:
        from_loki(lambda _: httpx.Response(401, text="no"))
    assert "loki answered 401" in str(refused.value)


def test_the_command_shows_the_lines(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = spool.create(RUN_ID)
    outputs = outputs_of("monolithic", platform="platform").model_dump(mode="json", by_alias=True)
    folder.write_json(CONTEXT_FILE, {"outputs": outputs})
    with Journal(folder.path) as journal:
        journal.append("planned", stack="monolithic", store=None)

    found = log_lines.in_order([Line(BEGIN_NS, of_json(program="recorder", run=RUN_ID))])

    async def lines_of(platform: StackOutputs, wanted: Wanted) -> list[Line]:
        assert (platform.stack, wanted.stack, wanted.run_id) == ("platform", "monolithic", RUN_ID)
        return found

    class Stacks:
        """The stacks of a project."""

        def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
            return names

        def outputs(self, stack: str) -> StackOutputs:
            assert stack == "platform"
            return platform(mode="loki")

    monkeypatch.setattr(logs, "PulumiTarget", Stacks)
    monkeypatch.setattr(logs, "lines_of", lines_of)
    done = CliRunner().invoke(logs.app, [RUN_ID])
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == ["22:13:20.000", "INFO", "recorder", "a", "sentence"]
    as_json = CliRunner().invoke(logs.app, [RUN_ID, "--json"])
    assert json.loads(as_json.stdout)["fields"]["run"] == RUN_ID
    found = []
    nothing = CliRunner().invoke(logs.app, [RUN_ID])
    assert nothing.exit_code == 4
    assert "no line of stack monolithic" in nothing.stderr
    assert CliRunner().invoke(logs.app, [RUN_ID, "--level", "LOUD"]).exit_code == 2
