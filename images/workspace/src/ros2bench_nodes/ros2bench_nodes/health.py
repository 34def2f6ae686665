"""Says over HTTP whether a node is alive and ready, for the probes of the pod. Needs no ROS."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SILENCE_LIMIT_S = 10.0
STOP_POLL_S = 0.1


class Health:
    """Heartbeat and readiness of one node.

    The node's executor calls `beat` at least once in ten seconds and `ready` once everything is
    made.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_beat_s = clock()
        self._ready = False

    def beat(self) -> None:
        """Note that the executor has turned."""
        self._last_beat_s = self._clock()

    def ready(self) -> None:
        """Note that model, publishers and subscriptions are there."""
        self._ready = True

    def answer(self, path: str) -> tuple[int, str]:
        """Status and sentence for a path."""
        silence_s = self._clock() - self._last_beat_s
        if path == '/healthz':
            alive = silence_s <= SILENCE_LIMIT_S
            return (200 if alive else 503), f'executor turned {silence_s:.1f} s ago'
        if path == '/readyz':
            return (200, 'ready') if self._ready else (503, 'still loading')
        return 404, 'choices: /healthz, /readyz'


def serve(health: Health, port: int) -> ThreadingHTTPServer | None:
    """Serve a node's health in threads of its own until `shutdown` is called on the result.

    Args:
        health: what to tell.
        port: TCP port on every address of the pod; 0 serves nothing.

    Raises:
        OSError: the port is taken.
    """
    if port == 0:
        return None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, sentence = health.answer(self.path)
            body = json.dumps({'status': sentence}).encode()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: the kubelet asks every few seconds."""

    server = ThreadingHTTPServer(('0.0.0.0', port), Handler)
    server.daemon_threads = True
    threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_S,), name='health', daemon=True
    ).start()
    return server
