"""The machine readers of a campaign: connected once, started and fetched around each window.

Nothing that a reader does or fails to do ends a run: what it could not give becomes a reason.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from probes.clock import ClockOffset
from probes.cluster import Machine
from probes.counters import KINDS, checked
from probes.errors import ProbeError
from probes.evidence import Readers, ReaderSeries, SeriesTable
from probes.metrics import (
    IDLE_NOT_MEASURED,
    NO_MACHINE_READER,
    NO_PLATFORM,
    READER_CUT,
    READER_GARBLED,
    READER_REFUSED,
    READER_UNREACHABLE,
    SHARED_REASONS,
)

PERIOD_S = 0.1
CALL_LIMIT_S = 10.0
FETCH_LIMIT_S = 60.0
Answer = TypeVar("Answer")


class ReaderStatus(Protocol):
    """What a reader says of itself."""

    @property
    def boot_id(self) -> str:
        """Boot id of its machine."""
        ...

    @property
    def address(self) -> str:
        """Address of the reader's pod."""
        ...

    def has_source(self, kind: str) -> bool:
        """Whether it can read a kind at all."""
        ...


class ReaderCapture(Protocol):
    """How far a capture of a reader is; times in its machine's clock."""

    @property
    def started_ns(self) -> int:
        """Begin."""
        ...

    @property
    def stopped_ns(self) -> int | None:
        """End; None while it is active."""
        ...

    @property
    def gaps(self) -> Sequence[tuple[int, int]]:
        """Stretches without a reading."""
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """Rows that did not fit, by kind."""
        ...

    @property
    def late_reads(self) -> int:
        """Readings that came later than their period."""
        ...

    @property
    def longest_read_ns(self) -> int:
        """The slowest reading."""
        ...

    @property
    def cpu_ns(self) -> int:
        """CPU time of the reader while it captured."""
        ...


