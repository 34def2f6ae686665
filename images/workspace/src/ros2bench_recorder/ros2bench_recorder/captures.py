"""All captures of a recorder: one active at most, the others wait to be fetched. Needs no ROS."""

import gc
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ros2bench_recorder.capture import Capture, CaptureHead, Effort
from ros2bench_recorder.sample import SAMPLE_BYTES, SampleRow
from ros2bench_service.capture_file import ByteBudget
from ros2bench_telemetry.json_lines import run_of, say

CAPTURES_KEPT = 16
MOST_SAMPLES = 20_000_000
ID_PATTERN = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,127}')
FLUSHES_PER_COLLECTION = 10


class CaptureError(Exception):
    """A request about captures that cannot be met.

    Attributes:
        status: HTTP status that says so.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def own_cpu() -> Effort:
    """Effort of this process, as far as it can be told without a drain loop."""
    return Effort(time.process_time_ns(), -1)


class Captures:
    """All captures. The drain loop adds, a thread flushes, the HTTP threads ask.

    Two locks: one for who is active and what is added, held for microseconds only; one for
    starting, stopping, deleting and flushing, which wait for the disk.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        topics: Sequence[str],
        *,
        real_clock_ns: Callable[[], int] = time.time_ns,
        heard_until_ns: Callable[[], int] = time.time_ns,
        effort: Callable[[], Effort] = own_cpu,
    ) -> None:
        """Open the folder; captures that an earlier process left behind are there again.

        Args:
            folder: holds a folder for each capture; nothing else writes into it.
            limit_bytes: most bytes of samples in it.
            topics: what is recorded.
            real_clock_ns: real-time clock.
            heard_until_ns: real time before which everything that had arrived has been added.
            effort: what this process has spent so far.

        Raises:
            OSError: the folder cannot be used.
        """
        self._topics = tuple(topics)
        self._folder = folder
        self.budget = ByteBudget(limit_bytes)
        self._real_clock_ns = real_clock_ns
        self._heard_until_ns = heard_until_ns
        self._effort = effort
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        self._captures: dict[str, Capture] = {}
        self._active: Capture | None = None
        self._effort_at_start = effort()
        self._flushes = 0
        self._recover()

    def _recover(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in sorted(path for path in self._folder.iterdir() if path.is_dir()):
            capture = Capture.recover(folder, self.budget)
            if capture is None:
                # Its start was never confirmed to anybody.
                shutil.rmtree(folder)
                continue
            self._captures[capture.head.identifier] = capture
            if capture.stopped_ns is not None:
                continue
            if capture.head.topics != self._topics:
                print(
                    f'capture {capture.head.identifier} is ended: it was of the topics '
                    f'{list(capture.head.topics)}, now recorded are {list(self._topics)}',
                    file=sys.stderr,
                )
                self._end(capture)
                continue
            self._active = capture
            capture.flush(self._real_clock_ns(), durable=True)
            gc.disable()

    def number(self, topic: str) -> int:
        """Number of a topic, as `add` wants it."""
        return self._topics.index(topic)

    def add(self, topic: int, sample: SampleRow) -> None:
        """Keep a sample of a topic, which is given by its number, if a capture is active."""
        with self._lock:
            if self._active is not None:
                self._active.add(topic, sample)

    def flush(self) -> None:
        """Write what the active capture has in memory.

        Raises:
            OSError: the disk refuses it; the samples stay in memory, as many as fit.
        """
        with self._changing:
            active = self._active
            if active is None:
                return
            heard_until_ns = self._heard_until_ns()
            active.effort = self._spent(active)
            active.flush(heard_until_ns)
            self._flushes += 1
            if self._flushes % FLUSHES_PER_COLLECTION == 0:
                # Small and planned: the objects from the start of the process are frozen.
                gc.collect()

    @property
    def active_identifier(self) -> str | None:
        """Name of the active capture."""
        active = self._active
        return active.head.identifier if active else None

    def start(self, identifier: object, max_samples: object) -> Capture:
        """Begin a capture.

        Args:
            identifier: its name: letters, digits, `.`, `_`, `-`.
            max_samples: most samples kept for each topic.

        Raises:
            CaptureError: refused value (400); name taken, another one active, or too many kept
                (409); the disk refuses it (507).
        """
        if not isinstance(identifier, str) or not ID_PATTERN.fullmatch(identifier):
            raise CaptureError(
                400, f'capture is {identifier!r} but must be letters, digits, ".", "_" and "-"'
            )
        right = isinstance(max_samples, int) and not isinstance(max_samples, bool)
        if not right or not 1 <= max_samples <= MOST_SAMPLES:
            raise CaptureError(
                400,
                f'max_samples is {max_samples!r} but must be a whole number '
                f'from 1 to {MOST_SAMPLES}',
            )
        with self._changing:
            self._require_room(identifier)
            capture = self._made(identifier, max_samples)
            # A collection in the middle of a capture would show as latency of the application.
            gc.collect()
            gc.disable()
            self._captures[identifier] = capture
            with self._lock:
                self._effort_at_start = self._effort()
                self._active = capture
        self._tell(capture, f'capture {identifier} has begun')
        return capture

    def _tell(self, capture: Capture, sentence: str) -> None:
        run = run_of(capture.head.identifier)
        say('INFO', sentence, logger='captures', run=run)

    def _require_room(self, identifier: str) -> None:
        if self._active is not None:
            raise CaptureError(
                409,
                f'capture {self._active.head.identifier} is active: stop it before the next one',
            )
        if identifier in self._captures:
            raise CaptureError(
                409, f'capture {identifier} exists: delete it or choose another name'
            )
        if len(self._captures) >= CAPTURES_KEPT:
            raise CaptureError(409, f'{CAPTURES_KEPT} captures are kept: delete one of them first')

    def _made(self, identifier: str, max_samples: int) -> Capture:
        folder = self._folder / identifier
        head = CaptureHead(identifier, self._topics, max_samples, self._real_clock_ns())
        try:
            folder.mkdir()
            return self._confirmed(folder, head)
        except OSError as error:
            raise CaptureError(
                507,
                f'capture {identifier} cannot be stored in {self._folder}: {error.strerror}: '
                f'delete captures that have been fetched, or give the folder more room',
            ) from error

    def _confirmed(self, folder: Path, head: CaptureHead) -> Capture:
        """A capture whose state is on the disk, or no trace of it."""
        capture = Capture(folder, head, self.budget)
        try:
            capture.flush(head.started_ns, durable=True)
        except OSError:
            capture.remove()
            raise
        return capture

    def stop(self, identifier: str) -> Capture:
        """End a capture; ending it again changes nothing.

        Raises:
            CaptureError: there is none of that name (404).
        """
        with self._changing:
            capture = self._find(identifier)
            was_active = capture is self._active
            if was_active:
                with self._lock:
                    self._active = None
                capture.effort = self._spent(capture)
                self._end(capture)
                gc.enable()
        if was_active:
            self._tell(capture, f'capture {identifier} has ended')
        return capture

    def _end(self, capture: Capture) -> None:
        capture.stopped_ns = self._real_clock_ns()
        capture.gaps.end(capture.stopped_ns)
        try:
            capture.flush(capture.stopped_ns, durable=True)
        except OSError as error:
            print(f'the end of a capture could not be stored: {error}', file=sys.stderr)

    def state(self, identifier: str) -> dict[str, Any]:
        """State of a capture.

        Raises:
            CaptureError: there is none of that name (404).
        """
        with self._lock:
            capture = self._find(identifier)
            if capture is self._active:
                capture.effort = self._spent(capture)
            return capture.answer(self._real_clock_ns())

    def samples(
        self, identifier: str, topic: str, offset: int = 0, limit: int | None = None
    ) -> tuple[int, Iterator[bytes]]:
        """Size in bytes and content of one topic's samples, as of now.

        Args:
            identifier: name of the capture.
            topic: one of its topics.
            offset: first row.
            limit: most rows; None: all that there are.

        Raises:
            CaptureError: there is no capture or topic of that name (404).
        """
        with self._lock:
            capture = self._find(identifier)
            if topic not in capture.head.topics:
                raise CaptureError(
                    404, f'topic {topic!r} is not recorded; choices: {list(capture.head.topics)}'
                )
            number = capture.head.topics.index(topic)
            there = max(0, capture.counts[number] - offset)
        count = there if limit is None else min(there, limit)
        return count * SAMPLE_BYTES, capture.rows(number, offset, count)

    def delete(self, identifier: str) -> None:
        """Forget a capture and free its room.

        Raises:
            CaptureError: there is none of that name (404), it is active (409), or the disk
                refuses it (507).
        """
        with self._changing:
            capture = self._find(identifier)
            if capture is self._active:
                raise CaptureError(409, f'capture {identifier} is active: stop it first')
            try:
                capture.remove()
            except OSError as error:
                raise CaptureError(
                    507, f'capture {identifier} cannot be deleted: {error.strerror}'
                ) from error
            with self._lock:
                del self._captures[identifier]

    def close(self) -> None:
        """Write what waits; an active capture goes on when the next process opens the folder."""
        self.flush()
        for capture in self._captures.values():
            capture.close()

    def _spent(self, capture: Capture) -> Effort:
        return capture.effort_before.plus(self._effort().since(self._effort_at_start))

    def _find(self, identifier: str) -> Capture:
        if identifier not in self._captures:
            raise CaptureError(
                404, f'there is no capture {identifier!r}; choices: {sorted(self._captures)}'
            )
        return self._captures[identifier]
