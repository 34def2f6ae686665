"""The recorder's HTTP interface: routes to captures, status, clock and metrics. Needs no ROS."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ros2bench_recorder.captures import CaptureError, Captures
from ros2bench_recorder.components import Relay, RelayError
from ros2bench_service.exposition import CONTENT_TYPE
from ros2bench_service.signed_calls import HEADER, CallRefusedError, CallVerifier
from ros2bench_telemetry.http_server import LoggingServer, unanswered

JSON = 'application/json'
SAMPLES = 'application/octet-stream'
LARGEST_BODY_BYTES = 65_536
STOP_POLL_S = 0.1
# A connection that nobody uses ends; each has a thread.
IDLE_LIMIT_S = 60
CAPTURE_PATH = re.compile(r'/v1/captures/([^/]+)(/stop|/samples)?')
COMPONENTS_PATH = re.compile(r'/v1/components/([^/]+)')


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: `GET`, `POST`, `DELETE` or `PUT`.
        target: path with query, as on the wire.
        authorization: the header of that name.
        body: its content.
        received_ns: when its first line arrived.
    """

    method: str
    target: str
    authorization: str | None
    body: bytes
    received_ns: int

    @property
    def path(self) -> str:
        """Path without query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, str]:
        """Query, the last value of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True)
class Response:
    """One answer; `size_bytes` is the sum of the parts."""

    status: int
    content_type: str
    size_bytes: int
    parts: Iterable[bytes | memoryview]


def json_response(status: int, content: Any) -> Response:
    """An answer in JSON."""
    body = json.dumps(content).encode()
    return Response(status, JSON, len(body), (body,))


