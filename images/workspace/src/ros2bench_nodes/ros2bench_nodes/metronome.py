"""A thread that acts on an absolute schedule, however busy the executor is. Needs no ROS."""

import threading
import time
from collections.abc import Callable

from ros2bench_nodes.schedule import NANOSECONDS_PER_SECOND, Schedule

STOP_LIMIT_S = 0.5


class Metronome:
    """Calls back for everything that is due, numbered from 0; what is late is made up at once."""

    def __init__(
        self,
        owner: str,
        rate_hz: float,
        on_due: Callable[[int, int], None],
        *,
        burst: int = 1,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            owner: node that acts, for the error's sentence and the thread's name.
            rate_hz: mean calls per second.
            on_due: gets the time when it was due, in nanoseconds since the epoch, and its number.
            burst: calls that are due together.
            is_over: whether an error of `on_due` only says that ROS has been shut down.
        """
        self._owner = owner
        self._rate_hz = rate_hz
        self._burst = burst
        self._on_due = on_due
        self._is_over = is_over
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=owner, daemon=True)

    def start(self) -> None:
        """Begin; the first call is due one period from now."""
        self._thread.start()

    def stop(self) -> None:
        """Make no further call; return when the running one has ended, or after half a second."""
        self._stop.set()
        self._thread.join(STOP_LIMIT_S)

    def check(self) -> None:
        """Raise if an error has ended the thread, so that the pod is restarted, not silent.

        Raises:
            RuntimeError: it has.
        """
        if not self._thread.is_alive() and not self._stop.is_set() and not self._is_over():
            raise RuntimeError(
                f'The {self._owner} has stopped; its thread ended with the error above.'
            )

    def _run(self) -> None:
        schedule = Schedule(
            start_ns=time.time_ns() + round(NANOSECONDS_PER_SECOND / self._rate_hz),
            rate_hz=self._rate_hz,
            burst=self._burst,
        )
        real_minus_monotonic_ns = time.time_ns() - time.monotonic_ns()
        number = 0
        while True:
            due_ns = schedule.due_ns(number)
            # Waiting on the monotonic clock: a step of the real-time clock must not move a frame.
            wait_ns = due_ns - real_minus_monotonic_ns - time.monotonic_ns()
            if self._stop.wait(max(0, wait_ns) / NANOSECONDS_PER_SECOND):
                return
            try:
                self._on_due(due_ns, number)
            except Exception:
                if self._stop.is_set() or self._is_over():
                    return
                raise
            number += 1
