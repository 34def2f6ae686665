"""The journal of a run: one line per state, appended and synced before the step that it allows.

A line is a JSON object `{"seq", "at_ns", "state", "reason", "data", "chain"}`; `chain` is the SHA-256 over the
previous line's chain (before the first line: the run's identifier) and this line's content, so a torn, changed,
repeated, missing or foreign line ends the readable prefix. What comes after the prefix is kept aside, never used and
never deleted.

The journal is locked while its process lives, so a run that still goes on is told apart from one that was killed.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast, get_args

from probes.durable import DISK_FAILS, FAILED, disk_problems_named, sync_folder, unused, write_fully
from probes.errors import DiskFailed

State = Literal[
    "planned",
    "deploying",
    "ready",
    "measuring",
    "collected",
    "sealed",
    "uploaded",
    "committed",
    "failed",
    "invalid",
    "aborted",
]
STATES: tuple[str, ...] = get_args(State)
JOURNAL_FILE = "journal.jsonl"
QUARANTINE_FILE = "journal.quarantined"
LOCK_TRIES = 5
LOCK_PAUSE_S = 0.02


@dataclass(frozen=True)
class Entry:
    """One state that a run reached."""

    seq: int
    at_ns: int
    state: State
    reason: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Recovered:
    """The readable prefix of a journal and what follows it; `chain` is what the next line continues."""

    entries: tuple[Entry, ...]
    chain: str
    intact_bytes: int
    remainder: bytes


def encode_entry(entry: Entry, previous_chain: str) -> tuple[bytes, str]:
    """Give the line of an entry, with its newline, and the chain that the next line continues."""
    body: dict[str, Any] = {
        "seq": entry.seq,
        "at_ns": entry.at_ns,
        "state": entry.state,
        "reason": entry.reason,
        "data": dict(entry.data),
    }
    chain = _chain(previous_chain, body)
    return json.dumps(body | {"chain": chain}, sort_keys=True).encode() + b"\n", chain


def recover(content: bytes, run_id: str = "") -> Recovered:
    """Read the longest intact prefix of a run's journal; never fails.

    A journal whose chain begins with nothing is one that an earlier version began; it is read as well.
    """
    for seed in dict.fromkeys((run_id, "")):
        recovered = _prefix(content, seed)
        if recovered.entries:
            return recovered
    return Recovered((), run_id, 0, content)


def is_committed(entries: Iterable[Entry]) -> bool:
    """Tell whether the record was stored, whatever was tried since: what is stored stays so."""
    return any(entry.state == "committed" for entry in entries)


def _prefix(content: bytes, seed: str) -> Recovered:
    entries: list[Entry] = []
    chain, intact = seed, 0
    while (end := content.find(b"\n", intact) + 1) > 0:
        found = _decode(content[intact:end], chain, len(entries))
        if found is None:
            break
        entries.append(found[0])
        chain, intact = found[1], end
    return Recovered(tuple(entries), chain, intact, content[intact:])


def _chain(previous: str, body: Mapping[str, Any]) -> str:
    return hashlib.sha256(previous.encode() + json.dumps(body, sort_keys=True).encode()).hexdigest()


def _decode(line: bytes, chain: str, seq: int) -> tuple[Entry, str] | None:
    """Read a line that is exactly what the journal would write there."""
    try:
        parsed: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    body = cast("dict[str, Any]", parsed)
    data = body.get("data")
    if body.get("seq") != seq or body.get("state") not in STATES or not isinstance(data, dict):
        return None
    entry = Entry(seq, body.get("at_ns", 0), body["state"], body.get("reason"), cast("dict[str, Any]", data))
    written, next_chain = encode_entry(entry, chain)
    return (entry, next_chain) if written == line else None


class JournalBusy(Exception):  # noqa: N818 - a condition, not a fault
    """Another process holds the journal: the run still goes on."""


class Journal:
    """A journal open for appending; use it as a context manager.

    Opening recovers the prefix, moves what follows it aside, and takes the lock.

    Raises:
        JournalBusy: The process of the run is alive.
        SpoolFull: The disk has no room.
        DiskFailed: The disk returns errors.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / JOURNAL_FILE
        self._is_broken = False
        with disk_problems_named(folder):
            self._descriptor = _open_locked(self._path)
            try:
                self._begin()
            except BaseException:
                os.close(self._descriptor)
                raise

    def _begin(self) -> None:
        content = self._path.read_bytes()
        recovered = recover(content, self._folder.name)
        self._intact = content[: recovered.intact_bytes]
        self._chain = recovered.chain
        self.entries: list[Entry] = list(recovered.entries)
        if recovered.remainder:
            _keep_aside(self._folder / QUARANTINE_FILE, recovered.remainder)
            os.ftruncate(self._descriptor, recovered.intact_bytes)
        if content:
            self._sync_read_lines()
        # Whoever made the file may have been killed before its name was durable.
        sync_folder(self._folder)
        sync_folder(self._folder.parent)

    def _sync_read_lines(self) -> None:
        """Make durable what was read: a killed process may have written a line without syncing it."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            if error.errno not in DISK_FAILS:
                raise
            self._renew(self._intact)

    def append(self, state: State, reason: str | None = None, **data: Any) -> None:
        """Add a state and return once it is on the disk.

        Raises:
            SpoolFull: The disk has no room; the journal is as before.
            DiskFailed: The disk returned errors twice; the journal takes no more lines.
        """
        if self._is_broken:
            raise DiskFailed(
                f"{self._path} could not be written before; it takes no more.", next_step="python -m probes.doctor"
            )
        entry = Entry(len(self.entries), time.time_ns(), state, reason, data)
        line, chain = encode_entry(entry, self._chain)
        self._is_broken = True
        with disk_problems_named(self._folder):
            try:
                write_fully(self._descriptor, line)
                os.fdatasync(self._descriptor)
            except OSError as error:
                if error.errno in DISK_FAILS:
                    self._renew(self._intact + line)
                else:
                    # A half-written line would hide every later one from recovery.
                    os.ftruncate(self._descriptor, len(self._intact))
                    self._is_broken = False
                    raise
        self._is_broken = False
        self._intact += line
        self._chain = chain
        self.entries.append(entry)

    def _renew(self, content: bytes) -> None:
        """Go on in a new file, with the old one kept beside: after a failed sync no later one of it can be believed."""
        fresh = self._path.with_name(f"{JOURNAL_FILE}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_fully(descriptor, content)
            os.fsync(descriptor)
            os.link(self._path, unused(self._path.with_name(JOURNAL_FILE + FAILED)))
            fresh.rename(self._path)
            sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor

    @property
    def state(self) -> State | None:
        """Last state reached; None in a journal without a line."""
        return self.entries[-1].state if self.entries else None

    def __enter__(self) -> Self:
        """Hold the lock for the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def _open_locked(path: Path) -> int:
    """Open a journal and lock it; who only looks whether it is busy holds it for a moment, so this tries again."""
    for attempt in range(LOCK_TRIES):
        if attempt:
            time.sleep(LOCK_PAUSE_S)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have gone on in a new file in between.
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            pass
        os.close(descriptor)
    raise JournalBusy(str(path))


def _keep_aside(path: Path, remainder: bytes) -> None:
    """Append to the quarantine, unless a killed process has just done so; durable on return."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if not path.read_bytes().endswith(remainder):
            write_fully(descriptor, remainder)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def is_busy(folder: Path) -> bool:
    """Tell whether the process of a run is alive, without touching its journal."""
    try:
        descriptor = os.open(folder / JOURNAL_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
