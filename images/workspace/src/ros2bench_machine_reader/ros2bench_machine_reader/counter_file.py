"""Files of the kernel that say something new at every reading, and numbers from them."""

import os
from collections.abc import Iterator
from pathlib import Path

LARGEST_BYTES = 65_536
LARGEST_COUNTER = 1 << 63


class CounterFile:
    """A file that says something new at every reading.

    The descriptor stays bound to the group or process for which it was opened: a later one of the
    same name is never read in its place.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it does not exist or may not be read.
        """
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        """What it says now.

        Raises:
            OSError: what it belonged to is gone.
        """
        return os.pread(self._file, LARGEST_BYTES, 0)

    def close(self) -> None:
        """Let go of it; the object is not used again."""
        os.close(self._file)


def whole(text: bytes) -> int:
    """A counter: digits and nothing else.

    Raises:
        ValueError: it is none, or more than 63 bits long.
    """
    digits = text.strip()
    if not digits.isdigit() or len(digits) > 19:
        raise ValueError(f'{text[:40]!r} is no counter')
    value = int(digits)
    if value >= LARGEST_COUNTER:
        raise ValueError(f'{text[:40]!r} is larger than any counter')
    return value


def keyed(content: bytes, key: bytes) -> int:
    """Counter in a file of lines `key value`.

    Raises:
        KeyError: there is no such line.
        ValueError: it holds no counter.
    """
    start = b'%b ' % key
    if not content.startswith(start):
        start = b'\n%b' % start
    place = content.find(start)
    if place < 0:
        raise KeyError(key.decode())
    return whole(content[place + len(start) :].partition(b'\n')[0])


def words(content: bytes) -> Iterator[list[bytes]]:
    """Words of each line that holds any."""
    return (found for found in (line.split() for line in content.splitlines()) if found)
