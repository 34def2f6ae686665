"""All captures: what each wants, what it has got, and how it goes on after a restart."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ros2bench_machine_reader.cgroup_tree import UID
from ros2bench_machine_reader.routing import CallRefused
from ros2bench_machine_reader.rows_file import RowsFile
from ros2bench_machine_reader.sources import COLUMNS, Absent, Row
from ros2bench_service.capture_file import ByteBudget, read_state, write_state
from ros2bench_telemetry.json_lines import run_of, say

ID = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,127}')
MOST_CAPTURES = 64
MOST_PODS = 256
LONGEST_S = 86_400
SECOND_NS = 1_000_000_000
STATE_FILE = 'capture.json'
POD_COLUMN = 2
OF_PODS = frozenset({'containers', 'processes'})


@dataclass
class Capture:
    """One capture.

    Attributes:
        pods: UIDs whose containers and processes are wanted.
        period_ns: time between two readings of the kernel's counters.
        ends_ns: real time at which it ends by itself.
        gaps: spans of real time in which this program did not run.
        alive_ns: real time up to which its rows were safely written.
        dropped_before: rows of each kind that earlier processes had no room for.
        cpu_before_ns: processor time that earlier processes have spent on it.
        missing: why a whole kind is missing, or was at times.
        missing_columns: for each kind, why a column is None.
        due_ns: monotonic time of its next reading; None before the first.
        is_unsaved: it has ended since its state was last written.
    """

    identifier: str
    folder: Path
    pods: frozenset[str]
    period_ns: int
    started_ns: int
    ends_ns: int
    stopped_ns: int | None = None
    gaps: list[list[int]] = field(default_factory=list)
    late_reads: int = 0
    longest_read_ns: int = 0
    failed_reads: dict[str, int] = field(default_factory=dict)
    alive_ns: int = 0
    cpu_before_ns: int = 0
    cpu_at_start_ns: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    missing_columns: dict[str, dict[str, str]] = field(default_factory=dict)
    dropped_before: Mapping[str, int] = field(default_factory=dict)
    files: dict[str, RowsFile] = field(default_factory=dict)
    due_ns: int | None = None
    is_unsaved: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it still wants rows."""
        return self.stopped_ns is None

    def cpu_ns(self, now_ns: int) -> int:
        """Processor time of this program while it was active."""
        return self.cpu_before_ns + (now_ns - self.cpu_at_start_ns if self.is_active else 0)

    def falls_due(self, now_ns: int, tolerance_ns: int) -> bool:
        """Whether a reading of now is for it; its next one is due a period after this one was."""
        if self.due_ns is None:
            self.due_ns = now_ns
        if self.due_ns > now_ns + tolerance_ns:
            return False
        periods = (now_ns + tolerance_ns - self.due_ns) // self.period_ns + 1
        self.due_ns += periods * self.period_ns
        return True

    def state(self, cpu_now_ns: int) -> dict[str, Any]:
        """What the HTTP interface tells of it."""
        return {
            'capture': self.identifier,
            'active': self.is_active,
            'started_ns': self.started_ns,
            'stopped_ns': self.stopped_ns,
            'rows': {kind: file.count for kind, file in self.files.items()},
            'dropped': {kind: file.dropped for kind, file in self.files.items()},
            'gaps': self.gaps,
            'late_reads': self.late_reads,
            'longest_read_ns': self.longest_read_ns,
            'failed_reads': self.failed_reads,
            'cpu_ns': self.cpu_ns(cpu_now_ns),
        }

    def kept(self, cpu_now_ns: int) -> dict[str, Any]:
        """What a later process needs to go on."""
        return {
            **self.state(cpu_now_ns),
            'pods': sorted(self.pods),
            'period_ns': self.period_ns,
            'ends_ns': self.ends_ns,
            'alive_ns': self.alive_ns,
            'missing': self.missing,
            'missing_columns': self.missing_columns,
        }


