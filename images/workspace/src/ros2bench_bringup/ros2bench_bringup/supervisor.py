"""Starts the processes of a plan, passes signals on, and ends with the first process that ends."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ros2bench_bringup.plan import Process
from ros2bench_telemetry.json_lines import say

KILL_AFTER_S = 2.0
EXIT_FAILED = 1
EXIT_COMMAND_NOT_FOUND = 127
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
WATCHED = STOP_SIGNALS | {signal.SIGCHLD}


@dataclass(frozen=True)
class Ended:
    """A process that has ended, and its exit code (negative: the signal that killed it)."""

    name: str
    code: int


def exit_code(first: Ended, *, asked_to_stop: bool) -> int:
    """Exit code of the container.

    A stop that was asked for is a success when the process stopped cleanly or by that signal;
    otherwise the code of the first process that ended, and 1 where it claims success or was killed.
    """
    if asked_to_stop:
        clean = first.code == 0 or -first.code in STOP_SIGNALS
        return 0 if clean else max(first.code, EXIT_FAILED)
    return first.code if first.code > 0 else EXIT_FAILED


def supervise(
    processes: Sequence[Process],
    environment: Mapping[str, str],
    on_started: Callable[[], None] = lambda: None,
) -> int:
    """Run the processes until the first one ends or SIGTERM or SIGINT arrives.

    Signals are blocked and fetched one by one, so that none is lost and nothing polls. Must be
    called from the main thread and before any other thread exists, because a thread that does not
    block a signal may get it.

    Args:
        processes: what to start, in this order.
        environment: what every process finds in its environment, besides its own additions.
        on_started: called when all are started; threads may be made from here on.

    Returns:
        Exit code of the container.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    running: dict[int, Process] = {}
    first: Ended | None = None
    stop_at_s: float | None = None
    asked_to_stop = False
    killed = False
    process = processes[0]
    try:
        for process in processes:
            running[_start(process, environment)] = process
    except OSError as error:
        _say('ERROR', f'{process.name} cannot be started: {process.command[0]}: {error.strerror}')
        first = Ended(process.name, EXIT_COMMAND_NOT_FOUND)
        stop_at_s = _stop(running, signal.SIGTERM)
    on_started()
    while running:
        wait_s = 3600.0 if stop_at_s is None or killed else max(0.0, stop_at_s - time.monotonic())
        received = signal.sigtimedwait(WATCHED, wait_s)
        if received is None and stop_at_s is not None and not killed:
            killed = True
            names = ', '.join(process.name for process in running.values())
            _say('WARNING', f'killing {names}: still running after {KILL_AFTER_S:g} s')
            _stop(running, signal.SIGKILL)
        elif received is not None and received.si_signo in STOP_SIGNALS:
            asked_to_stop = asked_to_stop or first is None
            deadline_s = _stop(running, signal.Signals(received.si_signo))
            stop_at_s = stop_at_s or deadline_s
        for ended in _reap(running):
            level = 'INFO' if asked_to_stop else 'ERROR'
            _say(level, f'{ended.name} ended with {ended.code}')
            if first is None:
                first = ended
                stop_at_s = stop_at_s or _stop(running, signal.SIGTERM)
    if first is None:
        raise RuntimeError('A plan without processes cannot be supervised.')
    return exit_code(first, asked_to_stop=asked_to_stop)


def _start(process: Process, environment: Mapping[str, str]) -> int:
    """Start a process with no signal blocked; its id."""
    return os.posix_spawnp(
        process.command[0],
        process.command,
        {**environment, **process.environment},
        setsigmask=(),
    )


def _stop(running: Mapping[int, Process], with_signal: signal.Signals) -> float:
    for process_id in running:
        os.kill(process_id, with_signal)
    return time.monotonic() + KILL_AFTER_S


def _reap(running: dict[int, Process]) -> list[Ended]:
    """Collect every child that has ended, adopted orphans included."""
    ended = []
    while True:
        try:
            process_id, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if process_id == 0:
            return ended
        process = running.pop(process_id, None)
        if process is not None:
            ended.append(Ended(process.name, os.waitstatus_to_exitcode(status)))


def _say(level: str, sentence: str) -> None:
    say(level, sentence, logger='ros2bench-bringup')
