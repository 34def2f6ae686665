"""Stand-ins of machine readers: what they captured follows from the clock, what containerd holds from a small model."""
# ruff: noqa: D102, ARG002 - methods and parameters are those of the protocol in probes/readers.py

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx

from probes.clock import ClockOffset
from probes.counters import KINDS
from probes.evidence import SeriesTable
from probes.image_contents import ApplicationContent
from probes.machine_reader import SERVER
from probes.provenance import boot_id
from probes.readers import MachineReader, Open
from probes.signed_http import CallRefused

PERIOD_NS = 10_000_000
CORES = 2
NO_STARTS: Mapping[str, Any] = {"starts": [], "resolution_ns": 10_000_000, "missing": "runtime_state_not_asked"}


@dataclass(frozen=True)
class FakeStatus:
    """What a stand-in says of itself."""

    boot_id: str
    kinds: frozenset[str]
    address: str = "198.51.100.7"

    def has_source(self, kind: str) -> bool:
        return kind in self.kinds


@dataclass
class FakeCapture:
    """One capture of a stand-in."""

    started_ns: int
    pods: tuple[str, ...]
    stopped_ns: int | None = None
    gaps: Sequence[tuple[int, int]] = ()
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    late_reads: int = 0
    longest_read_ns: int = 1
    cpu_ns: int = 0


@dataclass
class FakeReader:
    """A machine reader without a machine.

    Args:
        foreign_cores: What others use all the time; the application uses 0.5 cores.
        power_w: What a rail draws; None without a source.
        containerd: What containerd holds; None where the reader has no socket.
        problem: Raised by every call from now on.
        spoil: Changes a table before it is handed out.
    """

    foreign_cores: float = 0.1
    power_w: float | None = None
    containerd: "FakeContainerd | None" = None
    problem: Exception | None = None
    spoil: Callable[[str, SeriesTable], SeriesTable] | None = None
    captures: dict[str, FakeCapture] = field(default_factory=dict[str, FakeCapture])
    started: list[str] = field(default_factory=list[str])

    def _check(self) -> None:
        if self.problem:
            raise self.problem

    async def status(self) -> FakeStatus:
        self._check()
        return FakeStatus(boot_id(), frozenset({"machine", "containers"} | ({"power"} if self.power_w else set())))

    async def clock_offset(self, own_boot_id: str, reader_boot_id: str) -> ClockOffset:
        return ClockOffset(0, 0, "one_kernel")

    async def start(self, capture: str, pods: Sequence[str], period_s: float, max_s: float) -> None:
        self._check()
        self.started.append(capture)
        self.captures[capture] = FakeCapture(time.time_ns(), tuple(pods))

    async def stop(self, capture: str) -> FakeCapture:
        self._check()
        found = self.captures[capture]
        found.stopped_ns = found.stopped_ns or time.time_ns()
        return found

    async def delete(self, capture: str) -> None:
        self._check()
        del self.captures[capture]

    async def series(self, capture: str, kind: str) -> SeriesTable:
        self._check()
        found = self.captures[capture]
        columns = ("time_ns", "monotonic_ns", *KINDS[kind])
        shift = time.time_ns() - time.monotonic_ns()
        times = range(found.started_ns, found.stopped_ns or time.time_ns(), PERIOD_NS)
        rows = [
            (at, at - shift, *(record[name] for name in KINDS[kind]))
            for at in times
            for record in self._records(kind, at - found.started_ns, found.pods)
        ]
        table = SeriesTable(columns, tuple(rows), None if rows else "not_here")
        return self.spoil(kind, table) if self.spoil else table

    def _records(self, kind: str, since_ns: int, pods: Sequence[str]) -> list[dict[str, Any]]:
        empty: dict[str, Any] = dict.fromkeys(KINDS[kind])
        own_ns = since_ns // 2
        if kind == "machine":
            busy_ns = round(self.foreign_cores * since_ns) + own_ns * len(pods)
            return [empty | {"cpu_busy_ns": busy_ns, "cpu_total_ns": CORES * since_ns, "cpu_stolen_ns": 0}]
        if kind == "containers":
            return [empty | {"pod_uid": uid, "container_id": f"c-{uid}", "cpu_ns": own_ns} for uid in pods]
        if kind == "power" and self.power_w:
            return [empty | {"rail": "VDD_IN", "power_w": self.power_w, "is_total": True}]
        return []

    async def images(self) -> Mapping[str, Any]:
        self._check()
        if self.containerd is None:
            raise CallRefused(SERVER, "GET", "/v1/images", httpx.Response(501, json={"error": "no socket"}))
        return self.containerd.inventory()

    async def remove_images(self, digests: Sequence[str]) -> Mapping[str, Any]:
        self._check()
        if self.containerd is None:
            raise ValueError("no socket")
        return self.containerd.remove(digests)

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        self._check()
        if path == "/v1/starts":
            return NO_STARTS
        raise ValueError(f"{method} {path} is not offered here")


@dataclass
class FakeContainerd:
    """Images by digest, each with its layers; a snapshot is `chain-LAYER`."""

    images: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    content: set[str] = field(default_factory=set[str])
    snapshots: set[str] = field(default_factory=set[str])
    downloads: list[str] = field(default_factory=list[str])
    used: frozenset[str] = frozenset()

    def pull(self, digest: str, layers: Sequence[str]) -> None:
        self.images[digest] = tuple(layers)
        self.content |= {digest, f"config-{digest}", *layers}
        self.snapshots |= {f"chain-{layer}" for layer in layers}

    def inventory(self) -> dict[str, Any]:
        return {
            "images": [
                {
                    "digest": digest,
                    "config": f"config-{digest}",
                    "layers": [{"digest": layer, "chain_id": f"chain-{layer}"} for layer in layers],
                }
                for digest, layers in self.images.items()
            ],
            "content": [{"digest": digest} for digest in sorted(self.content)],
            "snapshots": [{"key": key} for key in sorted(self.snapshots)],
            "downloads": [{"reference": f"layer-{digest}"} for digest in self.downloads],
        }

    def remove(self, digests: Sequence[str]) -> dict[str, Any]:
        wanted = set(digests)
        kept = {digest for digest in self.images if digest in wanted and digest in self.used}
        needed = {part for digest in kept for part in (digest, f"config-{digest}", *self.images[digest])}
        needed |= {f"chain-{layer}" for digest in kept for layer in self.images[digest]}
        self.images = {
            digest: layers for digest, layers in self.images.items() if digest in kept | set(self.images) - wanted
        }
        self.content -= wanted - needed
        self.snapshots -= wanted - needed
        self.downloads = [digest for digest in self.downloads if digest not in wanted]
        left = [
            {"kind": "image", "digest": digest, "reason": "running containers use it: x"} for digest in sorted(kept)
        ]
        return {"removed": [], "left": left, "absent": []}


def content_of(digest: str, layers: Mapping[str, int]) -> ApplicationContent:
    """What a registry would tell of an image that `FakeContainerd.pull` knows."""
    chains = {layer: f"chain-{layer}" for layer in layers}
    return ApplicationContent(frozenset({digest}), {f"config-{digest}": 7}, dict(layers), chains)


def door(readers: Mapping[str, MachineReader]) -> Callable[[Any, Any], Open]:
    """Stand in for `probes.reader_door.reader_door`."""

    async def open_readers(_stack: AsyncExitStack) -> Mapping[str, MachineReader]:
        return readers

    return lambda _cluster, _endpoint: open_readers
