"""Faults of disk, journal and schema: a full disk, failing syncs, a garbled journal, records of other versions.

Of each at least twenty seeds. Nothing that was promised is lost, nothing wrong is said in silence, and what the user
reads names the cause and what to type.
"""

import contextlib
import json
import random
from collections.abc import Callable

import pytest

from probes.errors import DiskFailed, ExitCode, ProbeError, SpoolFull
from probes.integrity import MANIFEST_FILE, check_record
from probes.journal import JOURNAL_FILE, QUARANTINE_FILE, Journal, encode_entry, recover
from probes.record import End, seal
from probes.resume import resume_run
from probes.spool import RESERVE_BYTES
from tests.durability.checker import check_contents, stored_manifests
from tests.durability.proof import BUCKET, Proof, Scene
from tests.durability.scripted_run import RUN_ID, Shape

SEEDS = 24
SHAPE = Shape(repetitions=2, copies=2)
EARLY_ENDS = frozenset({"spool_full", "disk_failed"})


def contents(scene: Scene) -> None:
    """Judge the record."""
    scene.judge()
    check_contents(scene.store, scene.history, scene.shape, EARLY_ENDS)


# 36: the disk of the spool is full.


def run_on_a_disk_of(proof: Proof, capacity: int) -> tuple[Scene, ProbeError | None]:
    scene = proof.begin(SHAPE, capacity=capacity)
    try:
        scene.perform()
    except ProbeError as problem:
        return scene, problem
    return scene, None


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_full_disk_ends_the_run_with_a_sealed_record(proof: Proof, seed: int) -> None:
    used = proof.undisturbed(SHAPE).size_bytes
    scene, problem = run_on_a_disk_of(proof, RESERVE_BYTES + random.Random(seed).randint(2_000, 2 * used // 3))
    assert problem is None
    if scene.history.synced:
        contents(scene)
    [key] = stored_manifests(scene.store)
    found = json.loads(scene.store.get(key))
    assert (found["state"], found["reason"]) in {("aborted", "spool_full"), ("complete", None)}


def test_a_disk_without_room_for_the_reserve_is_found_before_the_run(proof: Proof) -> None:
    scene, problem = run_on_a_disk_of(proof, RESERVE_BYTES // 2)
    assert isinstance(problem, SpoolFull)
    assert "is full" in problem.message
    assert "probes.doctor" in problem.next_step
    assert scene.history.synced == {}


def test_a_seal_without_room_waits_for_room(proof: Proof) -> None:
    scene = proof.begin(SHAPE)
    scene.perform()
    [folder] = scene.spool.runs()
    for path in folder.sealed.iterdir():
        path.unlink()
    folder.sealed.rmdir()
    with Journal(folder.path) as journal:
        journal.append("collected")
    proof.disk.capacity_bytes = 100
    resumed = resume_run(folder, "dir:" + str(proof.disk.root / "other"))
    assert resumed.code == ExitCode.ABORTED
    assert "is full" in resumed.text
    proof.disk.capacity_bytes = None
    assert resume_run(folder, None).code == ExitCode.COMMITTED
    contents(scene)


# 37: a sync returns EIO.


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_sync_that_fails_once_loses_nothing(proof: Proof, seed: int) -> None:
    for sync in proof.undisturbed(SHAPE).syncs[seed::SEEDS]:
        scene = proof.begin(SHAPE)
        proof.disk.fail_syncs = frozenset({sync})
        with contextlib.suppress(DiskFailed):
            scene.perform()
        proof.disk.lose_power(random.Random(seed))
        scene.judge()
        proof.disk.start()
        for _ in range(3):
            scene.resume()
        if scene.history.synced:
            contents(scene)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_disk_that_fails_for_good_keeps_what_it_took(proof: Proof, seed: int) -> None:
    first = random.Random(seed).choice(proof.undisturbed(SHAPE).syncs)
    scene = proof.begin(SHAPE)
    proof.disk.fail_syncs = frozenset(range(first, first + 10_000))
    with pytest.raises(DiskFailed, match=r"fails|takes no more") as caught:
        scene.perform()
    assert "probes.doctor" in caught.value.next_step
    proof.disk.lose_power(random.Random(seed))
    proof.disk.fail_syncs = frozenset()
    proof.disk.start()
    for _ in range(3):
        scene.resume()
    if scene.history.synced:
        contents(scene)


# 44: the journal is torn, garbled, repeated, in another order, foreign, or ends in zeros.


def torn(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randint(0, len(content) - 1)]


def repeated(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])


def reordered(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    one = chance.randrange(len(lines) - 1)
    lines[one], lines[one + 1] = lines[one + 1], lines[one]
    return b"".join(lines)


def left_out(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.pop(chance.randrange(len(lines) - 1))
    return b"".join(lines)


def garbled(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= chance.randint(1, 255)
    return bytes(changed)


def zeroed(content: bytes, chance: random.Random) -> bytes:
    cut = chance.randint(0, len(content) - 1)
    return content[:cut] + bytes(len(content) - cut)


def foreign(content: bytes, chance: random.Random) -> bytes:
    """Have a line of another run's journal among the lines."""
    lines = content.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[:at], other_journal(content).splitlines(keepends=True)[at], *lines[at:]])


def exchanged(content: bytes, chance: random.Random) -> bytes:
    """Have the journal of another run in its place."""
    lines = other_journal(content).splitlines(keepends=True)
    return b"".join(lines[: chance.randint(1, len(lines))])


def other_journal(content: bytes) -> bytes:
    """Write the same entries as the journal of another run would."""
    chain, lines = "01990000-0000-7000-8000-00000000beef", b""
    for entry in recover(content, RUN_ID).entries:
        line, chain = encode_entry(entry, chain)
        lines += line
    return lines


@pytest.mark.parametrize("damage", [torn, repeated, reordered, left_out, garbled, zeroed, foreign, exchanged])
def test_a_garbled_journal_costs_no_measurement(proof: Proof, damage: Callable[[bytes, random.Random], bytes]) -> None:
    for seed in range(SEEDS):
        scene = proof.begin(SHAPE)
        folder = scene.measure()
        path = folder.path / JOURNAL_FILE
        whole = path.read_bytes()
        content = damage(whole, random.Random(seed))
        proof.disk.overwrite(path, content)
        true_entries = recover(whole, RUN_ID).entries
        told = folder.read_journal().entries
        assert told == true_entries[: len(told)]
        resumed = resume_run(folder, None if told else BUCKET)
        assert resumed.code == ExitCode.COMMITTED, resumed.text
        scene.history.is_stored(folder, resumed.text)
        contents(scene)
        intact = recover(content, RUN_ID).intact_bytes
        assert path.read_bytes().startswith(content[:intact])
        if intact < len(content):
            assert (folder.path / QUARANTINE_FILE).read_bytes() == content[intact:]


def test_a_lost_journal_leaves_a_sealed_record_and_asks_for_the_store(proof: Proof) -> None:
    scene = proof.begin(SHAPE)
    folder = scene.measure()
    proof.disk.overwrite(folder.path / JOURNAL_FILE, b"")
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.STORED_LOCALLY
    assert f"probes.resume {RUN_ID} --store" in resumed.text
    assert folder.is_sealed
    assert resume_run(folder, BUCKET).code == ExitCode.COMMITTED
    contents(scene)


# 45: schemas of other versions, and tables that are not of their schema.


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_sealed_record_of_another_schema_is_not_touched(proof: Proof, seed: int) -> None:
    scene = proof.begin(SHAPE)
    folder = scene.measure()
    with Journal(folder.path) as journal:
        seal(folder, journal, End("complete", None))
    path = folder.sealed / MANIFEST_FILE
    schema = random.Random(seed).randint(2, 99)
    content = json.dumps(folder.read_json(f"sealed/{MANIFEST_FILE}") | {"schema": schema}).encode()
    proof.disk.overwrite(path, content)
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.USAGE
    assert f"schema {schema}" in resumed.text
    assert path.read_bytes() == content
    assert scene.store.list("") == ()
    [problem] = check_record(content, lambda _name: None).problems
    assert problem.kind == "newer"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_damaged_sealed_file_is_kept_aside_and_the_record_made_anew(proof: Proof, seed: int) -> None:
    chance = random.Random(seed)
    scene = proof.begin(SHAPE)
    folder = scene.measure()
    with Journal(folder.path) as journal:
        seal(folder, journal, End("complete", None))
    before = {path.name: path.read_bytes() for path in folder.sealed.iterdir()}
    name = chance.choice(sorted(before))
    damaged = chance.choice((torn, garbled, zeroed))(before[name], chance)
    proof.disk.overwrite(folder.sealed / name, damaged)
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.COMMITTED, resumed.text
    scene.history.is_stored(folder, resumed.text)
    contents(scene)
    assert {path.name: path.read_bytes() for path in folder.sealed.iterdir()} == before
    assert (folder.path / "sealed.damaged" / name).read_bytes() == damaged


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_damaged_repetition_makes_the_record_invalid_and_says_which_file(proof: Proof, seed: int) -> None:
    chance = random.Random(seed)
    scene = proof.begin(SHAPE)
    folder = scene.measure()
    files = sorted(path for path in folder.repetitions.iterdir() if not path.name.startswith("run."))
    path = chance.choice(files)
    content = chance.choice((torn, garbled, zeroed))(path.read_bytes(), chance)
    proof.disk.overwrite(path, content)
    assert resume_run(folder, None).code == ExitCode.COMMITTED
    scene.judge()
    [key] = stored_manifests(scene.store)
    manifest = json.loads(scene.store.get(key))
    assert manifest["damaged"] == [f"repetitions/{path.name}"]
    assert (manifest["state"], manifest["reason"]) in {("invalid", "damaged_files"), ("aborted", "process_ended")}
    assert path.read_bytes() == content
