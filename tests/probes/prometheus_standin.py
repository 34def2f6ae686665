"""A stand-in for Prometheus: answers by a table of what it was asked, over HTTP on 127.0.0.1 or directly."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from probes.prometheus import QueryRefused, Series, Span
from tests.support.http_server import serving

Answer = tuple[int, str]
Asked = list[tuple[str, dict[str, list[str]]]]


@contextmanager
def standin(answer: Callable[[str], Answer]) -> Generator[tuple[str, Asked]]:
    """Serve answers; gives the address and what was asked (path and parameters)."""
    asked: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self.reply(body)

        def do_GET(self) -> None:
            self.reply(urlsplit(self.path).query)

        def reply(self, parameters: str) -> None:
            asked.append((urlsplit(self.path).path, parse_qs(parameters or urlsplit(self.path).query)))
            status, text = answer(asked[-1][1]["query"][0])
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
            """Stay quiet."""

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def no_wait(*_: object) -> None:
    """Do not wait before a call is repeated."""


def matrix(*series: tuple[Mapping[str, str], Sequence[tuple[float, str]]]) -> str:
    """An answer to a range query."""
    found = [{"metric": dict(labels), "values": [list(point) for point in points]} for labels, points in series]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": found}})


class TableAsker:
    """Answers every expression that holds one of the table's words with its series; nothing else has any."""

    def __init__(self, table: Mapping[str, Sequence[Series]], refused: Sequence[str] = ()) -> None:
        self._table = table
        self._refused = refused
        self.asked: list[str] = []

    def over(self, expression: str, span: Span) -> tuple[Series, ...]:
        """Evaluate an expression at every step of a span."""
        del span
        self.asked.append(expression)
        if any(word in expression for word in self._refused):
            raise QueryRefused(f"refused the query {expression}")
        return next((tuple(series) for word, series in self._table.items() if word in expression), ())

    def now(self, expression: str) -> tuple[Series, ...]:
        """Evaluate an expression at this moment."""
        return self.over(expression, Span(0, 0, 1))
