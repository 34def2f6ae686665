"""The recorder's HTTP interface: routes to captures, status, clock and metrics. Needs no ROS."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ros2bench_recorder.captures import CaptureError, Captures
from ros2bench_recorder.components import Relay, RelayError

JSON = 'application/json'
METRICS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'
SAMPLES = 'application/octet-stream'
LARGEST_BODY_BYTES = 65_536
STOP_POLL_S = 0.1
CAPTURE_PATH = re.compile(r'/v1/captures/([^/]+)(/stop|/samples)?')
COMPONENTS_PATH = re.compile(r'/v1/components/([^/]+)')


@dataclass(frozen=True)
class Request:
    """One request, its query taken apart, and when its first line arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    received_ns: int


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
        status: Callable[[], Mapping[str, Any]],
        metrics: Callable[[], bytes],
        health: Callable[[str], tuple[int, str]],
        relay: Relay,
    ) -> None:
        """Wire the routes.

        Args:
            captures: what is recorded.
            status: content of `/v1/status`.
            metrics: content of `/metrics`.
            health: status code and sentence for `/healthz` and `/readyz`.
            relay: passes calls on to component containers.
        """
        self._captures = captures
        self._status = status
        self._metrics = metrics
        self._health = health
        self._relay = relay

    def answer(self, request: Request) -> Response:
        """Answer one request; one that cannot be met with `{"error": sentence}`."""
        try:
            return self._route(request)
        except (CaptureError, RelayError) as error:
            return json_response(error.status, {'error': str(error)})

    def _route(self, request: Request) -> Response:
        path = request.path
        if path == '/v1/captures':
            return self._start(request)
        if match := CAPTURE_PATH.fullmatch(path):
            return self._capture(request, unquote(match[1]), match[2])
        if match := COMPONENTS_PATH.fullmatch(path):
            _allow(request, 'POST')
            return json_response(200, self._relay.answer(match[1], _body(request)))
        return self._told(request)

    def _told(self, request: Request) -> Response:
        path = request.path
        if path not in {'/healthz', '/readyz', '/metrics', '/v1/clock', '/v1/status'}:
            raise CaptureError(404, f'there is nothing at {path}')
        _allow(request, 'GET')
        if path == '/v1/clock':
            return json_response(
                200, {'received_ns': request.received_ns, 'sent_ns': time.time_ns()}
            )
        if path == '/v1/status':
            return json_response(200, self._status())
        if path == '/metrics':
            text = self._metrics()
            return Response(200, METRICS_TEXT, len(text), (text,))
        status, sentence = self._health(path)
        return json_response(status, {'status' if status == 200 else 'error': sentence})

    def _start(self, request: Request) -> Response:
        _allow(request, 'POST')
        content = _body(request)
        if not isinstance(content, dict) or content.keys() != {'capture', 'max_samples'}:
            raise CaptureError(400, 'the body must be {"capture": name, "max_samples": number}')
        capture = self._captures.start(content['capture'], content['max_samples'])
        return json_response(201, {'capture': capture.identifier, 'started_ns': capture.started_ns})

    def _capture(self, request: Request, identifier: str, action: str | None) -> Response:
        if action == '/stop':
            _allow(request, 'POST')
            self._captures.stop(identifier)
            return json_response(200, self._captures.state(identifier))
        if action == '/samples':
            _allow(request, 'GET')
            size_bytes, parts = self._captures.samples(identifier, request.query.get('topic', ''))
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


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise CaptureError(
            405, f'{request.method} {request.path} is not possible; choices: {", ".join(methods)}'
        )


def listen(api: Api, port: int) -> ThreadingHTTPServer:
    """Serve the interface in threads of its own until `shutdown` is called on the result.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        # The clock exchange measures round trips: no byte may wait for another.
        disable_nagle_algorithm = True

        def parse_request(self) -> bool:
            self.received_ns = time.time_ns()
            return super().parse_request()

        def _serve(self) -> None:
            length = self.headers.get('Content-Length', '0')
            if not length.isdecimal() or int(length) > LARGEST_BODY_BYTES:
                self.close_connection = True
                self._send(json_response(413, {'error': f'a body of {length} bytes is refused'}))
                return
            address = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(address.query).items()}
            body = self.rfile.read(int(length))
            self._send(
                api.answer(Request(self.command, address.path, query, body, self.received_ns))
            )

        def _send(self, response: Response) -> None:
            self.send_response(response.status)
            self.send_header('Content-Type', response.content_type)
            self.send_header('Content-Length', str(response.size_bytes))
            self.end_headers()
            for part in response.parts:
                self.wfile.write(part)

        do_GET = do_POST = do_DELETE = do_PUT = _serve  # noqa: N815 (names of http.server)

        def log_message(self, *_: object) -> None:
            """Keep quiet: probes and scrapes ask every few seconds."""

    server = ThreadingHTTPServer(('0.0.0.0', port), Handler)
    server.daemon_threads = True
    threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_S,), name='http', daemon=True
    ).start()
    return server
