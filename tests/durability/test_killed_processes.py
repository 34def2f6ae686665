"""Real processes that upload are killed by SIGKILL at random moments; what they leave is resumed and verified."""

import copy
import random
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.seaweedfs import BUCKET, single
from probes.integrity import MANIFEST_FILE, record_prefix
from probes.journal import is_committed
from probes.resume import needs_resuming
from probes.run_id import new_run_id
from probes.spool import Spool
from probes.store import Store
from probes.store_folder import FolderStore
from probes.store_s3 import S3Store
from probes.tree_check import check_tree
from probes.verify import app as verify_app
from tests.probes.records_at_hand import sample_manifest, sealed, varied

ROOT = Path(__file__).resolve().parents[2]
KILLED, ENDED = -9, 0
FEW, MANY = 12, 200


class Uploader:
    """Uploads whatever waits, in processes that may be killed."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.durability.resuming_process"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def upload(self, limit_s: float = -1) -> tuple[int, float]:
        """Let a process upload and kill it when its time is over; gives its exit code and how long it lived."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{limit_s}\n")
        self._process.stdin.flush()
        code, lived_s = self._process.stdout.readline().split()
        return int(code), float(lived_s)

    def end(self) -> None:
        """End."""
        self._process.communicate()


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return Spool()


@pytest.fixture
def uploader(spool: Spool) -> Generator[Uploader]:
    made = Uploader()
    yield made
    made.end()


def check_claims(spool: Spool, store: Store) -> None:
    """What the journals say to be stored is in the store, as it was sealed; verified to the last byte at the end."""
    for folder in spool.runs():
        if is_committed(folder.read_journal().entries):
            manifest = (folder.sealed / MANIFEST_FILE).read_bytes()
            assert store.get(record_prefix(folder.read_json(f"sealed/{MANIFEST_FILE}")) + MANIFEST_FILE) == manifest


def kill_again_and_again(spool: Spool, uploader: Uploader, store: Store, option: str, kills: int, **more: Any) -> None:
    """Have a new run for each kill; then let one process come to its end, and verify all."""
    chance = random.Random(kills)
    sealed(spool, varied(new_run_id(), **more), option)
    code, whole_s = uploader.upload()
    assert code == ENDED
    codes: list[int] = []
    for number in range(kills):
        sealed(spool, varied(new_run_id(), **more), option)
        # Not before the process has begun in earnest, except for the first.
        codes.append(uploader.upload(number and chance.uniform(0.1, 1.1) * whole_s)[0])
        check_claims(spool, store)
    assert set(codes) <= {KILLED, ENDED}
    assert codes[0] == KILLED
    assert uploader.upload()[0] == ENDED
    print(f"\n{codes.count(KILLED)} of {kills} uploaders were killed")  # noqa: T201 - the counts are the proof
    assert not list(filter(needs_resuming, spool.runs()))
    tree = check_tree(store)
    assert tree.all_problems == ()
    assert sorted(record.run_id for record in tree.records) == [folder.run_id for folder in spool.runs()]
    assert CliRunner().invoke(verify_app, ["--all", "--store", "own"]).exit_code == 0


def test_a_killed_uploader_to_a_folder_loses_nothing(spool: Spool, uploader: Uploader, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    kill_again_and_again(spool, uploader, FolderStore(folder), f"dir:{folder}", FEW)


@pytest.mark.full
def test_two_hundred_killed_uploaders_lose_nothing(spool: Spool, uploader: Uploader, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    kill_again_and_again(spool, uploader, FolderStore(folder), f"dir:{folder}", MANY)


@pytest.mark.store
def test_a_killed_uploader_to_seaweedfs_loses_nothing(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with single(tmp_path / "weed") as weed:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", weed.operator[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", weed.operator[1])
        outputs = copy.deepcopy(sample_manifest()["outputs"])
        outputs["records"] = {"bucket": BUCKET, "endpoint": weed.endpoint, "region": "us-east-1", "prefix": ""}
        store = S3Store(BUCKET, "killed/", weed.endpoint, "us-east-1")
        uploader = Uploader()
        try:
            kill_again_and_again(spool, uploader, store, f"s3://{BUCKET}/killed", FEW, outputs=outputs)
        finally:
            uploader.end()
