"""Standard error as lines of JSON, one object each, where a process runs in a pod of a stack.

Elsewhere, at a terminal or in a test, standard error stays the plain text that people read.
Standard output is left alone: audit lines and the application's own report are contracts of their
own. Needs no ROS. What libraries below Python print passes as it is.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

STACK = 'ROS2BENCH_STACK'
PATTERN = 'ROS2BENCH_PATTERN'
NODE_ARGUMENT = '__node:='
NANOSECONDS_PER_SECOND = 1_000_000_000
# What is printed without a level is what went wrong: nothing else is printed there.
PRINTED = 'ERROR'
LONGEST_LINE = 65_536

Raised = tuple[type[BaseException], BaseException | None, TracebackType | None]


def rfc3339(time_ns: int) -> str:
    """A time since the epoch in words, in UTC, to the nanosecond."""
    seconds, rest_ns = divmod(time_ns, NANOSECONDS_PER_SECOND)
    return f'{time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))}.{rest_ns:09d}Z'


def node_of(arguments: list[str]) -> str | None:
    """Name that ROS arguments give to the node of a process, None where they give none."""
    found = [each for each in arguments if each.startswith(NODE_ARGUMENT)]
    return found[-1][len(NODE_ARGUMENT) :] if found else None


def run_of(capture: str | None) -> str | None:
    """The run of which a capture is: its name less the number of the repetition."""
    run, _, number = (capture or '').rpartition('-')
    return run if run and number.isdigit() else capture


class JsonLines:
    """Takes the place of `sys.stderr`: what is printed becomes lines of JSON.

    Threads may print at the same time: each has its own unfinished line, and a line is one write.
    """

    encoding = 'utf-8'
    errors = 'backslashreplace'

    def __init__(
        self,
        about: Mapping[str, str],
        write: Callable[[bytes], Any],
        *,
        run: Callable[[], str | None] = lambda: None,
        clock_ns: Callable[[], int] = time.time_ns,
        descriptor: int = 2,
    ) -> None:
        """Begin.

        Args:
            about: fields of every line: stack, pattern, node or program.
            write: takes one line.
            run: the run that is being captured, None while there is none.
            clock_ns: real time.
            descriptor: what `fileno` says, for those who write below Python.
        """
        self._about = dict(about)
        self._write = write
        self.run = run
        self._clock_ns = clock_ns
        self._descriptor = descriptor
        self._unfinished = threading.local()

    def line(self, level: str, message: str, **more: Any) -> None:
        """Write one line.

        Args:
            level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
            message: one sentence.
            more: further fields; `logger` is where in the program it comes from.
        """
        content: dict[str, Any] = {
            'time': rfc3339(self._clock_ns()),
            'level': level,
            'message': message[:LONGEST_LINE],
            'logger': more.pop('logger', ''),
            **self._about,
        }
        run = self.run()
        if run is not None:
            content['run'] = run
        content.update(more)
        text = json.dumps(content, ensure_ascii=False, default=str)
        self._write(text.encode('utf-8', 'backslashreplace') + b'\n')

    def write(self, text: str) -> int:
        """Take what is printed; a line that is an object of JSON already stays as it is."""
        parts = (getattr(self._unfinished, 'text', '') + text).split('\n')
        self._unfinished.text = parts.pop()
        for part in parts:
            if _is_object(part):
                self._write(part.encode('utf-8', 'backslashreplace') + b'\n')
            elif part.strip():
                self.line(PRINTED, part, logger='stderr')
        return len(text)

    def flush(self) -> None:
        """Nothing waits but unfinished lines, which wait for their end."""

    def fileno(self) -> int:
        """Descriptor of the stream itself."""
        return self._descriptor

    def isatty(self) -> bool:
        """Nobody sits there."""
        return False

    def writable(self) -> bool:
        """It can be written to."""
        return True

    def failed(self, raised: Raised, where: str) -> None:
        """Write an error that nobody handled, with its traceback, as one line."""
        kind, error, _ = raised
        lines = traceback.format_exception(*raised)
        self.line('CRITICAL', f'{kind.__name__}: {error}', logger=where, exception=''.join(lines))


_installed: JsonLines | None = None


def install(
    program: str,
    *,
    node: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Let this process write lines of JSON on standard error, if it runs in a pod of a stack.

    Args:
        program: what the process is, for example `recorder`.
        node: name of the ROS node that it is, where it is one.
        environment: tells stack and pattern.
    """
    global _installed  # noqa: PLW0603 (a process has one standard error)
    stack = environment.get(STACK)
    if not stack:
        return
    about = {'stack': stack}
    if pattern := environment.get(PATTERN):
        about['pattern'] = pattern
    about.update({'node': node} if node else {'program': program})
    lines = JsonLines(about, _write_whole)
    _installed = lines
    sys.stderr = lines  # type: ignore[assignment]

    def of_process(
        kind: type[BaseException], error: BaseException, found: TracebackType | None
    ) -> None:
        lines.failed((kind, error, found), 'main')

    def of_thread(raised: threading.ExceptHookArgs) -> None:
        if not issubclass(raised.exc_type, SystemExit):
            name = raised.thread.name if raised.thread else 'thread'
            lines.failed((raised.exc_type, raised.exc_value, raised.exc_traceback), name)

    sys.excepthook = of_process
    threading.excepthook = of_thread


def say(level: str, message: str, *, logger: str, **more: Any) -> None:
    """Tell whoever reads the log: a line of JSON in a pod, else `LOGGER: message`.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        message: one sentence.
        logger: where in the program it comes from.
        more: further fields of the line of JSON.
    """
    if _installed is not None:
        _installed.line(level, message, logger=logger, **more)
    else:
        print(f'{logger}: {message}', file=sys.stderr, flush=True)


def failed(where: str) -> None:
    """Tell of the exception that is being handled, with its traceback, in one line of JSON.

    Outside a pod it is printed as people read it. Where none is being handled nothing is told.

    Args:
        where: where in the program it was.
    """
    kind, error, found = sys.exc_info()
    if kind is None:
        return
    if _installed is not None:
        _installed.failed((kind, error, found), where)
    else:
        print(f'{where}:', *traceback.format_exception(kind, error, found), file=sys.stderr)


def of_run(run: Callable[[], str | None]) -> None:
    """Name the run in every line, from now on, while there is one.

    Args:
        run: the active run, None while there is none; must be quick and never raise.
    """
    if _installed is not None:
        _installed.run = run


def _is_object(text: str) -> bool:
    if not text.startswith('{'):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _write_whole(line: bytes) -> None:
    while line:
        line = line[os.write(2, line) :]
