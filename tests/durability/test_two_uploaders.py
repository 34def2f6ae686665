"""Two machines have a run of one identifier: one record is stored; the other success, or a conflict that is said."""

import json
import shutil
from pathlib import Path

import pytest

from probes.doctor import diagnose
from probes.errors import ExitCode
from probes.integrity import MANIFEST_FILE
from probes.journal import Journal
from probes.record import CONFLICT, End, seal
from probes.resume import Resumed, needs_resuming, resume_run
from probes.spool import RunFolder
from tests.durability.checker import check_whole, stored_manifests
from tests.durability.disk_model import Death
from tests.durability.proof import Proof, Scene
from tests.durability.scripted_run import RUN_ID, Shape

SHAPE = Shape(repetitions=1, copies=1)
PUTS = 7


def two_sealed(proof: Proof, *, equal: bool) -> tuple[Scene, RunFolder, RunFolder]:
    """Seal a run here, and the same run, or another one of its name, on another machine."""
    scene = proof.begin(SHAPE)
    folder = scene.measure()
    other = RunFolder(proof.disk.root / "elsewhere" / RUN_ID)
    with proof.disk.unwatched():
        shutil.copytree(folder.path, other.path)
    proof.disk.adopt()
    for each, end in (
        (folder, End("complete", None)),
        (other, End("complete", None) if equal else End("aborted", "interrupted")),
    ):
        with Journal(each.path) as journal:
            seal(each, journal, end)
    return scene, folder, other


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("turn", range(1, PUTS + 1))
def test_one_record_is_stored_whenever_the_other_comes(proof: Proof, turn: int, *, equal: bool) -> None:
    scene, here, elsewhere = two_sealed(proof, equal=equal)
    assert proof.bucket is not None
    others: list[Resumed] = []
    proof.bucket.meanwhile[turn] = lambda: others.append(resume_run(elsewhere, None))
    mine = resume_run(here, None)
    codes = {mine.code, others[0].code}
    assert codes == ({ExitCode.COMMITTED} if equal else {ExitCode.COMMITTED, ExitCode.CONFLICT})
    [key] = stored_manifests(scene.store)
    check_whole(scene.store, key)
    winner = here if mine.code == ExitCode.COMMITTED else elsewhere
    assert scene.store.get(key) == (winner.sealed / MANIFEST_FILE).read_bytes()
    if not equal:
        loser = elsewhere if winner is here else here
        assert loser.read_journal().entries[-1].reason == CONFLICT
        assert diagnose(loser).kinds[0] == "conflict"
        assert "both are kept" in diagnose(loser).advice[0].text
        assert resume_run(loser, None).code == ExitCode.CONFLICT
        assert needs_resuming(loser)
        assert loser.is_sealed


@pytest.mark.parametrize("turn", range(1, PUTS + 1))
def test_who_dies_half_way_may_come_again(proof: Proof, turn: int) -> None:
    scene, here, elsewhere = two_sealed(proof, equal=True)
    assert proof.bucket is not None
    proof.bucket.meanwhile[turn] = lambda: proof.disk.start(1 + turn % 3, "after")
    with pytest.raises(Death):
        resume_run(here, None)
    proof.disk.start()
    assert resume_run(elsewhere, None).code == ExitCode.COMMITTED
    assert resume_run(here, None).code == ExitCode.COMMITTED
    [key] = stored_manifests(scene.store)
    check_whole(scene.store, key)
    assert json.loads(scene.store.get(key))["state"] == "complete"


def test_a_conflict_elsewhere_takes_nothing_from_a_stored_record(proof: Proof) -> None:
    scene, here, _ = two_sealed(proof, equal=True)
    assert resume_run(here, None).code == ExitCode.COMMITTED
    taken = Path(str(proof.disk.root / "store"))
    [key] = stored_manifests(scene.store)
    with proof.disk.unwatched():
        (taken / key).parent.mkdir(parents=True)
        (taken / key).write_bytes(b"{}")
    proof.disk.adopt()
    assert resume_run(here, f"dir:{taken}").code == ExitCode.CONFLICT
    assert diagnose(here).kinds == ("stored",)
    assert not needs_resuming(here)
