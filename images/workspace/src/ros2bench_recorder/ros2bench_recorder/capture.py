"""One capture: its samples in a file, its counts in memory, its state beside the file.

In the folder of a capture are `rows` (the samples of all topics in the order of arrival, one file
because each costs a call to the disk every second) and `state.json`, replaced with every flush.
Needs no ROS.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ros2bench_recorder.gaps import Gaps
from ros2bench_recorder.sample import ROW, ROW_BYTES, ROW_COLUMNS, Sample, SampleRow
from ros2bench_service.capture_file import (
    AppendFile,
    ByteBudget,
    read_state,
    whole_rows,
    write_state,
)

TAKEN = Sample._fields.index('taken_ns')
ROWS_FILE = 'rows'
STATE_FILE = 'state.json'
READ_BYTES = ROW_BYTES * 14_336


@dataclass(frozen=True)
class Effort:
    """What the recorder has spent: on the processor, and in the drain loop outside its waits.

    `drain_busy_ns` is -1 where the loop cannot tell.
    """

    cpu_ns: int = 0
    drain_busy_ns: int = 0

    def since(self, earlier: 'Effort') -> 'Effort':
        """Difference to an earlier reading."""
        unknown = -1 in {self.drain_busy_ns, earlier.drain_busy_ns}
        busy_ns = -1 if unknown else self.drain_busy_ns - earlier.drain_busy_ns
        return Effort(self.cpu_ns - earlier.cpu_ns, busy_ns)

    def plus(self, other: 'Effort') -> 'Effort':
        """Sum of two readings."""
        unknown = -1 in {self.drain_busy_ns, other.drain_busy_ns}
        busy_ns = -1 if unknown else self.drain_busy_ns + other.drain_busy_ns
        return Effort(self.cpu_ns + other.cpu_ns, busy_ns)


@dataclass(frozen=True)
class CaptureHead:
    """What is fixed when a capture begins."""

    identifier: str
    topics: tuple[str, ...]
    max_samples: int
    started_ns: int


class Capture:
    """One capture. Its owner sees to it that `add` is never called by two threads at once."""

    def __init__(self, folder: Path, head: CaptureHead, budget: ByteBudget) -> None:
        """Open the file in a folder; what it holds already is read.

        Raises:
            OSError: the disk refuses it.
        """
        self.head = head
        self.stopped_ns: int | None = None
        self.gaps = Gaps()
        self.dropped = [0] * len(head.topics)
        self.counts = [0] * len(head.topics)
        self.effort_before = Effort()
        self.effort = Effort()
        self._folder = folder
        self._flushed_ns = head.started_ns
        self._first: list[SampleRow | None] = [None] * len(head.topics)
        self._last: list[SampleRow | None] = [None] * len(head.topics)
        # Of each topic: rows seen before a position in the file, so that fetching goes on there.
        self._cursors: dict[int, tuple[int, int]] = {}
        self._file = AppendFile(folder / ROWS_FILE, budget, whole_rows(ROW_BYTES))
        self._count_rows()

    @classmethod
    def recover(cls, folder: Path, budget: ByteBudget) -> 'Capture | None':
        """A capture that an earlier process has left behind; None if it had not begun yet.

        Raises:
            OSError: the disk refuses it.
        """
        state = read_state(folder / STATE_FILE)
        if state is None:
            return None
        head = CaptureHead(
            state['capture'], tuple(state['topics']), state['max_samples'], state['started_ns']
        )
        capture = cls(folder, head, budget)
        capture.dropped = [state['dropped'][topic] for topic in head.topics]
        capture.effort_before = Effort(state['cpu_ns'], state['drain_busy_ns'])
        capture.effort = capture.effort_before
        capture.stopped_ns = state['stopped_ns']
        capture.gaps = Gaps(state['gaps'])
        capture._flushed_ns = state['flushed_ns']
        if capture.stopped_ns is None:
            heard = [number for number, count in enumerate(capture.counts) if count]
            capture.gaps.begin(capture._flushed_ns, heard)
        return capture

    def add(self, topic: int, sample: SampleRow) -> None:
        """Keep a sample, or count it as dropped where it does not fit."""
        if self.gaps.is_open:
            self.gaps.hear(topic, sample[TAKEN])
        count = self.counts[topic]
        if count >= self.head.max_samples or not self._file.append(ROW.pack(topic, *sample)):
            self.dropped[topic] += 1
            return
        if count == 0:
            self._first[topic] = sample
        self._last[topic] = sample
        self.counts[topic] = count + 1

    def flush(self, heard_until_ns: int, *, durable: bool = False) -> None:
        """Write what waits, and the state.

        Args:
            heard_until_ns: real time before which all that had arrived has been added.
            durable: make the state durable too, not only the samples.

        Raises:
            OSError: the disk refuses the state.
        """
        if self._file.flush():
            self._flushed_ns = max(self._flushed_ns, heard_until_ns)
        write_state(self._folder / STATE_FILE, self._stored(), durable=durable)

    def answer(self, now_ns: int) -> dict[str, Any]:
        """State as the HTTP interface tells it."""
        topics = self.head.topics
        return {
            'capture': self.head.identifier,
            'active': self.stopped_ns is None,
            'started_ns': self.head.started_ns,
            'stopped_ns': self.stopped_ns,
            'samples': dict(zip(topics, self.counts, strict=True)),
            'first': dict(zip(topics, self._first, strict=True)),
            'last': dict(zip(topics, self._last, strict=True)),
            'dropped': dict(zip(topics, self.dropped, strict=True)),
            'gaps': self.gaps.listed(now_ns),
            'bytes': self._file.size_bytes,
            'disk_error': self._file.error,
            'cpu_ns': self.effort.cpu_ns,
            'drain_busy_ns': self.effort.drain_busy_ns,
        }

    def _stored(self) -> dict[str, Any]:
        topics = self.head.topics
        return {
            'capture': self.head.identifier,
            'topics': topics,
            'max_samples': self.head.max_samples,
            'started_ns': self.head.started_ns,
            'stopped_ns': self.stopped_ns,
            'flushed_ns': self._flushed_ns,
            'dropped': dict(zip(topics, self.dropped, strict=True)),
            'gaps': self.gaps.listed(self._flushed_ns),
            'cpu_ns': self.effort.cpu_ns,
            'drain_busy_ns': self.effort.drain_busy_ns,
        }

    def rows(self, topic: int, offset: int, count: int) -> Iterator[bytes]:
        """Samples of a topic as little-endian rows of eight columns.

        Args:
            topic: number of the topic.
            offset: first row, counted among those of the topic.
            count: how many; the topic must have them.

        Raises:
            OSError: the disk cannot be read, or the capture was deleted meanwhile.
        """
        if count == 0:
            return
        seen, position = self._cursors.get(topic, (0, 0))
        if seen > offset:
            seen, position = 0, 0
        end = offset + count
        while seen < end:
            block = self._file.read(position, READ_BYTES)
            if not block:
                raise OSError(f'row {seen} of {self.head.topics[topic]} is not in the file')
            table = _table(block)
            mine = table[table[:, 0] == topic, 1:]
            wanted = mine[max(0, offset - seen) : end - seen]
            if len(wanted):
                yield wanted.tobytes()
            if seen + len(mine) > end:
                return
            seen, position = seen + len(mine), position + len(block)
            self._cursors[topic] = (seen, position)

    def close(self) -> None:
        """Write what waits and close the file."""
        self._file.close()

    def remove(self) -> None:
        """Delete everything.

        Raises:
            OSError: the disk refuses it.
        """
        self._file.remove(self._folder / ROWS_FILE)
        shutil.rmtree(self._folder)

    def _count_rows(self) -> None:
        position = 0
        while block := self._file.read(position, READ_BYTES):
            position += len(block)
            table = _table(block)
            for number in range(len(self.head.topics)):
                mine = table[table[:, 0] == number, 1:]
                if not len(mine):
                    continue
                if self._first[number] is None:
                    self._first[number] = _sample(mine[0])
                self._last[number] = _sample(mine[-1])
                self.counts[number] += len(mine)


def _table(block: bytes) -> Any:
    return np.frombuffer(block, dtype='<i8').reshape(-1, ROW_COLUMNS)


def _sample(row: Sequence[Any]) -> Sample:
    return Sample._make(int(value) for value in row)
