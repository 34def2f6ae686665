"""Traces which programs start on this machine and when, through the kernel's process connector.

The kernel itself dates each `execve` (CLOCK_MONOTONIC, nanoseconds), so neither Kubernetes nor containerd is asked.
Needs root and a kernel with CONFIG_PROC_EVENTS; sees the processes of every container of this machine, of no other.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

NETLINK_CONNECTOR = 11
PROCESS_EVENTS = 1
LISTEN, IGNORE = 1, 2
DONE_MESSAGE = 3
EXEC_EVENT = 0x00000002
RECEIVE_BYTES = 4 * 1024 * 1024
POLL_S = 0.2
# Netlink header, connector message, then of the event: what, cpu, timestamp, process, thread group.
HEADER = struct.Struct("=IHHII")
CONNECTOR = struct.Struct("=IIIIHH")
EVENT = struct.Struct("=IIQII")
RUNTIME_NAMES = ("runc", "crun", "containerd-shim")
IN_MEMORY = "/memfd:"


@dataclass(frozen=True)
class Exec:
    """A program that began to run.

    Attributes:
        at_ns: When, by the real-time clock.
        pid: Its process, in this machine's numbers.
        program: Path of the program; empty where the process had ended before it could be read.
        cgroups: Paths of its control groups.
    """

    at_ns: int
    pid: int
    program: str
    cgroups: tuple[str, ...]


class TracerUnavailable(Exception):  # noqa: N818 - names a state of the machine
    """This machine does not tell which programs start; the text says why."""


def parse_event(message: bytes) -> tuple[int, int] | None:
    """Read an exec event: its time by the monotonic clock, and its process; None for any other event."""
    start = HEADER.size + CONNECTOR.size
    if len(message) < start + EVENT.size:
        return None
    what, _, at_ns, _, process = EVENT.unpack_from(message, start)
    return (at_ns, process) if what == EXEC_EVENT else None


def container_starts(execs: Sequence[Exec], container_ids: Sequence[str]) -> dict[str, int]:
    """Give when the program of each container began to run: its first exec that is not the runtime's own.

    Args:
        execs: What was traced.
        container_ids: Identifiers, as they appear in the paths of control groups.
    """
    found: dict[str, int] = {}
    for one in sorted(execs, key=lambda item: item.at_ns):
        if not one.program or is_runtime(one.program):
            continue
        for identifier in container_ids:
            if identifier not in found and any(identifier in path for path in one.cgroups):
                found[identifier] = one.at_ns
    return found


def is_runtime(program: str) -> bool:
    """Tell whether a program is the container runtime's own, which runs from memory where it protects itself."""
    return program.startswith(IN_MEMORY) or Path(program).name.startswith(RUNTIME_NAMES)


class ProcessTracer:
    """Collects execs while it is entered.

    Raises:
        TracerUnavailable: not root, or the kernel has no process events.
    """

    def __init__(self) -> None:
        self.execs: list[Exec] = []
        self.overflows = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracer", daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            self._socket.bind((0, PROCESS_EVENTS))
            self._ask(LISTEN)
        except OSError as error:
            raise TracerUnavailable(f"the kernel's process events cannot be had: {error.strerror}") from error
        self._socket.settimeout(POLL_S)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()
        self._ask(IGNORE)
        self._socket.close()

    def _ask(self, operation: int) -> None:
        body = CONNECTOR.pack(PROCESS_EVENTS, 1, 0, 0, 4, 0) + struct.pack("=I", operation)
        self._socket.send(HEADER.pack(HEADER.size + len(body), DONE_MESSAGE, 0, 0, os.getpid()) + body)

    def _run(self) -> None:
        real_less_monotonic_ns = time.time_ns() - time.monotonic_ns()
        while not self._stop.is_set():
            try:
                event = parse_event(self._socket.recv(4096))
            except TimeoutError:
                continue
            except OSError:
                # The kernel dropped events because they came faster than they were read.
                self.overflows += 1
                continue
            if event is not None:
                at_ns, pid = event
                self.execs.append(Exec(at_ns + real_less_monotonic_ns, pid, _program(pid), _cgroups(pid)))


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _cgroups(pid: int) -> tuple[str, ...]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    return tuple(line.split(":", 2)[2] for line in lines if line.count(":") >= 2)
