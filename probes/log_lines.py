"""Lines that pods wrote, as Loki or OpenSearch tell them: asking, paging, and one line as a value."""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from probes.errors import TargetError
from probes.platform_programs import asked

PAGE = 5000
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        at_ns: Nanoseconds since the epoch: as the process wrote it, else as the machine's runtime took it.
        text: The line itself.
        namespace: Of the pod that wrote it; empty where the collector does not tell, as the two below.
        pod: That pod.
        container: Of it.
        fields: What a line of JSON holds; empty for plain text.
    """

    at_ns: int
    text: str
    namespace: str = ""
    pod: str = ""
    container: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def level(self) -> str:
        """How grave it is; empty where the line does not say."""
        return str(self.fields.get("level", ""))

    @property
    def speaker(self) -> str:
        """Node or program that wrote it, else the pod and container."""
        told = self.fields.get("node") or self.fields.get("program")
        return str(told or f"{self.pod}/{self.container}".strip("/"))

    @property
    def message(self) -> str:
        """What it says."""
        return str(self.fields.get("message", self.text))


def fields_of(text: str) -> Mapping[str, Any]:
    """Read a line of JSON; empty for plain text."""
    if not text.startswith("{"):
        return {}
    try:
        found: object = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Wanted:
    """Which lines are meant.

    Attributes:
        stack: All of this stack within the time …
        run_id: … and, of whoever else, those that name this run.
        from_ns: Begin, since the epoch.
        to_ns: End.
    """

    stack: str
    run_id: str
    from_ns: int
    to_ns: int


def loki_queries(wanted: Wanted) -> tuple[str, str]:
    """Give the questions in LogQL: every line of the stack's namespace, and lines of our others that name the run."""
    own = f"ros2bench-{wanted.stack}"
    return (
        f'{{namespace="{own}"}}',
        f'{{namespace=~"ros2bench-.+", namespace!="{own}"}} |= "{wanted.run_id}"',
    )


async def from_loki(client: httpx.AsyncClient, wanted: Wanted) -> list[Line]:
    """Give the lines that are meant from Loki's HTTP API, in the order of time.

    Raises:
        TargetError: It cannot be asked, or answers something else.
    """
    found: list[Line] = []
    for query in loki_queries(wanted):
        found += [line async for line in _loki_pages(client, query, wanted)]
    return in_order(found)


async def _loki_pages(client: httpx.AsyncClient, query: str, wanted: Wanted) -> AsyncGenerator[Line]:
    begin_ns, seen = wanted.from_ns, set[tuple[int, str, str, str]]()
    while True:
        asking = {
            "query": query,
            "start": str(begin_ns),
            "end": str(wanted.to_ns),
            "limit": str(PAGE),
            "direction": "forward",
        }
        request = client.build_request("GET", "/loki/api/v1/query_range", params=asking)
        page = _loki_lines(await asked(client, "loki", request))
        for line in page:
            if _key(line) not in seen:
                yield line
        if len(page) < PAGE:
            return
        last_ns = max(line.at_ns for line in page)
        if last_ns == begin_ns:
            raise _too_many("loki", f"of the time {last_ns}", "Loki itself (kubectl port-forward)")
        # The next page begins where this one ended: lines of one time may be on both.
        begin_ns, seen = last_ns, {_key(line) for line in page if line.at_ns == last_ns}


def _key(line: Line) -> tuple[int, str, str, str]:
    return line.at_ns, line.pod, line.container, line.text