class Captures:
    """Every capture in a folder. The reading threads add, the HTTP threads ask."""

    def __init__(
        self,
        folder: Path,
        folder_bytes: int,
        shortest_period_s: float,
        absent: Sequence[Absent] = (),
        *,
        real_clock_ns: Callable[[], int] = time.time_ns,
        cpu_clock_ns: Callable[[], int] = time.process_time_ns,
    ) -> None:
        """Take up what an earlier process has left in the folder.

        Args:
            folder: where captures are kept.
            folder_bytes: most that their rows may take.
            shortest_period_s: time between two readings of the threads that read.
            absent: kinds that the machine does not offer.
            real_clock_ns: real-time clock.
            cpu_clock_ns: processor time of this program.

        Raises:
            OSError: the folder cannot be used.
        """
        self._folder = folder
        self._budget = ByteBudget(folder_bytes)
        self._shortest_period_s = shortest_period_s
        self._absent = tuple(absent)
        self._real_clock_ns = real_clock_ns
        self._cpu_clock_ns = cpu_clock_ns
        self._captures: dict[str, Capture] = {}
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        folder.mkdir(parents=True, exist_ok=True)
        for state_file in sorted(folder.glob(f'*/{STATE_FILE}')):
            self._take_up(state_file)

    def active(self) -> list[Capture]:
        """Captures that want rows, after those whose time is over have been ended."""
        with self._lock:
            now_ns = self._real_clock_ns()
            for capture in self._captures.values():
                if capture.is_active and now_ns >= capture.ends_ns:
                    self._end(capture)
            return [capture for capture in self._captures.values() if capture.is_active]

    def start(self, content: Mapping[str, Any]) -> Capture:
        """Begin a capture.

        Args:
            content: `capture`, `pods`, `period_s` and `max_s` of the call.

        Raises:
            CallRefused: a value cannot be used (400), the name is taken or too many are kept (409),
                or the disk refuses it (507).
        """
        identifier = _identifier(content['capture'])
        period_s = _number(content['period_s'], 'period_s', self._shortest_period_s, 60.0)
        longest_s = _number(content['max_s'], 'max_s', period_s, LONGEST_S)
        with self._lock:
            if identifier in self._captures:
                raise CallRefused(
                    409, f'capture {identifier} exists: delete it or choose another name'
                )
            if len(self._captures) >= MOST_CAPTURES:
                raise CallRefused(409, f'{MOST_CAPTURES} captures are kept: delete one of them')
            now_ns = self._real_clock_ns()
            capture = Capture(
                identifier,
                self._folder / identifier,
                _pods(content['pods']),
                period_ns=round(period_s * SECOND_NS),
                started_ns=now_ns,
                ends_ns=now_ns + round(longest_s * SECOND_NS),
                alive_ns=now_ns,
                cpu_at_start_ns=self._cpu_clock_ns(),
                missing={each.kind: each.reason for each in self._absent},
            )
            try:
                capture.folder.mkdir()
                self._open(capture)
                self._keep(capture)
            except OSError as error:
                raise CallRefused(507, f'the capture cannot be kept: {error.strerror}') from error
            self._captures[identifier] = capture
            self.changed.notify_all()
        self._tell(identifier, 'has begun')
        return capture

    @property
    def newest_active(self) -> str | None:
        """Name of the capture that began last of those that are active, without waiting for any."""
        active = [each.identifier for each in list(self._captures.values()) if each.is_active]
        return active[-1] if active else None

    def _tell(self, identifier: str, what: str) -> None:
        say('INFO', f'capture {identifier} {what}', logger='captures', run=run_of(identifier))

    def stop(self, identifier: str) -> dict[str, Any]:
        """End a capture; ending it again changes nothing.

        Raises:
            CallRefused: there is none of that name (404).
        """
        with self._lock:
            capture = self._find(identifier)
            was_active = capture.is_active
            if was_active:
                self._end(capture)
        self._save(capture)
        if was_active:
            self._tell(identifier, 'has ended')
        return self.state(identifier)

    def state(self, identifier: str) -> dict[str, Any]:
        """State of a capture.

        Raises:
            CallRefused: there is none of that name (404).
        """
        self.active()
        with self._lock:
            return self._find(identifier).state(self._cpu_clock_ns())

    def delete(self, identifier: str) -> None:
        """Forget a capture and free its space.

        Raises:
            CallRefused: there is none of that name (404) or it is active (409).
        """
        with self._lock:
            capture = self._find(identifier)
            if capture.is_active:
                raise CallRefused(409, f'capture {identifier} is active: stop it first')
            for file in capture.files.values():
                file.remove()
            (capture.folder / STATE_FILE).unlink(missing_ok=True)
            capture.folder.rmdir()
            del self._captures[identifier]

    def series(
        self, identifier: str, kind: str, offset: int, limit: int
    ) -> tuple[list[bytes], str | None, dict[str, str]]:
        """Rows of a kind as JSON texts, why the kind is missing, and why columns are None.

        Raises:
            CallRefused: there is no such capture or kind (404).
        """
        with self._lock:
            capture = self._find(identifier)
            if kind not in COLUMNS:
                raise CallRefused(404, f'there is no kind {kind!r}; choices: {sorted(COLUMNS)}')
            file, missing = capture.files[kind], capture.missing.get(kind)
            columns = dict(capture.missing_columns.get(kind, {}))
        return file.lines(offset, limit), missing, columns

    def add(self, capture: Capture, kind: str, rows: Sequence[Row]) -> None:
        """Append rows of a kind; of pods only those that the capture wants."""
        if kind in OF_PODS:
            rows = [row for row in rows if row[POD_COLUMN] in capture.pods]
        with self._lock:
            if capture.is_active:
                capture.files[kind].add(rows)

    def note_missing(self, capture: Capture, kind: str, reason: str) -> None:
        """Keep why a whole kind is missing now; the first reason stays."""
        with self._lock:
            capture.missing.setdefault(kind, reason)

    def note_columns(self, capture: Capture, kind: str, reasons: Mapping[str, str]) -> None:
        """Keep why columns of a kind are None; the first reason of each stays."""
        with self._lock:
            capture.missing_columns[kind] = {**reasons, **capture.missing_columns.get(kind, {})}

    def flush(self) -> None:
        """Write what waits, then how far each active capture is safe.

        Raises:
            OSError: the disk refuses it.
        """
        with self._lock:
            unsaved = [
                each for each in self._captures.values() if each.is_active or each.is_unsaved
            ]
        for capture in unsaved:
            self._save(capture)

    def _save(self, capture: Capture) -> None:
        now_ns = self._real_clock_ns()
        # Outside the lock: a slow disk must delay no reading.
        flushed = [file.flush() for file in capture.files.values()]
        with self._lock:
            if all(flushed) and capture.identifier in self._captures:
                capture.alive_ns = now_ns
                capture.is_unsaved = False
                self._keep(capture)

    def _end(self, capture: Capture) -> None:
        capture.cpu_before_ns = capture.cpu_ns(self._cpu_clock_ns())
        capture.stopped_ns = min(self._real_clock_ns(), capture.ends_ns)
        capture.is_unsaved = True

    def _keep(self, capture: Capture) -> None:
        write_state(capture.folder / STATE_FILE, capture.kept(self._cpu_clock_ns()))

    def _open(self, capture: Capture) -> None:
        for kind in COLUMNS:
            path = capture.folder / f'{kind}.jsonl'
            dropped = capture.dropped_before.get(kind, 0)
            capture.files[kind] = RowsFile(path, self._budget, dropped)

    def _take_up(self, state_file: Path) -> None:
        """Go on with a capture of an earlier process; the time between them is a gap."""
        state = read_state(state_file)
        now_ns = self._real_clock_ns()
        try:
            capture = _restored(state or {}, state_file.parent, self._cpu_clock_ns())
        except (KeyError, TypeError):
            # A crash of the machine itself; nothing can be said of rows of an unknown capture.
            shutil.rmtree(state_file.parent)
            return
        self._open(capture)
        if capture.is_active:
            capture.gaps.append([capture.alive_ns, min(now_ns, capture.ends_ns)])
        self._captures[capture.identifier] = capture

    def _find(self, identifier: str) -> Capture:
        if identifier not in self._captures:
            raise CallRefused(
                404, f'there is no capture {identifier!r}; choices: {sorted(self._captures)}'
            )
        return self._captures[identifier]


