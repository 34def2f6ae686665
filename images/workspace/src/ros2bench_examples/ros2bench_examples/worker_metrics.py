"""What a worker tells Prometheus of itself: jobs done, and the time spent on them. Needs no ROS."""

import threading
from http.server import BaseHTTPRequestHandler

from ros2bench_bringup.health_server import REQUEST_LIMIT_S, HealthServer

PATH = '/metrics'
CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'


class WorkerMetrics:
    """Two counters; the worker adds, a server's threads read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs = 0
        self._busy_s = 0.0

    def note_job(self, busy_s: float) -> None:
        """Note that a job was done, and how long it took."""
        with self._lock:
            self._jobs += 1
            self._busy_s += busy_s

    def text(self) -> str:
        """Both counters in the text format of Prometheus."""
        with self._lock:
            jobs, busy_s = self._jobs, self._busy_s
        return (
            '# HELP worker_jobs_total Jobs that were done.\n'
            '# TYPE worker_jobs_total counter\n'
            f'worker_jobs_total {jobs}\n'
            '# HELP worker_busy_seconds_total Time that was spent on jobs.\n'
            '# TYPE worker_busy_seconds_total counter\n'
            f'worker_busy_seconds_total {busy_s:.6f}\n'
        )


def listen(port: int, metrics: WorkerMetrics) -> 'HealthServer | None':
    """Take a port without answering yet; `health_server.serve` and `stop` do the rest.

    Args:
        port: TCP port on every address of the pod; 0 takes none.
        metrics: what is told.

    Raises:
        OSError: the port is taken.
    """
    if port == 0:
        return None

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_LIMIT_S

        def do_GET(self) -> None:
            found = self.path == PATH
            body = (metrics.text() if found else f'choices: {PATH}\n').encode()
            self.send_response(200 if found else 404)
            self.send_header('Content-Type', CONTENT_TYPE)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: Prometheus asks every few seconds."""

    return HealthServer(('0.0.0.0', port), Handler)
