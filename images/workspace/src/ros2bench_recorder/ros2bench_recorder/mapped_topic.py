"""Reads messages of one topic for its metrics, a few a second, away from the drain loop.

The drain loop hands every message over and does nothing else; a thread of its own takes as many as
may be read, the newest ones, and turns them into values. Needs no ROS.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ros2bench_recorder.field_reader import Read, Unreadable, make_reader
from ros2bench_recorder.mapped_series import MappedSeries
from ros2bench_recorder.mapping import MappedValue, Mapping, Problem
from ros2bench_telemetry.json_lines import say

Deserialise = Callable[[bytes], Any]
LEAST_TICK_S = 0.01
LONGEST_TICK_S = 1.0


class MappedTopic:
    """One topic, all its mappings together, so that a message is deserialised once.

    Attributes:
        offer: takes a serialised message; called by the drain loop, costs what appending to a
            queue costs.
    """

    def __init__(self, mappings: Sequence[Mapping], deserialise: Deserialise, now_s: float) -> None:
        """Begin without a message.

        Args:
            mappings: at least one, all of the same topic, checked against its type.
            deserialise: makes a message of the bytes.
            now_s: monotonic seconds.
        """
        self.name = mappings[0].topic
        self.rate_hz = max(mapping.max_rate_hz for mapping in mappings)
        self.problem: str | None = None
        self.messages_read = 0
        self._deserialise = deserialise
        self._parts: list[tuple[Read, MappedSeries]] = [
            (make_reader(value), MappedSeries(self.name, value, mapping.max_series))
            for mapping in mappings
            for value in mapping.values
        ]
        self._most = max(1, math.ceil(self.rate_hz))
        self._waiting: deque[bytes] = deque(maxlen=self._most)
        self._credit = float(self._most)
        self._turned_s = now_s
        self._guard = threading.Lock()
        self.offer: Callable[[bytes], None] = self._waiting.append

    def turn(self, now_s: float) -> int:
        """Read what may be read now; the newest messages where there are more.

        Args:
            now_s: monotonic seconds.

        Returns:
            How many messages were read.
        """
        earned = (now_s - self._turned_s) * self.rate_hz
        self._credit = min(float(self._most), self._credit + earned)
        self._turned_s = now_s
        may = int(self._credit)
        if not may or self.problem:
            return 0
        for _ in range(len(self._waiting) - may):
            self._waiting.popleft()
        count = 0
        while count < may and self._waiting:
            self._read(self._waiting.popleft(), now_s)
            count += 1
            # Whoever waits for the interpreter, the drain loop above all, comes first.
            time.sleep(0)
        self._credit -= count
        self.messages_read += count
        return count

    def _read(self, serialised: bytes, now_s: float) -> None:
        try:
            message = self._deserialise(serialised)
        except (RuntimeError, ValueError, AssertionError, MemoryError) as error:
            with self._guard:
                for _, series in self._parts:
                    series.fail(f'a message cannot be deserialised: {error}')
            return
        with self._guard:
            for read, series in self._parts:
                _read_one(read, series, message, now_s)

    def break_off(self, sentence: str) -> None:
        """Read no more, because reading failed in a way that nobody foresaw."""
        with self._guard:
            self.problem = sentence
            for _, series in self._parts:
                series.fail(sentence)

    def metrics(self, now_s: float) -> list[tuple[MappedValue, list[str], int, int]]:
        """Of each metric: what it is, its lines, errors, and values dropped.

        Args:
            now_s: monotonic seconds.
        """
        with self._guard:
            return [
                (series.value, series.lines(now_s), series.errors, series.dropped)
                for _, series in self._parts
            ]

    def status(self) -> dict[str, Any]:
        """What `/v1/status` says of the topic."""
        with self._guard:
            said = [self.problem, *(series.problem for _, series in self._parts)]
            return {
                'topic': self.name,
                'problem': next((sentence for sentence in said if sentence), None),
                'series': sum(len(series) for _, series in self._parts),
            }


class MappingReader:
    """The thread that turns all mapped topics."""

    def __init__(self, topics: Sequence[MappedTopic]) -> None:
        self._topics = topics
        fastest_hz = max((topic.rate_hz for topic in topics), default=1.0)
        self._tick_s = min(LONGEST_TICK_S, max(LEAST_TICK_S, 1 / fastest_hz))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name='mappings', daemon=True)

    def start(self) -> None:
        """Begin, if there is something to read."""
        if self._topics:
            self._thread.start()

    def stop(self, limit_s: float) -> None:
        """End after the message that is being read."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(limit_s)

    def _run(self) -> None:
        while not self._stopping.wait(self._tick_s):
            for topic in self._topics:
                _turn(topic)


def _read_one(read: Read, series: MappedSeries, message: Any, now_s: float) -> None:
    try:
        series.take(read(message), now_s)
    except Unreadable as error:
        series.fail(str(error))


def _turn(topic: MappedTopic) -> None:
    try:
        topic.turn(time.monotonic())
    except Exception as error:  # noqa: BLE001 (what one topic does must end no other's reading)
        sentence = f'reading ended: {type(error).__name__}: {error}'
        say('ERROR', f'{topic.name}: {sentence}', logger='mappings')
        topic.break_off(sentence)


def problem_status(problem: Problem) -> dict[str, Any]:
    """What `/v1/status` says of a mapping that cannot be used."""
    return {'topic': problem.topic, 'problem': problem.sentence, 'series': 0}
