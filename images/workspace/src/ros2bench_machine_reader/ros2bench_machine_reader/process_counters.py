"""Processor time and memory of one process, from /proc; its name as people know it."""

import os
import re
from pathlib import Path

from ros2bench_machine_reader.counter_file import CounterFile, whole

NAME_LIMIT = 64
NODE_NAME = re.compile(rb'(?:^|\0)(?:[^\0]*:)?__node:=([A-Za-z_][A-Za-z0-9_]*)(?:\0|$)')
SECOND_NS = 1_000_000_000
COMMAND_LIMIT_BYTES = 65_536


class ProcessCounters:
    """Reads one process through a descriptor that stays bound to it.

    Times are those of all its threads, ended ones included, in ticks of the kernel (10 ms).
    """

    def __init__(self, proc_root: Path, pid: int) -> None:
        """Open its file.

        Raises:
            OSError: the process is gone.
        """
        self._folder = proc_root / str(pid)
        self._stat = CounterFile(self._folder / 'stat')
        self._command = b''
        self._name = ''
        self._tick_ns = SECOND_NS // os.sysconf('SC_CLK_TCK')
        self._page_bytes = os.sysconf('SC_PAGE_SIZE')

    def read(self) -> tuple[str, int, int]:
        """Name, processor time in ns and resident bytes.

        Raises:
            OSError: the process is gone.
            ValueError: what the kernel says makes no sense.
        """
        command, fields = split_stat(self._stat.read())
        if command != self._command or not self._name:
            # A program that was started by another one changes both at once.
            self._command, self._name = command, self._find_name(command)
        ticks = whole(fields[11]) + whole(fields[12])
        return self._name, ticks * self._tick_ns, whole(fields[21]) * self._page_bytes

    def close(self) -> None:
        """Let go of its file."""
        self._stat.close()

    def _find_name(self, command: bytes) -> str:
        with (self._folder / 'cmdline').open('rb') as file:
            return process_name(command, file.read(COMMAND_LIMIT_BYTES))


def split_stat(content: bytes) -> tuple[bytes, list[bytes]]:
    """Command in parentheses, and the fields after it; a command may hold blanks and parentheses.

    Raises:
        ValueError: it is no line of /proc/PID/stat.
    """
    start, end = content.find(b'('), content.rfind(b')')
    fields = content[end + 1 :].split()
    if not 0 < start < end or len(fields) < 22:
        raise ValueError(f'{content[:80]!r} is no line of /proc/PID/stat')
    return content[start + 1 : end], fields


def process_name(command: bytes, arguments: bytes) -> str:
    """Name of the ROS node that a process was started as, else its command.

    Args:
        command: name that the kernel keeps, at most 15 bytes of anything.
        arguments: its command line, parts separated by zero bytes.
    """
    if found := NODE_NAME.search(arguments):
        return found[1].decode('ascii')[:NAME_LIMIT]
    text = command.decode('utf-8', 'backslashreplace')
    return ''.join(letter if letter.isprintable() else '?' for letter in text)[:NAME_LIMIT] or '?'
