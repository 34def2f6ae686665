"""The journal of a run: one line per state, appended and synced before the step that it allows.

A line is a JSON object `{"seq", "at_ns", "state", "reason", "data", "chain"}`; `chain` is the SHA-256 over the
previous line's chain and this line's content, so a torn, changed, repeated or missing line ends the readable prefix.
What comes after the prefix is kept aside, never used and never deleted.

The journal is locked while its process lives, so a run that still goes on is told apart from one that was killed.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast, get_args

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
    """The readable prefix of a journal and what follows it."""

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


def recover(content: bytes) -> Recovered:
    """Read the longest intact prefix of a journal; never fails."""
    entries: list[Entry] = []
    chain, intact = "", 0
    for line in content.splitlines(keepends=True):
        entry = _decode(line, chain, len(entries))
        if entry is None:
            break
        entries.append(entry[0])
        chain = entry[1]
        intact += len(line)
    return Recovered(tuple(entries), chain, intact, content[intact:])


def _chain(previous: str, body: Mapping[str, Any]) -> str:
    return hashlib.sha256(previous.encode() + json.dumps(body, sort_keys=True).encode()).hexdigest()


def _decode(line: bytes, chain: str, seq: int) -> tuple[Entry, str] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        parsed: object = json.loads(line)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    body = cast("dict[str, Any]", parsed)
    written = body.pop("chain", None)
    if written != _chain(chain, body) or body.get("seq") != seq or body.get("state") not in STATES:
        return None
    return Entry(seq, body["at_ns"], body["state"], body["reason"], body["data"]), written


class JournalBusy(Exception):  # noqa: N818 - a condition, not a fault
    """Another process holds the journal: the run still goes on."""


class Journal:
    """A journal open for appending; use it as a context manager.

    Opening recovers the prefix, moves what follows it aside, and takes the lock.

    Raises:
        JournalBusy: The process of the run is alive.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / JOURNAL_FILE
        is_new = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise JournalBusy(str(path)) from None
        recovered = recover(path.read_bytes())
        if recovered.remainder:
            with (folder / QUARANTINE_FILE).open("ab") as aside:
                aside.write(recovered.remainder)
                aside.flush()
                os.fsync(aside.fileno())
            os.ftruncate(self._descriptor, recovered.intact_bytes)
        if is_new:
            sync_folder(folder)
        self._chain = recovered.chain
        self.entries: list[Entry] = list(recovered.entries)

    def append(self, state: State, reason: str | None = None, **data: Any) -> None:
        """Add a state and return once it is on the disk."""
        entry = Entry(len(self.entries), time.time_ns(), state, reason, data)
        line, chain = encode_entry(entry, self._chain)
        start = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                os.write(self._descriptor, line[written:])
            os.fdatasync(self._descriptor)
        except OSError:
            # A half-written line would hide every later one from recovery.
            os.ftruncate(self._descriptor, start)
            raise
        self._chain = chain
        self.entries.append(entry)

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


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
