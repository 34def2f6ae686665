"""Stand-ins for what lasts longer than one deployment: an application that is updated, and a world around it."""
# ruff: noqa: D102 - methods are those of the stand-ins that they extend

import io
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from probes.console import Screen
from probes.registry import RegistryProblem
from probes.spool import RunFolder, Spool
from probes.store import FolderStore, Store
from probes.world import World
from stacks.outputs import StackOutputs
from tests.probes.standins import Deployment, StandInCluster, StandInRecorder, StandInTarget, outputs_of


@dataclass
class Epochs(Deployment):
    """An application whose earlier versions have published too: a capture that goes on holds their samples."""

    past: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    down_s: float = 0.0

    def start(self, stack: str = "monolithic") -> None:
        if self.since_ns is not None:
            self.past.append((self.since_ns, time.time_ns()))
            time.sleep(self.down_s)
        super().start(stack)

    def rows(self, start_ns: int, end_ns: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        own = self.since_ns
        parts: list[Any] = []
        for since_ns, until_ns in self.past:
            self.since_ns = since_ns
            parts.append(super().rows(start_ns, min(end_ns, until_ns)))
        self.since_ns = own
        return np.concatenate([*parts, super().rows(start_ns, end_ns)])


@dataclass
class Outside:
    """All stand-ins of one test as a world, and what was shown."""

    root: Path
    application: Epochs
    recorder: StandInRecorder
    target: StandInTarget
    cluster: StandInCluster
    store: Store
    shown: io.StringIO = field(default_factory=io.StringIO)
    result: io.StringIO = field(default_factory=io.StringIO)

    def world(self) -> World:
        screen = Screen(progress=Console(file=self.shown, width=300), result=Console(file=self.result, width=300))
        return World(self.target, self.connect, Spool(self.root), lambda _option, _records: self.store, screen)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[StandInCluster]:
        yield self.cluster

    def folders(self) -> list[RunFolder]:
        return Spool(self.root).runs()


def outside(root: Path, recorder: StandInRecorder, application: Epochs, **stacks: StackOutputs) -> Outside:
    """Make a world around a recorder."""
    return Outside(
        root=root / "spool",
        application=application,
        recorder=recorder,
        target=StandInTarget(application, stacks or {"monolithic": outputs_of()}),
        cluster=StandInCluster(application, recorder),
        store=FolderStore(root / "store"),
    )


def shorten(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Wait less, look up no registry, and write below a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(root / "data"))
    monkeypatch.delenv("ROS2BENCH_REGISTRY_CA", raising=False)
    monkeypatch.setattr("probes.session.absent_images", all_there)
    monkeypatch.setattr("probes.deploy.POLL_S", 0.02)
    monkeypatch.setattr("probes.beginning.POLL_S", 0.02)
    monkeypatch.setattr("probes.beginning.DISCOVERY_POLL_S", 0.02)
    monkeypatch.setattr("probes.turn.BASELINE_S", 0.05)
    monkeypatch.setattr("probes.turn.SETTLE_S", 0.05)
    monkeypatch.setattr("probes.turn.POLL_S", 0.02)
    monkeypatch.setattr("probes.measurements.images._measure", no_registry)


def all_there(_references: list[str]) -> list[str]:
    """Answer as a registry that lacks nothing."""
    return []


def no_registry(*_arguments: Any) -> Any:
    """Answer as a registry that cannot be reached."""
    raise RegistryProblem("registry_unreachable", "no registry in a test")
