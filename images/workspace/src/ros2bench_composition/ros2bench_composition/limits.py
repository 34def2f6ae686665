"""How much a container may hold and how often it may be asked. Needs no ROS."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ros2bench_composition.refusal import Refusal

MEBIBYTE = 1024 * 1024
MINUTE_S = 60.0
UNKNOWN_PER_SECOND = 100
PAUSE_S = 0.005
MOST_PARAMETERS = 256
MOST_REMAP_RULES = 64
MOST_CHARACTERS = 65_536


@dataclass(frozen=True)
class Limits:
    """Limits of one container; memory is the resident memory of all its processes."""

    components: int = 16
    memory_mebibytes: int = 2048
    loads_per_minute: int = 30
    load_timeout_s: float = 60.0

    def check_count(self, loaded: int) -> None:
        """Refuse one more component than allowed.

        Raises:
            Refusal: `count`.
        """
        if loaded >= self.components:
            raise Refusal(
                'count', f'{loaded} components are loaded, limits.components is {self.components}.'
            )

    def check_memory(self, resident_bytes: int, when: str) -> None:
        """Refuse when the container holds more memory than allowed.

        Raises:
            Refusal: `memory`.
        """
        if resident_bytes > self.memory_mebibytes * MEBIBYTE:
            raise Refusal(
                'memory',
                f'The container holds {resident_bytes / MEBIBYTE:.0f} MiB {when}, '
                f'limits.memory_mebibytes is {self.memory_mebibytes}.',
            )


class Rate:
    """At most so many calls in any minute."""

    def __init__(
        self, per_minute: int, what: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._what = what
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Count one call.

        Raises:
            Refusal: `rate`.
        """
        with self._lock:
            now = self._clock()
            while self._times and now - self._times[0] >= MINUTE_S:
                self._times.popleft()
            if len(self._times) >= self._per_minute:
                wait_s = MINUTE_S - (now - self._times[0])
                raise Refusal(
                    'rate',
                    f'{self._per_minute} {self._what} per minute are allowed '
                    f'(limits.loads_per_minute): wait {wait_s:.0f} s.',
                )
            self._times.append(now)


class Brake:
    """Slows down whoever sends what nobody has signed, so that the nodes keep their cores."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._second = 0
        self._count = 0

    def press(self) -> None:
        """Count one such request; wait a little if there were many in this second."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > UNKNOWN_PER_SECOND:
            self._sleep(PAUSE_S)


def check_size(parameters: int, remap_rules: int, characters: int) -> None:
    """Refuse a request that is too large to be worth reading.

    Raises:
        Refusal: `oversize`.
    """
    for size, most, what in (
        (parameters, MOST_PARAMETERS, 'parameters and extra arguments'),
        (remap_rules, MOST_REMAP_RULES, 'remap rules'),
        (characters, MOST_CHARACTERS, 'characters and array items'),
    ):
        if size > most:
            raise Refusal('oversize', f'The request has {size} {what}; at most {most} are read.')


def resident_bytes(process_ids: Iterable[int]) -> int:
    """Resident memory of processes; those that have ended count nothing."""
    return sum(map(_resident_pages, process_ids)) * os.sysconf('SC_PAGE_SIZE')


def _resident_pages(process_id: int) -> int:
    try:
        return int(Path(f'/proc/{process_id}/statm').read_text(encoding='ascii').split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
