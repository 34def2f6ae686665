"""Files that captures are appended to: bounded, flushed by a thread, recovered after a crash.

The thread that measures only adds to memory, which takes microseconds whatever the disk does.
Another one writes once a second. What is waiting for the disk is bounded, and so is the folder:
a record that does not fit is refused, and its owner counts it as dropped.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WAITING_LIMIT_BYTES = 32 * 1024 * 1024
BLOCK_BYTES = 65_536
CREDIT_BYTES = 65_536
SoundLength = Callable[[int, int], int]


class ByteBudget:
    """Bytes that all files of a folder may hold together."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._lock = threading.Lock()

    def take(self, size_bytes: int) -> bool:
        """Reserve bytes; False if they do not fit."""
        with self._lock:
            if self.used_bytes + size_bytes > self.limit_bytes:
                return False
            self.used_bytes += size_bytes
            return True

    def take_anyway(self, size_bytes: int) -> None:
        """Count what is already on the disk, whether it fits or not."""
        with self._lock:
            self.used_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Free what was taken."""
        with self._lock:
            self.used_bytes -= size_bytes


def whole_rows(width_bytes: int) -> SoundLength:
    """Sound length of a file of rows: a last one that was torn by a crash is left out."""

    def sound_length(_file: int, size_bytes: int) -> int:
        return size_bytes - size_bytes % width_bytes

    return sound_length


def whole_lines(file: int, size_bytes: int) -> int:
    """Sound length of a file of lines: up to and with the last line feed.

    Args:
        file: descriptor of the open file.
        size_bytes: its length.
    """
    end = size_bytes
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        found = os.pread(file, end - start, start).rfind(b'\n')
        if found >= 0:
            return start + found + 1
        end = start
    return 0


class AppendFile:
    """One file to which whole records are added. Any thread may add, flush and read.

    Attributes:
        error: why the last flush did not succeed; None if it did. What could not be written waits
            in memory and is tried again by the next flush.
    """

    def __init__(
        self,
        path: Path,
        budget: ByteBudget,
        sound_length: SoundLength,
        waiting_limit_bytes: int = WAITING_LIMIT_BYTES,
    ) -> None:
        """Open or make a file; what a crash has torn at its end is cut off.

        Args:
            path: the file.
            budget: of its folder; what the file holds already is counted.
            sound_length: `whole_rows(width)` or `whole_lines`.
            waiting_limit_bytes: most bytes that wait for the disk.

        Raises:
            OSError: the file cannot be opened.
        """
        self.error: str | None = None
        self._budget = budget
        self._waiting_limit_bytes = waiting_limit_bytes
        self._waiting = bytearray()
        self._being_written = b''
        # Taken from the budget in advance, so that most records need not ask for room.
        self._credit_bytes = 0
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._reading = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size_bytes = os.fstat(self._file).st_size
        self._written_bytes = sound_length(self._file, size_bytes)
        if self._written_bytes < size_bytes:
            os.ftruncate(self._file, self._written_bytes)
        budget.take_anyway(self._written_bytes)

    @property
    def size_bytes(self) -> int:
        """Length of all records, those that wait for the disk included."""
        with self._lock:
            return self._written_bytes + len(self._being_written) + len(self._waiting)

    @property
    def written_bytes(self) -> int:
        """Length of what is in the file."""
        return self._written_bytes

    def append(self, record: bytes) -> bool:
        """Add one whole record (for lines: with its line feed).

        Returns:
            False if it was refused, because the folder is full or the disk does not keep up.
        """
        size_bytes = len(record)
        with self._lock:
            waiting = len(self._waiting) + len(self._being_written)
            if waiting + size_bytes > self._waiting_limit_bytes:
                return False
            if self._credit_bytes < size_bytes and not self._borrow(size_bytes):
                return False
            self._credit_bytes -= size_bytes
            self._waiting += record
            return True

    def _borrow(self, size_bytes: int) -> bool:
        """Take room in advance, or just what one record needs where little is left."""
        for amount in (size_bytes + CREDIT_BYTES, size_bytes - self._credit_bytes):
            if self._budget.take(amount):
                self._credit_bytes += amount
                return True
        return False

    def flush(self) -> bool:
        """Write what waits and make it durable.

        Returns:
            Whether it succeeded; `error` says why not.
        """
        with self._flushing:
            with self._lock:
                self._budget.give_back(self._credit_bytes)
                self._credit_bytes = 0
                if not self._waiting:
                    return self.error is None
                self._being_written, self._waiting = bytes(self._waiting), bytearray()
            error = self._write()
            with self._lock:
                self._waiting[:0] = self._being_written
                self._being_written = b''
                self.error = error
            return error is None

    def _write(self) -> str | None:
        """Write as much as the disk takes; `_being_written` keeps the rest."""
        try:
            while self._being_written:
                count = os.pwrite(self._file, self._being_written, self._written_bytes)
                with self._lock:
                    self._written_bytes += count
                    self._being_written = self._being_written[count:]
            os.fdatasync(self._file)
        except OSError as error:
            return error.strerror or str(error)
        return None

    def read(self, start: int, size_bytes: int) -> bytes:
        """Up to `size_bytes` bytes from position `start`; fewer at the end of all records.

        Raises:
            OSError: the disk cannot be read, or the file was closed meanwhile.
        """
        # Held so that nobody closes the file in between, whose number could then be another file's.
        with self._reading:
            return self._read(start, size_bytes)

    def _read(self, start: int, size_bytes: int) -> bytes:
        with self._lock:
            written_bytes = self._written_bytes
            rest = b''
            if start + size_bytes > written_bytes:
                begin = max(0, start - written_bytes)
                waiting = self._being_written + self._waiting
                rest = waiting[begin : start + size_bytes - written_bytes]
        if start >= written_bytes:
            return bytes(rest)
        return os.pread(self._file, min(size_bytes, written_bytes - start), start) + rest

    def close(self) -> None:
        """Flush and close; the file stays, and its bytes stay counted."""
        self.flush()
        self._close()

    def remove(self, path: Path) -> None:
        """Close and delete the file without writing what waits, and give its bytes back.

        Raises:
            OSError: the file cannot be deleted.
        """
        self._close()
        path.unlink(missing_ok=True)
        with self._lock:
            self._budget.give_back(self._written_bytes + len(self._waiting) + self._credit_bytes)
            self._waiting = bytearray()
            self._written_bytes = self._credit_bytes = 0

    def _close(self) -> None:
        with self._flushing, self._reading:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def write_state(path: Path, state: Mapping[str, Any], *, durable: bool = False) -> None:
    """Replace a small JSON file in one move, so that a crash leaves the old or the new one.

    Args:
        path: the file.
        state: what JSON can hold.
        durable: wait until the disk has it; else only a crash of this process leaves it whole.

    Raises:
        OSError: the disk refuses it; the old file stays.
    """
    part = path.with_name(f'.{path.name}.part')
    with part.open('w', encoding='utf-8') as file:
        file.write(json.dumps(state))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)


def read_state(path: Path) -> dict[str, Any] | None:
    """Read such a file.

    Returns:
        Its content; None if there is none or it holds no object, which a crash of the machine
        itself may leave behind.

    Raises:
        OSError: the file is there but cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
