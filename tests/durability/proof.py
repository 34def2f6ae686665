"""Makes runs on a modelled disk, ends their processes as told, resumes what is left by the real code, and judges it."""

import random
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import probes.resume
from probes.errors import ExitCode, ProbeError
from probes.journal import is_committed
from probes.spool import RunFolder, Spool
from probes.store import FolderStore, Store
from stacks.outputs import Records
from tests.durability.checker import check_claims, check_contents, check_promises, stored_manifests
from tests.durability.disk_model import Death, ModelledDisk, Phase
from tests.durability.scripted_run import History, Shape, measure, perform, resume_all
from tests.durability.stand_ins import Fault, InMemoryBucket, computed_once

MOST_RESUMES = 6
RESUME_STEPS = 60
BUCKET = "s3://bucket"


@dataclass(frozen=True)
class Kill:
    """How one process ends: how far it comes of all its calls, in which phase of one, with a loss of power or not."""

    share: float
    phase: Phase
    loses_power: bool
    seed: int


@dataclass(frozen=True)
class Undisturbed:
    """What a run takes that nothing disturbs: calls that change the disk, those that sync, bytes on the disk."""

    steps: int
    syncs: tuple[int, ...]
    size_bytes: int


@dataclass
class Scene:
    """An empty disk with what a run needs, and what was promised since."""

    shape: Shape
    spool: Spool
    store: Store
    option: str
    history: History = field(default_factory=History)

    def perform(self) -> None:
        """Make the run."""
        perform(self.spool, self.shape, self.history, self.option)

    def measure(self) -> RunFolder:
        """Make the run up to its last repetition."""
        return measure(self.spool, self.shape, self.history, self.option)

    def resume(self) -> list[ExitCode]:
        """Do what `python -m probes.resume` does; gives the codes."""
        return resume_all(self.spool, self.history)

    def judge(self) -> None:
        """Check what must hold at any moment."""
        check_claims(self.spool, self.store)
        check_promises(self.store, self.history)


@dataclass
class Proof:
    """A disk on which run after run is made; `counts` is what came of all."""

    disk: ModelledDisk
    counts: Counter[str] = field(default_factory=Counter[str])
    bucket: InMemoryBucket | None = None
    _undisturbed: dict[Shape, Undisturbed] = field(default_factory=dict[Shape, Undisturbed])

    def open_store(self, option: str | None, _records: Records) -> Store:
        """Open what a run was started with."""
        if option == BUCKET and self.bucket:
            return self.bucket
        return FolderStore(Path(str(option).removeprefix("dir:")))

    def begin(self, shape: Shape, faults: Mapping[int, Fault] | None = None, capacity: int | None = None) -> Scene:
        """Make everything empty."""
        self.disk.format(capacity)
        self.bucket = InMemoryBucket(self.disk, faults)
        folder = self.disk.root / "store"
        spool = Spool(self.disk.root / "data" / "ros2bench" / "spool")
        if shape.store == "bucket":
            return Scene(shape, spool, self.bucket, BUCKET)
        return Scene(shape, spool, FolderStore(folder), f"dir:{folder}")

    def undisturbed(self, shape: Shape) -> Undisturbed:
        """Make a run that nothing disturbs, and tell what it takes."""
        if shape not in self._undisturbed:
            scene = self.begin(shape)
            scene.perform()
            used = sum(path.stat().st_size for path in self.disk.root.rglob("*") if path.is_file())
            self._undisturbed[shape] = Undisturbed(self.disk.steps, tuple(self.disk.syncs), used)
            scene.judge()
            assert check_contents(scene.store, scene.history, shape) == ("complete" if shape.passes else "invalid")
        return self._undisturbed[shape]

    def kill(self, shape: Shape, kills: Sequence[Kill], faults: Mapping[int, Fault] | None = None) -> None:
        """Make a run whose processes end as told, resume it to its end, and judge it after each."""
        total = self.undisturbed(shape).steps
        scene = self.begin(shape, faults)
        for number, kill in enumerate(kills):
            self.disk.start(1 + int(kill.share * (RESUME_STEPS if number else total)), kill.phase)
            try:
                if number:
                    scene.resume()
                else:
                    scene.perform()
            except ProbeError:
                self.counts["runs that end without a store"] += 1
            except Death:
                self.counts["kill points"] += 1
                self.counts[f"killed while {'resuming' if number else 'running'}"] += 1
                if kill.loses_power:
                    self.counts["losses of power"] += 1
                    self.disk.lose_power(random.Random(kill.seed))
            self.disk.start()
            scene.judge()
        self.finish(scene, kills[-1].seed)

    def finish(self, scene: Scene, seed: int) -> None:
        """Resume until nothing waits, have the power fail once more, and judge the record."""
        codes: list[ExitCode] = []
        for _ in range(MOST_RESUMES):
            found = scene.resume()
            codes += found
            if not found:
                break
        assert set(codes) <= {ExitCode.COMMITTED, ExitCode.STORED_LOCALLY}
        scene.judge()
        self.disk.lose_power(random.Random(seed))
        scene.judge()
        # A line that was read but never synced may be gone; the record is not.
        scene.resume()
        scene.judge()
        if not scene.history.synced and not stored_manifests(scene.store):
            self.counts["runs that measured nothing"] += 1
            return
        assert all(is_committed(folder.read_journal().entries) for folder in scene.spool.runs())
        self.counts[f"records {check_contents(scene.store, scene.history, scene.shape)}"] += 1


@contextmanager
def proving(root: Path) -> Generator[Proof]:
    """Watch the disk below a folder, with stores that the proof opens and a clock that is the same each time."""
    now_ns = iter(range(10**18, 2 * 10**18, 1000))
    with pytest.MonkeyPatch.context() as patch, computed_once():
        proof = Proof(ModelledDisk(root))
        patch.setattr(probes.resume, "open_store", proof.open_store)
        patch.setattr(time, "time_ns", lambda: next(now_ns))
        with proof.disk.watched():
            yield proof
