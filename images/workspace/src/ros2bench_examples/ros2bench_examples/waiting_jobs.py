"""Jobs that wait for a worker, in the order in which they were due. Needs no ROS."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        due_ns: when it was due, in nanoseconds since the epoch.
        number: 0, 1, 2 …
        since_s: when it began to wait, on a clock that never goes back.
    """

    due_ns: int
    number: int
    since_s: float


class WaitingJobs:
    """A bounded queue; one thread may add while another one takes."""

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty.

        Args:
            capacity: how many may wait.
            clock: seconds that never go back.
        """
        self._capacity = capacity
        self._clock = clock
        self._jobs: deque[Job] = deque()

    def add(self, due_ns: int, number: int) -> bool:
        """Let a job wait; False where too many do already and it is dropped."""
        if len(self._jobs) >= self._capacity:
            return False
        self._jobs.append(Job(due_ns, number, self._clock()))
        return True

    def take(self) -> 'Job | None':
        """The job that has waited longest; None where none waits."""
        try:
            return self._jobs.popleft()
        except IndexError:
            return None

    def wait_s(self) -> float:
        """How long the first of the jobs has waited by now; 0 where none waits.

        Unlike the wait of the last job that was taken it also grows while nobody takes any.
        """
        try:
            return max(0.0, self._clock() - self._jobs[0].since_s)
        except IndexError:
            return 0.0
