"""Runs tegrastats and keeps it running: every line gets its times, silence ends and restarts it.

The program is closed, lives on the board, and may end, hang or print anything. So nothing of it is
trusted: bytes are cut into lines with a limit, a piece without an end of line is no line, three
intervals without a line are a gap, and a program that stays silent is killed and started again.
"""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from ros2bench_machine_reader.tegrastats import LONGEST_LINE

NOT_STARTED = 'tegrastats_not_started'
SILENT = 'tegrastats_silent'
ENDED = 'tegrastats_ended'
TOO_LONG = 'line_too_long'
NOT_READ = 'line_not_read'

SILENT_INTERVALS = 3
LEAST_SILENCE_S = 2.0
START_ALLOWANCE_S = 2.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
KEPT_LINES = 100
CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class TimedLine:
    """A line, its number since the start of this reader, and when its end arrived."""

    number: int
    time_ns: int
    monotonic_ns: int
    text: str


class LineCutter:
    """Cuts a stream of bytes into lines. A line that is too long is left out and counted."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = b''
        self._skipping = False
        self.too_long = 0

    def feed(self, data: bytes) -> list[str]:
        """Take bytes; give the lines that are complete now. What is no UTF-8 is replaced."""
        *complete, self._rest = (self._rest + data).split(b'\n')
        lines = []
        for line in complete:
            if self._skipping or len(line) > self._longest:
                self.too_long += 1
            else:
                lines.append(line.decode('utf-8', errors='replace').rstrip('\r'))
            self._skipping = False
        if len(self._rest) > self._longest:
            self._rest, self._skipping = b'', True
        return lines


def next_pause_s(pause_s: float) -> float:
    """How long to wait after the next failure."""
    return min(2 * pause_s, LONGEST_PAUSE_S)


class TegrastatsProcess:
    """The program and the thread that listens to it.

    Args:
        command: the program with its arguments, without `--interval`.
        interval_s: time between two lines, at least a millisecond.
        first_pause_s: wait before the first restart; doubled up to half a minute, until lines come.
        least_silence_s: how long it may stay silent at least before it is killed.
        start_allowance_s: how much longer the first line may take.
    """

    def __init__(
        self,
        command: Sequence[str],
        interval_s: float,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        least_silence_s: float = LEAST_SILENCE_S,
        start_allowance_s: float = START_ALLOWANCE_S,
    ) -> None:
        self._command = [*command, '--interval', str(max(1, round(interval_s * 1000)))]
        self._gap_s = SILENT_INTERVALS * interval_s
        self._limit_s = max(self._gap_s, least_silence_s)
        self._first_pause_s = first_pause_s
        self._start_allowance_s = start_allowance_s
        self._lines: deque[TimedLine] = deque(maxlen=KEPT_LINES)
        self._number = 0
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._problems: Counter[str] = Counter()
        self._missing: str | None = None
        self._began_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self._keep_running, name='tegrastats', daemon=True)
        self._thread.start()

    @property
    def missing(self) -> str | None:
        """Why no lines come now; None while they do."""
        with self._guard:
            last_ns = self._lines[-1].monotonic_ns if self._lines else self._began_ns
            if self._missing is None and time.monotonic_ns() - last_ns > self._gap_s * 1e9:
                return SILENT
            return self._missing

    @property
    def problems(self) -> dict[str, int]:
        """How often it ended, fell silent, or printed what is no line."""
        with self._guard:
            return dict(self._problems)

    def after(self, number: int) -> list[TimedLine]:
        """Give the lines that came after one of them, oldest first; the last hundred are kept."""
        with self._guard:
            return [line for line in self._lines if line.number > number]

    def close(self) -> None:
        """End the program and the thread."""
        self._stop.set()
        self._thread.join()

    def _keep_running(self) -> None:
        pause_s = self._first_pause_s
        while not self._stop.is_set():
            reason, lines = self._run_once()
            with self._guard:
                self._missing = reason
            self._count(reason)
            pause_s = self._first_pause_s if lines else pause_s
            self._stop.wait(pause_s)
            pause_s = next_pause_s(pause_s)

    def _run_once(self) -> tuple[str, int]:
        """Run it until it ends, hangs or is no longer wanted; give why, and how many lines came."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            return NOT_STARTED, 0
        try:
            return self._listen(process)
        finally:
            # Whatever it started ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _listen(self, process: 'subprocess.Popen[bytes]') -> tuple[str, int]:
        if process.stdout is None:
            raise AssertionError('the pipe was asked for')
        descriptor = process.stdout.fileno()
        cutter = LineCutter()
        lines = 0
        deadline_s = time.monotonic() + self._limit_s + self._start_allowance_s
        while not self._stop.is_set():
            wait_s = deadline_s - time.monotonic()
            if wait_s <= 0:
                return SILENT, lines
            # A stop is noticed within a tenth of a second.
            ready, _, _ = select.select([descriptor], [], [], min(wait_s, 0.1))
            if not ready:
                continue
            data = os.read(descriptor, CHUNK_BYTES)
            if not data:
                return ENDED, lines
            too_long = cutter.too_long
            complete = cutter.feed(data)
            self._count(TOO_LONG, cutter.too_long - too_long)
            if complete:
                lines += len(complete)
                deadline_s = time.monotonic() + self._limit_s
                self._keep(complete)
        return ENDED, lines

    def _keep(self, lines: Sequence[str]) -> None:
        time_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        # Lines that come together were printed at different times: only of the last is it known.
        self._count(NOT_READ, len(lines) - 1)
        with self._guard:
            self._number += 1
            self._lines.append(TimedLine(self._number, time_ns, monotonic_ns, lines[-1]))
            self._missing = None

    def _count(self, reason: str, times: int = 1) -> None:
        if times:
            with self._guard:
                self._problems[reason] += times
