"""Lines of JSON over a socket between the container and the process of a component. No ROS."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any


class Wire:
    """One end: `send` from any thread, `lines` from one."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def send(self, content: Any) -> None:
        """Send one value.

        Raises:
            OSError: the other end is gone.
        """
        with self._lock:
            self._end.sendall(json.dumps(content).encode() + b'\n')

    def lines(self) -> Iterator[Any]:
        """Values as they arrive, until the other end is gone."""
        try:
            with self._end.makefile('rb') as file:
                for line in file:
                    yield json.loads(line)
        except ConnectionError:
            return

    def close(self) -> None:
        """Let the other end know that nothing more is said."""
        try:
            self._end.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The other end was faster.
            return
        finally:
            self._end.close()
