"""What the application says about its own latency, while nobody listens too. Needs no ROS."""

import json
import sys
from collections.abc import Callable
from typing import Any

NANOSECONDS_PER_SECOND = 1_000_000_000


def _print(line: str) -> None:
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


class OwnReport:
    """Prints `{"own_report": [[frame_number, intended_ns, published_ns], ...]}` now and then."""

    def __init__(self, frames: int, write: Callable[[str], None] = _print) -> None:
        """Begin empty.

        Args:
            frames: frames of a line; 0 prints nothing.
            write: takes a line.
        """
        self._frames = frames
        self._write = write
        self._rows: list[tuple[int, int, int]] = []

    def add(self, stamp: Any) -> None:
        """Note a result that has been published.

        Args:
            stamp: the Stamp that it carries.
        """
        if self._frames == 0:
            return
        self._rows.append((stamp.frame_number, _ns(stamp.intended), _ns(stamp.published)))
        if len(self._rows) >= self._frames:
            self._write(json.dumps({'own_report': self._rows}))
            self._rows = []


def _ns(time: Any) -> int:
    return time.sec * NANOSECONDS_PER_SECOND + time.nanosec
