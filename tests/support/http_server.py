"""An HTTP server of a test, on 127.0.0.1, for as long as a block lasts."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POLL_S = 0.02
"""How soon it notices that it is to end."""


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Generator[int]:
    """Answer with a handler on a port that nobody has; gives the port.

    Args:
        handler: Class of the handler, or what makes one.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_S})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