def _restored(state: Mapping[str, Any], folder: Path, cpu_now_ns: int) -> Capture:
    """A capture as it was when it was last safe.

    Raises:
        KeyError, TypeError: its state is incomplete.
    """
    return Capture(
        state['capture'],
        folder,
        frozenset(state['pods']),
        period_ns=state['period_ns'],
        started_ns=state['started_ns'],
        ends_ns=state['ends_ns'],
        stopped_ns=state['stopped_ns'],
        gaps=state['gaps'],
        late_reads=state['late_reads'],
        longest_read_ns=state['longest_read_ns'],
        failed_reads=state['failed_reads'],
        alive_ns=state['alive_ns'],
        cpu_before_ns=state['cpu_ns'],
        cpu_at_start_ns=cpu_now_ns,
        missing=state['missing'],
        missing_columns=state['missing_columns'],
        dropped_before=state['dropped'],
    )


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise CallRefused(
            400, f'capture is {value!r} but must be letters, digits, ".", "_" and "-"'
        )
    return value


def _number(value: Any, name: str, low: float, high: float) -> float:
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        raise CallRefused(400, f'{name} is {value!r} but must be a number from {low} to {high}')
    return float(value)


def _pods(value: Any) -> frozenset[str]:
    right = isinstance(value, list) and len(value) <= MOST_PODS
    if not right or not all(isinstance(pod, str) and UID.fullmatch(pod) for pod in value):
        raise CallRefused(400, f'pods must be a list of at most {MOST_PODS} UIDs of pods')
    return frozenset(value)
