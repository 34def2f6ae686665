"""An HTTP server whose failed answers are one line of the log each. Needs no ROS."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any

from ros2bench_telemetry import json_lines

LOGGER = 'http'


class LoggingServer(ThreadingHTTPServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a failed answer, unless the one who asked has gone, as a late scrape does."""
        _ = request, client_address
        if not isinstance(sys.exc_info()[1], ConnectionError):
            json_lines.failed(LOGGER)


def unanswered(method: str, path: str, error: Exception) -> dict[str, str]:
    """Log what an answer failed of and give the content of the one that is sent instead, of 500.

    Args:
        method: of the call.
        path: without its query.
        error: the exception that is being handled.
    """
    json_lines.failed(LOGGER)
    kind = type(error).__name__
    return {'error': f'{method} {path} could not be answered: {kind}; the log has its traceback'}
