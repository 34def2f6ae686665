"""The model of the disk loses what no sync has made durable, and nothing else."""

import os
import random
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.durability.disk_model import Death, ModelledDisk

SEEDS = range(40)


@pytest.fixture
def disk(tmp_path: Path) -> Generator[ModelledDisk]:
    modelled = ModelledDisk(tmp_path)
    with modelled.watched():
        yield modelled


def write(path: Path, payload: bytes, *, sync: bool, sync_name: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, payload)
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)
    if sync_name:
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def found_after_losses(disk: ModelledDisk, path: Path, *, sync: bool, sync_name: bool) -> set[bytes | None]:
    found: set[bytes | None] = set()
    for seed in SEEDS:
        disk.format()
        write(path, b"content", sync=sync, sync_name=sync_name)
        assert path.read_bytes() == b"content"
        disk.lose_power(random.Random(seed))
        found.add(path.read_bytes() if path.exists() else None)
    return found


def test_what_is_synced_with_its_name_is_there(disk: ModelledDisk) -> None:
    assert found_after_losses(disk, disk.root / "a", sync=True, sync_name=True) == {b"content"}


def test_a_synced_file_may_lack_its_name(disk: ModelledDisk) -> None:
    assert found_after_losses(disk, disk.root / "a", sync=True, sync_name=False) == {b"content", None}


def test_a_name_may_lack_its_bytes_or_have_zeros(disk: ModelledDisk) -> None:
    found = found_after_losses(disk, disk.root / "a", sync=False, sync_name=True)
    assert None not in found
    assert {b"content", b""} < found
    assert any(content and content.endswith(b"\0") for content in found)


def test_a_folder_takes_all_below_it_away(disk: ModelledDisk) -> None:
    found: set[bool] = set()
    for seed in SEEDS:
        disk.format()
        (disk.root / "folder").mkdir()
        write(disk.root / "folder" / "a", b"content", sync=True, sync_name=True)
        disk.lose_power(random.Random(seed))
        found.add((disk.root / "folder" / "a").exists())
    assert found == {True, False}


def test_a_rename_is_there_or_not(disk: ModelledDisk) -> None:
    found: set[tuple[str, ...]] = set()
    for seed in SEEDS:
        disk.format()
        write(disk.root / "a", b"old", sync=True, sync_name=True)
        write(disk.root / "a.partial", b"new", sync=True, sync_name=True)
        (disk.root / "a.partial").rename(disk.root / "a")
        disk.lose_power(random.Random(seed))
        found.add(tuple(sorted((path.name + "=" + path.read_text()) for path in disk.root.iterdir())))
    assert found == {("a=new",), ("a.partial=new", "a=old")}


def test_after_a_failed_sync_no_later_one_helps(disk: ModelledDisk) -> None:
    found: set[bytes] = set()
    for seed in SEEDS:
        disk.format()
        write(disk.root / "a", b"first", sync=True, sync_name=True)
        disk.fail_syncs = frozenset({disk.steps + 2})
        with pytest.raises(OSError, match="Input/output"):
            write(disk.root / "a", b"second", sync=True, sync_name=True)
        write(disk.root / "a", b"third", sync=True, sync_name=True)
        disk.lose_power(random.Random(seed))
        found.add((disk.root / "a").read_bytes())
    assert b"first" in found


def test_a_process_dies_before_in_or_after_a_call(disk: ModelledDisk) -> None:
    contents: list[bytes] = []
    for phase in ("before", "middle", "after"):
        disk.format()
        disk.start(2, phase)
        with pytest.raises(Death):
            write(disk.root / "a", b"content", sync=True, sync_name=True)
        with pytest.raises(Death):
            (disk.root / "a").unlink()
        contents.append((disk.root / "a").read_bytes())
    assert contents == [b"", b"con", b"content"]


def test_a_full_disk_says_so(disk: ModelledDisk) -> None:
    disk.format(capacity_bytes=10)
    write(disk.root / "a", b"content", sync=True, sync_name=True)
    with pytest.raises(OSError, match="No space left"):
        write(disk.root / "b", b"content", sync=True, sync_name=True)
    (disk.root / "a").unlink()
    write(disk.root / "b", b"content", sync=True, sync_name=True)


def test_nothing_writes_past_the_model(disk: ModelledDisk) -> None:
    with pytest.raises(AssertionError, match="not in the model"):
        (disk.root / "a").write_bytes(b"content")
