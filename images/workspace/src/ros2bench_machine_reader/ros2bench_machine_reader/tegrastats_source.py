"""Power and GPU of a Jetson from the lines of tegrastats.

A row has the time at which its line arrived, so nothing is repeated and a gap stays a gap. A line
is believed only if its rails have the names and forms of the line before: one that was cut in the
middle of a number differs.
"""

from collections import Counter
from collections.abc import Sequence

from ros2bench_machine_reader.board_facts import Clocked, Facts
from ros2bench_machine_reader.rails import total_rails
from ros2bench_machine_reader.sources import Missing, Row
from ros2bench_machine_reader.tegrastats import NOT_CONNECTED, Line, parse_line
from ros2bench_machine_reader.tegrastats_process import TegrastatsProcess, TimedLine

NO_RAILS = 'tegrastats_without_rails'
NO_GPU = 'tegrastats_without_gpu'
FROZEN = 'tegrastats_frozen'
IRREGULAR = 'irregular_line'
UNKNOWN = 'unknown_piece'
FROZEN_AFTER_NS = 5_000_000_000
GPU = 'gpu0'
MEMORY_CONTROLLER = 'EMC'
HERTZ_PER_MHZ = 1_000_000


def power_rows(line: Line, time_ns: int, monotonic_ns: int) -> list[Row]:
    """Rows of one line: rails that are connected and whose name is theirs alone."""
    counts = Counter(rail.name for rail in line.rails)
    rails = [rail for rail in line.rails if rail.name != NOT_CONNECTED and counts[rail.name] == 1]
    totals = total_rails([rail.name for rail in rails])
    return [
        (time_ns, monotonic_ns, rail.name, rail.power_mw / 1000, None, rail.name in totals)
        for rail in rails
    ]


def gpu_rows(line: Line, time_ns: int, monotonic_ns: int) -> list[Row]:
    """Row of one line. The GPU shares the machine's memory, so it has none of its own to tell."""
    engine = line.engine('GR3D')
    if engine is None or not engine.is_on:
        return []
    busy = _ratio(engine.load_percent)
    sensor = line.temperature('GPU')
    clock_hz = max(engine.clocks_mhz) * HERTZ_PER_MHZ if engine.clocks_mhz else None
    celsius = None if sensor is None else sensor.celsius
    return [(time_ns, monotonic_ns, GPU, busy, None, None, celsius, clock_hz)]


def cores(line: Line) -> dict[str, Clocked]:
    """Clock and load of the processor cores that are on, by number."""
    return {
        str(number): Clocked(core.clock_mhz * HERTZ_PER_MHZ, _ratio(core.load_percent))
        for number, core in enumerate(line.cores)
        if core is not None
    }


def memory_controllers(line: Line) -> dict[str, Clocked]:
    """Clock and load of the memory controller, under its name; nothing where it tells neither."""
    engine = line.engine(MEMORY_CONTROLLER)
    if engine is None or not engine.is_on:
        return {}
    clock_hz = max(engine.clocks_mhz) * HERTZ_PER_MHZ if engine.clocks_mhz else None
    return {MEMORY_CONTROLLER: Clocked(clock_hz, _ratio(engine.load_percent))}


def _ratio(percent: int | None) -> float | None:
    return percent / 100 if percent is not None and percent <= 100 else None


def temperatures_c(line: Line) -> dict[str, float]:
    """Temperatures of the sensors that have power and whose name is theirs alone."""
    counts = Counter(sensor.name for sensor in line.temperatures)
    return {
        sensor.name: sensor.celsius
        for sensor in line.temperatures
        if sensor.celsius is not None and counts[sensor.name] == 1
    }


class LineGuard:
    """Tells which lines can be believed, from one to the next."""

    def __init__(self) -> None:
        self._known: object = None
        self._candidate: object = None
        self._stamp: str | None = None
        self._stamp_since_ns = 0

    def is_regular(self, line: Line) -> bool:
        """Tell whether the rails look as they did: as known, or as in the line before."""
        shape = line.shape
        if shape not in (self._known, self._candidate):
            self._candidate = shape
            return False
        self._known = shape
        return True

    def is_frozen(self, line: Line, monotonic_ns: int) -> bool:
        """Tell whether the time that the line prints has stood still for five seconds."""
        if line.stamp is None or line.stamp != self._stamp:
            self._stamp, self._stamp_since_ns = line.stamp, monotonic_ns
            return False
        return monotonic_ns - self._stamp_since_ns > FROZEN_AFTER_NS


class TegrastatsSource:
    """Rows of one kind; both kinds read the same program."""

    name = 'tegrastats'

    def __init__(self, kind: str, process: TegrastatsProcess) -> None:
        self.kind = kind
        self._rows = power_rows if kind == 'power' else gpu_rows
        self._empty = NO_RAILS if kind == 'power' else NO_GPU
        self._process = process
        self.facts: Facts | None = None
        self._guard = LineGuard()
        self._number = 0
        self._problems: Counter[str] = Counter()

    @property
    def problems(self) -> dict[str, int]:
        """What could not be used, of the program and of its lines, counted by reason."""
        return {**self._process.problems, **self._problems}

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Rows of the lines that came since the last call, with the times of the lines."""
        _ = time_ns, monotonic_ns
        lines = self._process.after(self._number)
        if not lines:
            reason = self._process.missing
            return [] if reason is None else Missing(reason)
        self._number = lines[-1].number
        rows: list[Row] = []
        reason = None
        for timed in lines:
            found = self._rows_of(timed)
            if isinstance(found, Missing):
                reason = found
            else:
                rows += found
        return rows if rows or reason is None else reason

    def _rows_of(self, timed: TimedLine) -> list[Row] | Missing:
        line = parse_line(timed.text)
        self._problems[UNKNOWN] += len(line.unknown)
        if not self._guard.is_regular(line):
            self._problems[IRREGULAR] += 1
            return []
        if self._guard.is_frozen(line, timed.monotonic_ns):
            return Missing(FROZEN)
        self.facts = Facts(
            timed.time_ns,
            timed.monotonic_ns,
            temperatures_c=temperatures_c(line),
            cores=cores(line),
            memory_controllers=memory_controllers(line),
        )
        return self._rows(line, timed.time_ns, timed.monotonic_ns) or Missing(self._empty)

    def close(self) -> None:
        """End the program."""
        self._process.close()
