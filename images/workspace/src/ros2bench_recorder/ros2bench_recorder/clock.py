"""The recorder's real-time clock, and how far a test shifts it. Needs no ROS.

A shifted clock is that of another machine: every time that the recorder's machine stamps
(received, taken, captures, `/v1/clock`) moves by the offset, those of the publishers stay, and the
boot id is another one.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from ros2bench_recorder.configuration import ConfigurationError

VARIABLE = 'ROS2BENCH_RECORDER_CLOCK_OFFSET_NS'
BOOT_ID_FILE = Path('/proc/sys/kernel/random/boot_id')
LARGEST_OFFSET_NS = 10**18


def offset_of(environment: Mapping[str, str]) -> int:
    """Nanoseconds by which the clock is ahead of the machine's.

    Raises:
        ConfigurationError: the variable holds something else.
    """
    text = environment.get(VARIABLE) or '0'
    try:
        offset_ns = int(text)
    except ValueError:
        offset_ns = LARGEST_OFFSET_NS + 1
    if abs(offset_ns) > LARGEST_OFFSET_NS:
        raise ConfigurationError(
            f'{VARIABLE} is {text!r} but must be whole nanoseconds, for example 5000000.'
        )
    return offset_ns


class RecorderClock:
    """A real-time clock that may be shifted."""

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns

    def real_time_ns(self) -> int:
        """Nanoseconds since the epoch by this clock."""
        return time.time_ns() + self.offset_ns

    def boot_id(self) -> str:
        """What tells two clocks apart: the kernel's boot id, and the offset if there is one."""
        identifier = BOOT_ID_FILE.read_text(encoding='ascii').strip()
        return f'{identifier}{self.offset_ns:+d}' if self.offset_ns else identifier


def clock_of_environment() -> RecorderClock:
    """The clock that the environment asks for.

    Raises:
        ConfigurationError: see `offset_of`.
    """
    return RecorderClock(offset_of(os.environ))