class MachineReader(Protocol):
    """One machine's reader."""

    async def status(self) -> ReaderStatus:
        """Ask what it can read."""
        ...

    async def clock_offset(self, own_boot_id: str, reader_boot_id: str) -> ClockOffset:
        """Relate its clock to ours."""
        ...

    async def start(self, capture: str, pods: Sequence[str], period_s: float, max_s: float) -> None:
        """Begin to keep rows of pods (UIDs)."""
        ...

    async def stop(self, capture: str) -> ReaderCapture:
        """End a capture."""
        ...

    async def series(self, capture: str, kind: str) -> SeriesTable:
        """Fetch the rows of a kind."""
        ...

    async def delete(self, capture: str) -> None:
        """Forget a capture."""
        ...

    async def images(self) -> Mapping[str, Any]:
        """Ask what containerd holds."""
        ...

    async def remove_images(self, digests: Sequence[str]) -> Mapping[str, Any]:
        """Remove images, content and snapshots."""
        ...

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Make any other signed call."""
        ...


@dataclass
class ReaderSet:
    """The readers that could be connected, and why the others could not.

    Args:
        clients: Connected readers, by machine.
        reasons: Why a machine has none.
        own_boot_id: Boot id of the runner's machine.
        note: Shows a sentence to the user.
    """

    clients: Mapping[str, MachineReader]
    reasons: Mapping[str, str]
    own_boot_id: str
    note: Callable[[str], None]
    power_machines: frozenset[str] = frozenset()
    said: set[str] = field(default_factory=set[str])

    def names(self) -> list[str]:
        """Name every machine, with or without a reader."""
        return sorted({*self.clients, *self.reasons})

    def reason(self, machine: str) -> str:
        """Why a machine has no reader."""
        return self.reasons.get(machine, NO_MACHINE_READER)

    async def start(self, capture: str, machines: Iterable[str], pods: Sequence[str], max_s: float) -> "Capturing":
        """Begin a capture on each of some machines, at the same time."""
        names = sorted(set(machines))
        answers = await asyncio.gather(*(self._start(name, capture, pods, max_s) for name in names))
        return Capturing(self, capture, dict(zip(names, answers, strict=True)))

    async def _start(self, machine: str, capture: str, pods: Sequence[str], max_s: float) -> ClockOffset | str:
        client = self.clients.get(machine)
        if client is None:
            return self.reason(machine)

        async def begin(reader: MachineReader) -> ClockOffset:
            clock = await reader.clock_offset(self.own_boot_id, (await reader.status()).boot_id)
            await reader.start(capture, pods, PERIOD_S, max_s)
            return clock

        return await self.attempt(machine, begin(client), CALL_LIMIT_S)

    async def attempt(self, machine: str, work: Awaitable[Answer], limit_s: float) -> Answer | str:
        """Wait for an answer of a reader; give the reason where there is none, and show why."""
        try:
            async with asyncio.timeout(limit_s):
                return await work
        except ProbeError as problem:
            return self._said(machine, _reason_of(problem), problem.message)
        except TimeoutError:
            return self._said(machine, READER_UNREACHABLE, f"no answer within {limit_s:g} s")
        except (ValueError, LookupError, TypeError) as problem:
            return self._said(machine, READER_GARBLED, f"its answer does not fit the contract: {problem}")

    def _said(self, machine: str, reason: str, text: str) -> str:
        line = f"machine reader of {machine}: {text}"
        if line not in self.said:
            self.said.add(line)
            self.note(line)
        return reason


@dataclass(frozen=True)
class Capturing:
    """A capture that runs on some machines."""

    readers: ReaderSet
    capture: str
    clocks: Mapping[str, ClockOffset | str]

    async def finish(self) -> Readers:
        """Stop everywhere, fetch every row, and forget the capture."""
        answers = await asyncio.gather(*(self._finish(machine) for machine in self.clocks))
        return dict(zip(self.clocks, answers, strict=True))

    async def _finish(self, machine: str) -> ReaderSeries | str:
        clock = self.clocks[machine]
        if isinstance(clock, str):
            return clock
        client = self.readers.clients[machine]
        series = await self.readers.attempt(machine, self._fetch(machine, client, clock), FETCH_LIMIT_S)
        await self.readers.attempt(machine, client.delete(self.capture), CALL_LIMIT_S)
        return series

    async def _fetch(self, machine: str, client: MachineReader, clock: ClockOffset) -> ReaderSeries:
        ended = await client.stop(self.capture)
        tables = {kind: checked(kind, await client.series(self.capture, kind)) for kind in KINDS}
        if ended.stopped_ns is None:
            raise ValueError("the capture is still active after it was stopped")
        return ReaderSeries(
            machine=machine,
            tables=tables,
            started_ns=ended.started_ns,
            stopped_ns=ended.stopped_ns,
            clock=clock,
            gaps=tuple((start, end) for start, end in ended.gaps),
            dropped=dict(ended.dropped),
            late_reads=ended.late_reads,
            longest_read_ns=ended.longest_read_ns,
            cpu_ns=ended.cpu_ns,
        )

    async def abandon(self) -> None:
        """Free the readers after an early end; they end a capture by themselves, too."""
        for machine, clock in self.clocks.items():
            if not isinstance(clock, str):
                client = self.readers.clients[machine]
                await self.readers.attempt(machine, client.stop(self.capture), CALL_LIMIT_S)
                await self.readers.attempt(machine, client.delete(self.capture), CALL_LIMIT_S)


def covering(readers: Readers, start_ns: int, end_ns: int) -> Readers:
    """Replace series that do not reach over a stretch of the runner's clock by the reason `machine_reader_cut`.

    A gap inside stays: what counters tell over it is right, and what needs every reading looks at `gaps` itself.
    """
    return {machine: _covering(series, start_ns, end_ns) for machine, series in readers.items()}


def _covering(series: ReaderSeries | str, start_ns: int, end_ns: int) -> ReaderSeries | str:
    if isinstance(series, str):
        return series
    start_ns, end_ns = series.clock.to_recorder(start_ns), series.clock.to_recorder(end_ns)
    is_short = series.started_ns > start_ns or series.stopped_ns < end_ns
    return READER_CUT if is_short or any(series.dropped.values()) else series


def not_idle(machines: Iterable[str]) -> Readers:
    """Say that nothing was captured while the stack was parked."""
    return dict.fromkeys(machines, IDLE_NOT_MEASURED)


def _reason_of(problem: ProbeError) -> str:
    if problem.reason in SHARED_REASONS:
        return problem.reason
    return READER_REFUSED if hasattr(problem, "status") else READER_UNREACHABLE


Open = Callable[[AsyncExitStack], Awaitable[Mapping[str, MachineReader]]]
"""Connects to every ready reader of a platform, by machine."""


@asynccontextmanager
async def connected(
    open_readers: Open | None, machines: Sequence[Machine], own_boot_id: str, note: Callable[[str], None]
) -> AsyncGenerator[ReaderSet]:
    """Connect to the readers of all machines for a campaign.

    Args:
        open_readers: How; None without a platform.
        machines: The cluster's machines.
        own_boot_id: Boot id of the runner's machine.
        note: Shows a sentence to the user.
    """
    names = [machine.name for machine in machines]
    if open_readers is None:
        yield ReaderSet({}, dict.fromkeys(names, NO_PLATFORM), own_boot_id, note)
        return
    async with AsyncExitStack() as stack:
        try:
            clients = await open_readers(stack)
        except ProbeError as problem:
            note(f"machine readers: {problem.message}")
            yield ReaderSet({}, dict.fromkeys(names, READER_UNREACHABLE), own_boot_id, note)
            return
        absent = {name: NO_MACHINE_READER for name in names if name not in clients}
        found = ReaderSet(clients, absent, own_boot_id, note)
        found.power_machines = frozenset([name for name in clients if await _tells_power(found, name)])
        yield found


async def _tells_power(readers: ReaderSet, machine: str) -> bool:
    status = await readers.attempt(machine, readers.clients[machine].status(), CALL_LIMIT_S)
    return not isinstance(status, str) and status.has_source("power")