class Api:
    """Answers requests; all that it knows is given to it, so it can be tested without a server."""

    def __init__(
        self,
        captures: Captures,
        verifier: CallVerifier,
        *,
        status: Callable[[], Mapping[str, Any]],
        metrics: Callable[[], bytes],
        health: Callable[[str], tuple[int, str]],
        relay: Relay,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Wire the routes.

        Args:
            captures: what is recorded.
            verifier: decides about calls that change something or give away samples.
            status: content of `/v1/status`.
            metrics: content of `/metrics`.
            health: status code and sentence for `/healthz` and `/readyz`.
            relay: passes calls on to component containers.
            clock_ns: the recorder's real-time clock.
        """
        self.clock_ns = clock_ns
        self._captures = captures
        self._verifier = verifier
        self._status = status
        self._metrics = metrics
        self._health = health
        self._relay = relay

    def answer(self, request: Request) -> Response:
        """Answer one request; one that cannot be met with `{"error": sentence}`."""
        try:
            path = request.path
        except ValueError as error:
            return json_response(400, {'error': f'{request.target!r} is no path: {error}'})
        try:
            return self._route(request)
        except (CallRefusedError, CaptureError, RelayError) as error:
            return json_response(error.status, {'error': str(error)})
        except Exception as error:  # noqa: BLE001 (whoever asks gets an answer, the log the rest)
            return json_response(500, unanswered(request.method, path, error))

    def _route(self, request: Request) -> Response:
        path = request.path
        if path == '/v1/captures':
            self._require_signature(request)
            return self._start(request)
        if match := CAPTURE_PATH.fullmatch(path):
            self._require_signature(request)
            return self._capture(request, unquote(match[1]), match[2])
        if match := COMPONENTS_PATH.fullmatch(path):
            # These carry a signature of their own, which the component container checks.
            _allow(request, 'POST')
            return json_response(200, self._relay.answer(match[1], _body(request)))
        return self._told(request)

    def _require_signature(self, request: Request) -> None:
        self._verifier.check(request.authorization, request.method, request.target, request.body)

    def _told(self, request: Request) -> Response:
        path = request.path
        if path not in {'/healthz', '/readyz', '/metrics', '/v1/clock', '/v1/status'}:
            raise CaptureError(404, f'there is nothing at {path}')
        _allow(request, 'GET')
        if path == '/v1/clock':
            return json_response(
                200, {'received_ns': request.received_ns, 'sent_ns': self.clock_ns()}
            )
        if path == '/v1/status':
            return json_response(200, self._status())
        if path == '/metrics':
            text = self._metrics()
            return Response(200, CONTENT_TYPE, len(text), (text,))
        status, sentence = self._health(path)
        return json_response(status, {'status' if status == 200 else 'error': sentence})

    def _start(self, request: Request) -> Response:
        _allow(request, 'POST')
        content = _body(request)
        if not isinstance(content, dict) or content.keys() != {'capture', 'max_samples'}:
            raise CaptureError(400, 'the body must be {"capture": name, "max_samples": number}')
        capture = self._captures.start(content['capture'], content['max_samples'])
        return json_response(
            201, {'capture': capture.head.identifier, 'started_ns': capture.head.started_ns}
        )

    def _capture(self, request: Request, identifier: str, action: str | None) -> Response:
        if action == '/stop':
            _allow(request, 'POST')
            self._captures.stop(identifier)
            return json_response(200, self._captures.state(identifier))
        if action == '/samples':
            _allow(request, 'GET')
            query = request.query
            size_bytes, parts = self._captures.samples(
                identifier,
                query.get('topic', ''),
                _whole(query, 'offset') or 0,
                _whole(query, 'limit'),
            )
            return Response(200, SAMPLES, size_bytes, parts)
        _allow(request, 'GET', 'DELETE')
        if request.method == 'DELETE':
            self._captures.delete(identifier)
            return Response(204, JSON, 0, ())
        return json_response(200, self._captures.state(identifier))


def _body(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise CaptureError(400, f'the body is no JSON: {error}') from error


def _whole(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdecimal() or len(value) > 15:
        raise CaptureError(400, f'{name} is {value!r} but must be a whole number of rows')
    return int(value)


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise CaptureError(
            405, f'{request.method} {request.path} is not possible; choices: {", ".join(methods)}'
        )


def listen(api: Api, port: int) -> LoggingServer:
    """Serve the interface in threads of its own until `shutdown` is called on the result.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        # The clock exchange measures round trips: no byte may wait for another.
        disable_nagle_algorithm = True
        timeout = IDLE_LIMIT_S

        def parse_request(self) -> bool:
            self.received_ns = api.clock_ns()
            return super().parse_request()

        def _serve(self) -> None:
            if 'Transfer-Encoding' in self.headers:
                self.close_connection = True
                self._send(json_response(411, {'error': 'a body needs a Content-Length'}))
                return
            length = self.headers.get('Content-Length', '0')
            if not length.isdecimal() or int(length) > LARGEST_BODY_BYTES:
                self.close_connection = True
                self._send(json_response(413, {'error': f'a body of {length} bytes is refused'}))
                return
            body = self.rfile.read(int(length))
            signed = self.headers.get(HEADER)
            self._send(api.answer(Request(self.command, self.path, signed, body, self.received_ns)))

        def _send(self, response: Response) -> None:
            self.send_response(response.status)
            self.send_header('Content-Type', response.content_type)
            self.send_header('Content-Length', str(response.size_bytes))
            if response.status == CallRefusedError.status:
                self.send_header('WWW-Authenticate', 'ros2bench')
            self.end_headers()
            try:
                for part in response.parts:
                    self.wfile.write(part)
            except OSError as error:
                # Too late for a status: the client sees that bytes are missing.
                self.close_connection = True
                print(f'the answer to {self.path} broke off: {error}', file=sys.stderr)

        do_GET = do_POST = do_DELETE = do_PUT = _serve  # noqa: N815 (names of http.server)

        def log_message(self, *_: object) -> None:
            """Keep quiet: probes and scrapes ask every few seconds."""

    server = LoggingServer(('0.0.0.0', port), Handler)
    threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_S,), name='http', daemon=True
    ).start()
    return server
