"""A thread that flushes once a second and measures what that costs."""

import sys
import threading
import time
from collections.abc import Callable

PERIOD_S = 1.0
STOP_LIMIT_S = 2.0


class Flusher:
    """Calls a function once a second until it is stopped.

    Attributes:
        busy_ns: time spent in the function since the start; a slow disk shows here.
        longest_ns: longest single call.
    """

    def __init__(self, flush: Callable[[], None], period_s: float = PERIOD_S) -> None:
        self.busy_ns = 0
        self.longest_ns = 0
        self._flush = flush
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name='flush', daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Flush a last time and end."""
        self._stopping.set()
        self._thread.join(STOP_LIMIT_S)

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._stopping.wait(self._period_s)
            began_ns = time.monotonic_ns()
            try:
                self._flush()
            except OSError as error:
                print(f'the captures could not be flushed: {error}', file=sys.stderr)
            took_ns = time.monotonic_ns() - began_ns
            self.busy_ns += took_ns
            self.longest_ns = max(self.longest_ns, took_ns)
