"""What a call is and where it goes: routes are values, so that other modules can add theirs.

A module adds calls by a function `extension(configuration) -> Extension`:

    def extension(configuration: Configuration) -> Extension:
        return Extension(routes={('POST', '/v1/network/probe'): Route(probe)})

A path may have parts in braces: `/v1/captures/{capture}/stop` gives `request.parts['capture']`.
A handler runs in the thread of its connection, may take its time, and raises `CallRefused` for
what cannot be met. Calls are signed (docs/contracts.md, section 11) unless the route says `open`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

JSON = 'application/json'
PLACE = re.compile(r'\{([a-z_]+)\}')


class CallRefused(Exception):  # noqa: N818 (named after the event)
    """A call that cannot be met.

    Attributes:
        status: HTTP status that says so; the text becomes `{"error": text}`.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Request:
    """One call.

    Attributes:
        target: path with query, as it was sent and signed.
        query: the query taken apart; the last value of each key.
        received_ns: real time at which its first line arrived.
        parts: what stood at the places in braces.
    """

    method: str
    target: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b''
    received_ns: int = 0
    authorization: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> Any:
        """Body as JSON.

        Raises:
            CallRefused: it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise CallRefused(400, f'the body is no JSON: {error}') from error

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
        """Body as an object with exactly these keys.

        Raises:
            CallRefused: a key lacks or is unknown, or it is no object.
        """
        content, needed, known = self.content(), set(required), {*required, *optional}
        if not isinstance(content, dict):
            raise CallRefused(400, 'the body must be an object')
        if lacking := sorted(needed - content.keys()):
            raise CallRefused(400, f'the body has no {", ".join(lacking)}')
        if unknown := sorted(content.keys() - known):
            raise CallRefused(400, f'unknown keys {unknown}; choices: {sorted(known)}')
        return content


@dataclass(frozen=True)
class Response:
    """One answer."""

    status: int
    content_type: str
    body: bytes


Handler = Callable[[Request], Response]
Key = tuple[str, str]


@dataclass(frozen=True)
class Route:
    """What answers, and whether anybody may ask."""

    handler: Handler
    open: bool = False


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Extension:
    """What a module adds.

    Attributes:
        routes: by method and path.
        start: called once before the server answers.
        stop: called once when the program ends, however it ends, short of a kill.
    """

    routes: Mapping[Key, Route] = field(default_factory=dict)
    start: Callable[[], None] = _nothing
    stop: Callable[[], None] = _nothing


def json_response(status: int, content: Any) -> Response:
    """An answer in JSON; NaN and infinities are refused, no reader could take them."""
    return Response(status, JSON, json.dumps(content, allow_nan=False).encode())


def find(routes: Mapping[Key, Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Route of a call, and what stands at its places in braces.

    Raises:
        CallRefused: there is nothing at the path (404), or not with this method (405).
    """
    methods = []
    for (offered, pattern), route in routes.items():
        found = re.fullmatch(_expression(pattern), path)
        if found and offered == method:
            return route, {name: unquote(value) for name, value in found.groupdict().items()}
        if found:
            methods.append(offered)
    if methods:
        choices = ', '.join(sorted(methods))
        raise CallRefused(405, f'{method} {path} is not possible; choices: {choices}')
    raise CallRefused(404, f'there is nothing at {path}')


def _expression(pattern: str) -> str:
    pieces = PLACE.split(pattern)
    return ''.join(
        f'(?P<{piece}>[^/]+)' if place % 2 else re.escape(piece)
        for place, piece in enumerate(pieces)
    )
