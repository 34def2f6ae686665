"""A small HTTP server that tells the probes of a pod how a process is. Needs no ROS."""

import json
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATHS = ('/startz', '/readyz', '/healthz')
STOP_POLL_S = 0.1
REQUEST_LIMIT_S = 5.0


class HealthServer(ThreadingHTTPServer):
    """Answers each request in a thread of its own, and starts without asking for names."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Take the port; the library's own way asks DNS for the machine's name first."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a failed answer, unless the one who asked has gone, as a late kubelet does."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def listen(
    port: int, answer: Callable[[str], tuple[int, Mapping[str, str]]]
) -> HealthServer | None:
    """Take a port without answering yet: no thread is made before `serve`.

    Args:
        port: TCP port on every address of the pod; 0 takes none.
        answer: status code and JSON body for one of `PATHS`.

    Returns:
        What `serve` takes; None for port 0.

    Raises:
        OSError: the port is taken.
    """
    if port == 0:
        return None

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_LIMIT_S

        def do_GET(self) -> None:
            if self.path in PATHS:
                status, content = answer(self.path)
            else:
                status, content = 404, {'error': f'choices: {", ".join(PATHS)}'}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: the kubelet asks every few seconds."""

    return HealthServer(('0.0.0.0', port), Handler)


def serve(server: HealthServer) -> None:
    """Answer in threads until `stop`, or for the rest of the process."""
    threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_S,), name='health', daemon=True
    ).start()


def stop(server: HealthServer) -> None:
    """Stop answering and free the port."""
    server.shutdown()
    server.server_close()
