"""The threads that read while something is captured: on an absolute schedule, never in bursts."""

import sys
import threading
import time
from collections.abc import Callable, Sequence

from ros2bench_machine_reader.captures import Capture, Captures
from ros2bench_machine_reader.energy_counter import EnergyCounters
from ros2bench_machine_reader.machine_counters import MachineCounters
from ros2bench_machine_reader.pod_counters import PodCounters
from ros2bench_machine_reader.rails import known_totals, marked
from ros2bench_machine_reader.sources import Missing, Row, Source

SECOND_NS = 1_000_000_000
IDLE_WAIT_S = 1.0
LATE_PERIODS = 0.5
OLD_S = 2.0
ASKED_S = 90.0
LABEL_COLUMN = 2


class Schedule:
    """Due times at whole periods from an origin. Reading late moves no later reading.

    Attributes:
        due_ns: monotonic time of the next reading.
    """

    def __init__(self, period_ns: int, origin_ns: int) -> None:
        self.due_ns = origin_ns
        self._period_ns = period_ns

    def begun(self, now_ns: int) -> int:
        """Say that the due reading begins now.

        Returns:
            Readings that are late or left out: a beginning after half a period is late, and what
            was due before now is not made up for.
        """
        periods_late = (now_ns - self.due_ns) / self._period_ns
        skipped = max(0, int(periods_late))
        self.due_ns += (skipped + 1) * self._period_ns
        return skipped + (periods_late - skipped > LATE_PERIODS)


class Reading:
    """One thread that reads when it is due, for as long as there are captures.

    Attributes:
        turned_s: monotonic time at which the thread last showed that it lives.
    """

    def __init__(
        self,
        name: str,
        captures: Captures,
        period_s: float,
        read: Callable[[Sequence[Capture]], None],
        *,
        is_timed: bool = False,
        is_asked: Callable[[], bool] = lambda: False,
        monotonic_clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Prepare the thread.

        Args:
            name: of the thread.
            captures: what is wanted.
            period_s: time between two readings.
            read: reads once and adds rows to the captures that it is given.
            is_timed: whether late and long readings are told by the captures.
            is_asked: whether somebody wants to know although nothing is captured.
            monotonic_clock_ns: clock of the schedule.
        """
        self.turned_s = time.monotonic()
        self._name = name
        self._is_timed = is_timed
        self._is_asked = is_asked
        self._captures = captures
        self._period_ns = round(period_s * SECOND_NS)
        self._read = read
        self._clock_ns = monotonic_clock_ns
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, limit_s: float = 1.0) -> None:
        """End after the reading that is going on, or leave it behind if it hangs."""
        self._stopping.set()
        with self._captures.changed:
            self._captures.changed.notify_all()
        self._thread.join(limit_s)

    def _run(self) -> None:
        schedule = None
        while not self._stopping.is_set():
            self.turned_s = time.monotonic()
            active = self._captures.active()
            if not active and not self._is_asked():
                schedule = None
                self._wait_for_captures()
                continue
            now_ns = self._clock_ns()
            if schedule is None:
                schedule = Schedule(self._period_ns, now_ns)
            if now_ns < schedule.due_ns:
                self._stopping.wait((schedule.due_ns - now_ns) / SECOND_NS)
                continue
            self._once(active, schedule.begun(now_ns), now_ns)

    def _once(self, active: Sequence[Capture], late: int, begun_ns: int) -> None:
        try:
            self._read(active)
        except (OSError, ValueError) as error:
            for capture in active:
                count = capture.failed_reads.get(self._name, 0)
                capture.failed_reads[self._name] = count + 1
            print(f'{self._name} could not be read: {error}', file=sys.stderr)
        if self._is_timed:
            took_ns = self._clock_ns() - begun_ns
            for capture in active:
                capture.late_reads += late
                capture.longest_read_ns = max(capture.longest_read_ns, took_ns)

    def _wait_for_captures(self) -> None:
        with self._captures.changed:
            if not self._stopping.is_set():
                self._captures.changed.wait(IDLE_WAIT_S)


def read_kernel(
    captures: Captures, pods: PodCounters, machine: MachineCounters, period_s: float
) -> Callable[[Sequence[Capture]], None]:
    """What reads containers, processes and the machine, once for all captures that are due.

    Args:
        captures: where rows go.
        pods: reads the first two kinds.
        machine: reads the third.
        period_s: time between two readings; a capture is due at the nearest one.
    """
    tolerance_ns = round(period_s * SECOND_NS / 2)

    def read(active: Sequence[Capture]) -> None:
        now_ns = time.monotonic_ns()
        due = [capture for capture in active if capture.falls_due(now_ns, tolerance_ns)]
        if not due:
            return
        wanted = frozenset().union(*(capture.pods for capture in active))
        of_pods = pods.read(wanted)
        of_machine = machine.read(time.time_ns(), time.monotonic_ns())
        rows = {**of_pods, machine.kind: of_machine}
        missing = {**pods.missing, machine.kind: machine.missing}
        for capture in due:
            for kind, found in rows.items():
                captures.add(capture, kind, found)
                captures.note_columns(capture, kind, missing[kind])

    return read


class Newest:
    """The newest rows of sources that give each row once, for whoever asks beside the captures.

    Attributes:
        energy: counters made of every row of kind `power`.
    """

    def __init__(self, monotonic_clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = monotonic_clock_s
        self._asked_s = -ASKED_S
        self._rows: dict[tuple[str, str], tuple[float, Row]] = {}
        self._totals: frozenset[str] = frozenset()
        self.energy = EnergyCounters()

    def note(self, kind: str, rows: Sequence[Row]) -> None:
        """Keep the newest row of each rail or board."""
        if kind == 'power':
            self.energy.note(rows)
            self._totals = known_totals(self._totals, rows)
        for row in rows:
            self._rows[kind, str(row[LABEL_COLUMN])] = (self._clock_s(), row)

    def rows(self, kind: str) -> list[Row]:
        """Rows of a kind that are not old; asking keeps the sources awake for a while.

        Rails of power are marked as the machine's total only where all that make it up are told.
        """
        now_s = self._clock_s()
        self._asked_s = now_s
        found = list(self._rows.items())
        rows = [row for (of, _), (at_s, row) in found if of == kind and now_s - at_s <= OLD_S]
        return marked(rows, self._totals) if kind == 'power' else rows

    def is_asked(self) -> bool:
        """Whether somebody has asked lately."""
        return self._clock_s() - self._asked_s < ASKED_S


def read_source(
    captures: Captures, source: Source, newest: Newest
) -> Callable[[Sequence[Capture]], None]:
    """What reads one further source, whose rows every capture gets."""

    def read(active: Sequence[Capture]) -> None:
        found = source.read(time.time_ns(), time.monotonic_ns())
        if isinstance(found, Missing):
            for capture in active:
                captures.note_missing(capture, source.kind, found.reason)
            return
        newest.note(source.kind, found)
        for capture in active:
            captures.add(capture, source.kind, found)

    return read
