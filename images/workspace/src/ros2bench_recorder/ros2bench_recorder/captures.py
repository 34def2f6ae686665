"""Keeps the samples of a capture in memory until the runner has fetched them. Needs no ROS."""

import gc
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ros2bench_recorder.cdr import MISSING

SAMPLE_BYTES = 64
ROWS_PER_CHUNK = 16_384
CAPTURES_KEPT = 16
MOST_SAMPLES = 20_000_000
ID_PATTERN = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,127}')
_ROW = struct.Struct('<8q')


class Sample(NamedTuple):
    """One message: eight signed 64-bit integers, in the order in which they are stored and sent.

    Times are nanoseconds since the Unix epoch, `monotonic_ns` of CLOCK_MONOTONIC at the moment of
    `taken_ns`; -1 where the source has none.
    """

    frame_number: int = MISSING
    intended_ns: int = MISSING
    published_ns: int = MISSING
    source_ns: int = MISSING
    received_ns: int = MISSING
    taken_ns: int = MISSING
    monotonic_ns: int = MISSING
    sequence_number: int = MISSING


class CaptureError(Exception):
    """A request about captures that cannot be met.

    Attributes:
        status: HTTP status that says so.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class SampleBuffer:
    """Samples of one topic in chunks: adding one never copies the others."""

    def __init__(self, max_samples: int) -> None:
        self._max_samples = max_samples
        self._chunks = [bytearray(ROWS_PER_CHUNK * SAMPLE_BYTES)]
        self.count = 0
        self.dropped = 0

    def add(self, sample: Sample) -> None:
        """Append a sample, or count it as dropped when the buffer is full."""
        if self.count >= self._max_samples:
            self.dropped += 1
            return
        chunk, row = divmod(self.count, ROWS_PER_CHUNK)
        if chunk == len(self._chunks):
            self._chunks.append(bytearray(ROWS_PER_CHUNK * SAMPLE_BYTES))
        _ROW.pack_into(self._chunks[chunk], row * SAMPLE_BYTES, *sample)
        self.count += 1

    def sample(self, index: int) -> Sample:
        """Sample by position; the last one is `count - 1`."""
        chunk, row = divmod(index, ROWS_PER_CHUNK)
        return Sample._make(_ROW.unpack_from(self._chunks[chunk], row * SAMPLE_BYTES))

    def parts(self, count: int) -> Iterator[memoryview]:
        """The first `count` samples as little-endian rows, without copying them."""
        for chunk in self._chunks:
            rows = min(count, ROWS_PER_CHUNK)
            if rows <= 0:
                return
            yield memoryview(chunk)[: rows * SAMPLE_BYTES]
            count -= rows


class Capture:
    """One capture: a buffer for each topic, and when it ran."""

    def __init__(
        self, identifier: str, topics: Sequence[str], max_samples: int, started_ns: int
    ) -> None:
        self.identifier = identifier
        self.started_ns = started_ns
        self.stopped_ns: int | None = None
        self.cpu_ns = 0
        self.buffers = {topic: SampleBuffer(max_samples) for topic in topics}

    def state(self, cpu_ns: int) -> dict[str, object]:
        """State as the HTTP interface tells it.

        Args:
            cpu_ns: processor time of the recorder since the capture began, while it is active.
        """
        counts = {topic: buffer.count for topic, buffer in self.buffers.items()}
        return {
            'capture': self.identifier,
            'active': self.stopped_ns is None,
            'started_ns': self.started_ns,
            'stopped_ns': self.stopped_ns,
            'samples': counts,
            'first': {
                topic: self.buffers[topic].sample(0) if count else None
                for topic, count in counts.items()
            },
            'last': {
                topic: self.buffers[topic].sample(count - 1) if count else None
                for topic, count in counts.items()
            },
            'dropped': {topic: buffer.dropped for topic, buffer in self.buffers.items()},
            'cpu_ns': self.cpu_ns if self.stopped_ns is not None else cpu_ns,
        }


class Captures:
    """All captures, at most one of them active. The drain loop adds, the HTTP threads ask."""

    def __init__(
        self,
        topics: Sequence[str],
        real_clock_ns: Callable[[], int] = time.time_ns,
        cpu_clock_ns: Callable[[], int] = time.process_time_ns,
    ) -> None:
        self._topics = tuple(topics)
        self._real_clock_ns = real_clock_ns
        self._cpu_clock_ns = cpu_clock_ns
        self._captures: dict[str, Capture] = {}
        self._active: Capture | None = None
        self._cpu_at_start_ns = 0
        self._lock = threading.Lock()

    def add(self, topic: str, sample: Sample) -> None:
        """Keep a sample if a capture is active."""
        with self._lock:
            if self._active is not None:
                self._active.buffers[topic].add(sample)

    @property
    def active_identifier(self) -> str | None:
        """Name of the active capture."""
        active = self._active
        return active.identifier if active else None

    def start(self, identifier: object, max_samples: object) -> Capture:
        """Begin a capture.

        Args:
            identifier: its name: letters, digits, `.`, `_`, `-`.
            max_samples: most samples kept for each topic.

        Raises:
            CaptureError: refused value (400); name taken, another one active, or too many kept
                (409).
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
        with self._lock:
            if self._active is not None:
                raise CaptureError(
                    409, f'capture {self._active.identifier} is active: stop it before the next one'
                )
            if identifier in self._captures:
                raise CaptureError(
                    409, f'capture {identifier} exists: delete it or choose another name'
                )
            if len(self._captures) >= CAPTURES_KEPT:
                raise CaptureError(
                    409, f'{CAPTURES_KEPT} captures are kept: delete one of them first'
                )
            capture = Capture(identifier, self._topics, max_samples, self._real_clock_ns())
            # A collection in the middle of a capture would show as latency of the application.
            gc.collect()
            gc.disable()
            self._cpu_at_start_ns = self._cpu_clock_ns()
            self._captures[identifier] = capture
            self._active = capture
            return capture

    def stop(self, identifier: str) -> Capture:
        """End a capture; ending it again changes nothing.

        Raises:
            CaptureError: there is none of that name (404).
        """
        with self._lock:
            capture = self._find(identifier)
            if capture is self._active:
                capture.stopped_ns = self._real_clock_ns()
                capture.cpu_ns = self._cpu_clock_ns() - self._cpu_at_start_ns
                self._active = None
                gc.enable()
            return capture

    def state(self, identifier: str) -> dict[str, object]:
        """State of a capture.

        Raises:
            CaptureError: there is none of that name (404).
        """
        with self._lock:
            return self._find(identifier).state(self._cpu_clock_ns() - self._cpu_at_start_ns)

    def samples(self, identifier: str, topic: str) -> tuple[int, Iterator[memoryview]]:
        """Size in bytes and content of one topic's samples, as of now.

        Raises:
            CaptureError: there is no capture or topic of that name (404).
        """
        with self._lock:
            buffers = self._find(identifier).buffers
            if topic not in buffers:
                raise CaptureError(
                    404, f'topic {topic!r} is not recorded; choices: {list(buffers)}'
                )
            count = buffers[topic].count
            return count * SAMPLE_BYTES, buffers[topic].parts(count)

    def delete(self, identifier: str) -> None:
        """Forget a capture and free its memory.

        Raises:
            CaptureError: there is none of that name (404) or it is active (409).
        """
        with self._lock:
            if self._find(identifier) is self._active:
                raise CaptureError(409, f'capture {identifier} is active: stop it first')
            del self._captures[identifier]

    def _find(self, identifier: str) -> Capture:
        if identifier not in self._captures:
            raise CaptureError(
                404, f'there is no capture {identifier!r}; choices: {sorted(self._captures)}'
            )
        return self._captures[identifier]
