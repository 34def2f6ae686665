"""The series of one mapped metric of one topic: what messages have said last. Needs no ROS.

A value that cannot be read takes the series away that it would have changed, so that no old number
stands for a new one; what has been counted stays counted.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from ros2bench_recorder.field_reader import LONGEST_LABEL, Found, Labels, Value
from ros2bench_recorder.mapping import MappedValue
from ros2bench_service.exposition import HistogramLines, labels_text, number_text
from ros2bench_telemetry.json_lines import say

# A label set that messages no longer name ends after as long as Prometheus remembers a series.
FORGOTTEN_S = 300.0
# Kinds whose first series is known to be at zero: what a `counter` counts was counted before, too.
FROM_ZERO = ('events', 'histogram')


class Series(Protocol):
    """One series. `used_s` is when a message named it last.

    Attributes:
        used_s: monotonic seconds.
        keeps: whether it stays when a value cannot be read.
    """

    used_s: float
    keeps: bool

    def add(self, value: 'int | float | str') -> bool:
        """Take a value; False where it makes no sense."""
        ...

    def lines(self) -> Sequence[str]:
        """What Prometheus reads, without HELP and TYPE."""
        ...


class Newest:
    """The last value: of a gauge, and of a field that counts already."""

    keeps = False

    def __init__(self, prefix: str, *, counts: bool) -> None:
        self.used_s = 0.0
        self._prefix = prefix
        self._counts = counts
        self._value: float = 0.0

    def add(self, value: 'int | float | str') -> bool:
        """Take a value; a counter that is below zero is none."""
        if isinstance(value, str) or (self._counts and value < 0):
            return False
        self._value = value
        return True

    def lines(self) -> Sequence[str]:
        """The value."""
        return (f'{self._prefix}{number_text(self._value)}',)


class Changes:
    """Counts how often a flag was raised, or how often a value became another one.

    What the first message says is no change: nobody saw what was before.
    """

    keeps = True

    def __init__(self, prefix: str) -> None:
        self.used_s = 0.0
        self._prefix = prefix
        self._count = 0
        self._before: int | float | str | None = None

    def add(self, value: 'int | float | str') -> bool:
        """Take a value."""
        changed = self._before is not None and value != self._before
        if changed and (value is True or not isinstance(value, bool)):
            self._count += 1
        self._before = value
        return True

    def lines(self) -> Sequence[str]:
        """The count."""
        return (f'{self._prefix}{self._count}',)


class Distribution:
    """A histogram of the values that were read."""

    keeps = True

    def __init__(self, lines: HistogramLines, bounds: Sequence[float]) -> None:
        self.used_s = 0.0
        self._lines = lines
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: 'int | float | str') -> bool:
        """Take a value."""
        if isinstance(value, str):
            return False
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value
        return True

    def lines(self) -> Sequence[str]:
        """Buckets, sum and count."""
        return self._lines.lines(self._counts, self._sum)


class MappedSeries:
    """All series of one metric of one topic. Its owner sees to it that one thread at a time asks.

    Attributes:
        errors: values that could not be read.
        dropped: values of label sets above the limit.
        problem: the last error in words.
    """

    def __init__(self, topic: str, value: MappedValue, most: int) -> None:
        """Begin without a message.

        What is counted here begins at zero, where no label has to be read for it: Prometheus sees
        what a series gains, and a series that is born with its first value gains nothing by it.

        Args:
            topic: its name, the first label of all series.
            value: the metric.
            most: most series at a time.
        """
        self.value = value
        self.errors = 0
        self.dropped = 0
        self.problem: str | None = None
        self._topic = topic
        self._most = most
        begins = value.kind in FROM_ZERO and not value.labels
        self._series: dict[Labels, Series] = {(): self._made(())} if begins else {}
        # The series of one list of labels, so that the next values find them at once.
        self._row: list[Series] = []
        self._row_labels: Sequence[Labels] | None = None

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._series)

    def take(self, found: Found, now_s: float) -> None:
        """Take what a message says.

        Args:
            found: labels of each series, and its value; None: it could not be read.
            now_s: monotonic seconds.
        """
        names, values = found
        if self.value.kind == 'state':
            self._take_state(values, now_s)
            return
        if names is self._row_labels and None not in values:
            self._take_row(names, values, now_s)
            return
        seen: set[Labels] = set()
        for labels, value in zip(names, values, strict=True):
            if labels in seen:
                self._refuse(labels, f'two elements have the labels {list(labels)}')
                continue
            seen.add(labels)
            self._take(labels, value, now_s)
        row = [self._series[labels] for labels in names if labels in self._series]
        if len(row) == len(seen) == len(names):
            self._row, self._row_labels = row, names

    def _take_row(self, names: Sequence[Labels], values: Sequence[Value], now_s: float) -> None:
        for position, series in enumerate(self._row):
            value = values[position]
            series.used_s = now_s
            if not series.add(value):
                self._refuse(names[position], f'{self.value.field.text} is {value!r}')

    def fail(self, sentence: str) -> None:
        """Say that a message could not be read at all."""
        self.errors += 1
        self._tell(sentence)
        for labels in [labels for labels, series in self._series.items() if not series.keeps]:
            self._end(labels)

    def lines(self, now_s: float) -> list[str]:
        """What Prometheus reads, without HELP and TYPE; forgotten label sets end here."""
        self._forget(now_s)
        return [line for series in self._series.values() for line in series.lines()]

    def _forget(self, now_s: float) -> None:
        # While the whole topic is silent nothing says that a series has ended.
        newest_s = max((series.used_s for series in self._series.values()), default=now_s)
        old = [
            labels
            for labels, series in self._series.items()
            if newest_s - series.used_s > FORGOTTEN_S
        ]
        for labels in old:
            self._end(labels)

    def _end(self, labels: Labels) -> None:
        self._series.pop(labels, None)
        self._row_labels = None

    def _take(self, labels: Labels, value: Value, now_s: float) -> None:
        if value is None and self.value.may_be_nan:
            self._end(labels)
            return
        if value is None or any(len(label) > LONGEST_LABEL for label in labels):
            self._refuse(
                labels, f'{self.value.field.text} is no finite number, or a label too long'
            )
            return
        series = self._series.get(labels)
        if series is None:
            if len(self._series) >= self._most:
                self._forget(now_s)
            if len(self._series) >= self._most:
                self.dropped += 1
                return
            series = self._series[labels] = self._made(labels)
        series.used_s = now_s
        if not series.add(value):
            self._refuse(labels, f'{self.value.field.text} is {value!r}')

    def _take_state(self, states: Sequence[Value], now_s: float) -> None:
        """Every state that was has a series; that of now is 1."""
        for series in self._series.values():
            series.add(0)
        for state in states:
            if state is None:
                self.fail(f'{self.value.field.text} is too long for a label')
            else:
                self._take((str(state),), 1, now_s)

    def _refuse(self, labels: Labels, sentence: str) -> None:
        self.errors += 1
        self._tell(sentence)
        series = self._series.get(labels)
        if series is not None and not series.keeps:
            self._end(labels)

    def _tell(self, sentence: str) -> None:
        """Say in the log what is wrong, the first, tenth and hundredth time."""
        self.problem = f'{self.value.name}: {sentence}'
        if str(self.errors).strip('0') == '1':
            message = f'{self._topic}: {self.problem}; errors so far: {self.errors}'
            say('WARNING', message, logger='mappings')

    def _made(self, labels: Labels) -> Series:
        value = self.value
        names = ('state',) if value.kind == 'state' else tuple(value.labels)
        named = {'topic': self._topic, **dict(zip(names, labels, strict=True))}
        if value.kind == 'histogram':
            return Distribution(HistogramLines(value.name, value.buckets, named), value.buckets)
        prefix = f'{value.name}{labels_text(named)} '
        if value.kind == 'events':
            return Changes(prefix)
        return Newest(prefix, counts=value.kind == 'counter')
