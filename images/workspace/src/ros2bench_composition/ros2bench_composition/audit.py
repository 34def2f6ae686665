"""One line of JSON for each call, on the standard output. Needs no ROS."""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

LONGEST_TEXT = 300
# Beyond these, refusals of one reason are counted and written once a second.
LINES_PER_SECOND = 10


def shortened(value: Any) -> Any:
    """A value of a caller's, no longer than a line can bear."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_TEXT else f'{text[:LONGEST_TEXT]}… ({len(text)} characters)'


class Audit:
    """Writes lines that are numbered, so that a missing one is seen."""

    def __init__(
        self,
        container: str,
        manifest_sha256: str,
        write: Callable[[bytes], Any],
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Begin an audit.

        Args:
            container: name of the container.
            manifest_sha256: digest of the manifest that decides.
            write: takes one line; must not fail silently.
            clock_ns: real time.
        """
        self._common = {'container': container, 'manifest': manifest_sha256}
        self._write = write
        self._clock_ns = clock_ns
        self._number = 0
        self._lock = threading.Lock()
        self._second = 0
        self._written: dict[str, int] = {}
        self._held: dict[str, tuple[int, dict[str, Any]]] = {}

    def accepted(self, call: str, caller: str, **about: Any) -> None:
        """Note a call that was obeyed, or something that the container did by itself."""
        with self._lock:
            self._flush()
            self._line({'call': call, 'result': 'accepted', 'caller': caller, **about})

    def refused(self, call: str, caller: str, reason: str, sentence: str, **about: Any) -> None:
        """Note a call that was refused; in a flood many of one reason become one line."""
        line = {
            'call': call,
            'result': 'refused',
            'caller': caller,
            'reason': reason,
            'sentence': sentence,
            **about,
        }
        with self._lock:
            self._flush()
            written = self._written.get(reason, 0)
            if written < LINES_PER_SECOND:
                self._written[reason] = written + 1
                self._line(line)
            else:
                self._held[reason] = (self._held.get(reason, (0, line))[0] + 1, line)

    def flush(self) -> None:
        """Write what is counted and due; called once a second, and at the end."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        second = self._clock_ns() // 1_000_000_000
        if second == self._second:
            return
        self._second = second
        self._written.clear()
        held, self._held = self._held, {}
        for count, line in held.values():
            self._line({**line, 'calls': count})

    def _line(self, content: dict[str, Any]) -> None:
        self._number += 1
        line = {
            'audit': 'ros2bench',
            'number': self._number,
            'time_ns': self._clock_ns(),
            **self._common,
            **{key: shortened(v) if isinstance(v, str) else v for key, v in content.items()},
        }
        self._write(json.dumps(line).encode() + b'\n')


def standard_output() -> Callable[[bytes], Any]:
    """Take the standard output for the audit alone; whatever else is printed goes to the error.

    Components share the container's streams: none of them shall be able to write an audit line.
    """
    descriptor = os.dup(1)
    os.dup2(2, 1)

    def write(line: bytes) -> None:
        while line:
            line = line[os.write(descriptor, line) :]

    return write
