"""Serves calls over HTTP: finds the route, checks the signature, answers in JSON."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from ros2bench_machine_reader.routing import (
    CallRefused,
    Key,
    Request,
    Response,
    Route,
    find,
    json_response,
)
from ros2bench_service.signed_calls import HEADER, CallRefusedError, CallVerifier
from ros2bench_telemetry.http_server import LoggingServer, unanswered

LARGEST_BODY_BYTES = 262_144
SILENCE_LIMIT_S = 30.0
STOP_POLL_S = 0.1


def answer(routes: Mapping[Key, Route], verifier: CallVerifier, request: Request) -> Response:
    """Answer one call; one that is refused with `{"error": sentence}`.

    Args:
        routes: by method and path.
        verifier: checks the calls that are not open.
        request: the call; its `parts` are filled in here.
    """
    try:
        route, parts = find(routes, request.method, request.path)
        if not route.open:
            verifier.check(request.authorization, request.method, request.target, request.body)
        return route.handler(replace(request, parts=parts))
    except (CallRefused, CallRefusedError) as error:
        return json_response(error.status, {'error': str(error)})
    except Exception as error:  # noqa: BLE001 (whoever asks gets an answer, the log the rest)
        return json_response(500, unanswered(request.method, request.path, error))


def listen(
    routes: Mapping[Key, Route], verifier: CallVerifier, port: int, address: str = '0.0.0.0'
) -> LoggingServer:
    """Serve in threads of its own until `shutdown` is called on the result.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        # The clock exchange measures round trips: no byte may wait for another.
        disable_nagle_algorithm = True
        timeout = SILENCE_LIMIT_S

        def parse_request(self) -> bool:
            self.received_ns = time.time_ns()
            return super().parse_request()

        def _serve(self) -> None:
            length = self.headers.get('Content-Length', '0')
            if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
                self.close_connection = True
                self._send(json_response(413, {'error': f'a body of {length} bytes is refused'}))
                return
            try:
                parsed = urlsplit(self.path)
            except ValueError as error:
                self.close_connection = True
                self._send(json_response(400, {'error': f'{self.path!r} is no path: {error}'}))
                return
            query = {key: values[-1] for key, values in parse_qs(parsed.query).items()}
            body = self.rfile.read(int(length))
            request = Request(
                self.command,
                self.path,
                parsed.path,
                query,
                body,
                self.received_ns,
                self.headers.get(HEADER),
            )
            self._send(answer(routes, verifier, request))

        def _send(self, response: Response) -> None:
            self.send_response(response.status)
            self.send_header('Content-Type', response.content_type)
            if response.status != 204:
                self.send_header('Content-Length', str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_POST = do_DELETE = do_PUT = _serve  # noqa: N815 (names of http.server)

        def log_message(self, *_: object) -> None:
            """Keep quiet: probes and scrapes ask every few seconds."""

    server = LoggingServer((address, port), Handler)
    threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_S,), name='http', daemon=True
    ).start()
    return server