def _loki_lines(answer: httpx.Response) -> list[Line]:
    try:
        streams: Sequence[Mapping[str, Any]] = answer.json()["data"]["result"]
        return in_order(
            Line(int(at_ns), text, labels.get("namespace", ""), labels.get("pod", ""), labels.get("container", ""))
            for labels, values in ((each["stream"], each["values"]) for each in streams)
            for at_ns, text, *_ in values
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _no_answer("Loki", answer, error) from None


def opensearch_query(wanted: Wanted, time_field: str, begin_ns: int, size: int) -> dict[str, Any]:
    """Give the body of `_search`: every line of the stack, and lines that name the run, in the order of time.

    Nothing else is sorted by: Elasticsearch 8 sorts by no `_id` (indices.id_field_data.enabled).

    Args:
        wanted: Which lines.
        time_field: Field with the time of a line.
        begin_ns: Lines of this time and later.
        size: Most lines of a page.
    """
    within = {"gte": rfc3339(begin_ns), "lte": rfc3339(wanted.to_ns)}
    named = [{"match_phrase": {"stack": wanted.stack}}, {"match_phrase": {"run": wanted.run_id}}]
    return {
        "size": size,
        "sort": [{time_field: {"order": "asc", "unmapped_type": "date"}}],
        "query": {
            "bool": {
                "filter": [{"range": {time_field: within}}],
                "should": named,
                "minimum_should_match": 1,
            }
        },
    }


async def from_opensearch(client: httpx.AsyncClient, wanted: Wanted, index: str, time_field: str) -> list[Line]:
    """Give the lines that are meant from the search API of OpenSearch or Elasticsearch, in the order of time.

    Raises:
        TargetError: It cannot be asked, or answers something else.
    """
    found: dict[tuple[str, str], Line] = {}
    begin_ns = wanted.from_ns
    while True:
        body = opensearch_query(wanted, time_field, begin_ns, PAGE)
        answer = await asked(client, "opensearch", client.build_request("POST", f"/{index}/_search", json=body))
        try:
            hits: Sequence[Mapping[str, Any]] = answer.json()["hits"]["hits"]
            page = {(str(hit["_index"]), str(hit["_id"])): _of_hit(hit["_source"], time_field) for hit in hits}
        except (ValueError, KeyError, TypeError) as error:
            raise _no_answer("OpenSearch", answer, error) from None
        # The next page begins where this one ended: lines of one time may be on both, and count once.
        found |= page
        if len(hits) < PAGE:
            return in_order(found.values())
        # An index of `date` fields knows milliseconds: within one its order is any.
        last_ns = max(line.at_ns for line in page.values()) // NS_PER_MS * NS_PER_MS
        if last_ns <= begin_ns:
            raise _too_many("opensearch", f"in the millisecond {rfc3339(last_ns)}", "OpenSearch")
        begin_ns = last_ns


def _of_hit(source: Mapping[str, Any], time_field: str) -> Line:
    where: Mapping[str, Any] = source.get("kubernetes") or {}
    text = json.dumps(source, ensure_ascii=False, sort_keys=True)
    return Line(
        at_ns=nanoseconds(str(source[time_field])),
        text=text,
        namespace=str(where.get("namespace_name", "")),
        pod=str(where.get("pod_name", "")),
        container=str(where.get("container_name", "")),
        fields=source,
    )


def _too_many(name: str, when: str, whom: str) -> TargetError:
    return TargetError(
        f"There are more than {PAGE} lines {when}: they cannot be told apart by asking.",
        next_step=f"ask {whom}",
        reason=f"{name}_refused",
    )


def _no_answer(name: str, answer: httpx.Response, error: Exception) -> TargetError:
    return TargetError(
        f"What answers at {answer.url.copy_with(query=None)} is no {name}: {error!r}.",
        next_step="check logs in the platform's stack file",
        reason=f"{name.lower()}_refused",
    )


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Give lines in the order of time, with what those of JSON hold."""
    read = (line if line.fields else _with_fields(line) for line in lines)
    return sorted(read, key=lambda line: (line.at_ns, line.pod, line.container))


def _with_fields(line: Line) -> Line:
    return Line(line.at_ns, line.text, line.namespace, line.pod, line.container, fields_of(line.text))


def rfc3339(time_ns: int) -> str:
    """Give a time as text, in UTC, to the nanosecond."""
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def nanoseconds(text: str) -> int:
    """Read a time as RFC 3339 has it, in UTC or with an offset, to the nanosecond.

    Raises:
        ValueError: It is none.
    """
    head, dot, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    zone = tail[len(digits) :] if dot else ""
    whole = datetime.fromisoformat(f"{head}{zone}")
    fraction_ns = int(digits.ljust(9, "0")[:9]) if digits else 0
    return round(whole.timestamp()) * NS_PER_S + fraction_ns
