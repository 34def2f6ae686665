"""Rows of one kind of one capture: a line of JSON each, found again by number."""

import json
from array import array
from collections.abc import Sequence
from pathlib import Path

from ros2bench_machine_reader.sources import Row
from ros2bench_service.capture_file import AppendFile, ByteBudget, whole_lines

ROWS_PER_MARK = 256
BLOCK_BYTES = 262_144
_encode = json.JSONEncoder(separators=(',', ':'), allow_nan=False).encode


class RowsFile:
    """Appends rows and gives them back by number.

    Attributes:
        count: rows in the file, those that wait for the disk included.
        dropped: rows that found no room.
    """

    def __init__(self, path: Path, budget: ByteBudget, dropped: int = 0) -> None:
        """Open or make it; the rows of an earlier process are counted.

        Raises:
            OSError: the file cannot be opened.
        """
        self.count = 0
        self.dropped = dropped
        self._file = AppendFile(path, budget, whole_lines)
        self._path = path
        # Position of every 256th row, so that any row is found without reading all before it.
        self._marks = array('Q')
        self._count_rows()

    def add(self, rows: Sequence[Row]) -> None:
        """Append rows; one that holds NaN or infinity, or finds no room, counts as dropped."""
        for row in rows:
            try:
                line = _encode(row).encode() + b'\n'
            except ValueError:
                self.dropped += 1
                continue
            position = self._file.size_bytes
            if not self._file.append(line):
                self.dropped += 1
                continue
            self._mark(position)

    def lines(self, offset: int, limit: int) -> list[bytes]:
        """Rows from number `offset` as JSON texts, at most `limit`.

        Raises:
            OSError: the disk cannot be read.
        """
        last = min(self.count, offset + limit)
        if offset >= last:
            return []
        skipped = offset % ROWS_PER_MARK
        wanted = skipped + last - offset
        position = self._marks[offset // ROWS_PER_MARK]
        found: list[bytes] = []
        rest = b''
        while len(found) < wanted:
            block = self._file.read(position, BLOCK_BYTES)
            if not block:
                break
            position += len(block)
            *whole, rest = (rest + block).split(b'\n')
            found += whole
        return found[skipped:wanted]

    def flush(self) -> bool:
        """Write what waits; False if the disk refused."""
        return self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete."""
        self._file.remove(self._path)

    def _mark(self, position: int) -> None:
        if self.count % ROWS_PER_MARK == 0:
            self._marks.append(position)
        self.count += 1

    def _count_rows(self) -> None:
        position, start = 0, 0
        while block := self._file.read(position, BLOCK_BYTES):
            found = block.find(b'\n')
            while found >= 0:
                self._mark(start)
                start = position + found + 1
                found = block.find(b'\n', found + 1)
            position += len(block)
