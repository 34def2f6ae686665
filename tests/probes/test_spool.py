"""Files of a run appear whole or not at all; a full disk is said in words and the reserve is given back."""

import errno
import os
from pathlib import Path

import pytest

from probes.errors import DiskFailed, ExitCode, SpoolDamaged, SpoolFull, UsageError
from probes.spool import RESERVE_BYTES, RunFolder, Spool, cache_home, data_home


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert (data_home(), cache_home()) == (Path("/d/ros2bench"), Path("/c/ros2bench"))
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert data_home() == Path("/h/.local/share/ros2bench")


def test_a_run_keeps_space_free_for_its_seal(tmp_path: Path) -> None:
    folder = Spool(tmp_path).create("run")
    assert (folder.path / "reserve").stat().st_size == RESERVE_BYTES
    folder.release()
    folder.release()
    assert not (folder.path / "reserve").exists()


def test_a_full_disk_leaves_the_old_file_and_no_partial_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.write("a.json", b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SpoolFull, match="is full") as caught:
        folder.write("a.json", b"new")
    assert caught.value.next_step
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"old"


def test_a_disk_that_fails_is_named_and_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.write("a.json", b"old")

    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(DiskFailed, match="Input/output") as caught:
        folder.write("a.json", b"new")
    assert caught.value.exit_code == ExitCode.ABORTED
    assert (tmp_path / "a.json").read_bytes() == b"old"


def test_a_sync_that_failed_once_is_repeated_with_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, files = os.fsync, list[int]()

    def broken_once(descriptor: int) -> None:
        files.append(os.fstat(descriptor).st_ino)
        if len(files) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", broken_once)
    RunFolder(tmp_path).write("a.json", b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert (tmp_path / "a.json.failed").read_bytes() == b"new"
    assert files[0] != files[1]


def test_another_error_is_no_disk_that_is_full_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_descriptor: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match="not permitted"):
        RunFolder(tmp_path).write("a.json", b"new")


def test_what_is_reserved_only_grows(tmp_path: Path) -> None:
    folder = Spool(tmp_path).create("run")
    folder.reserve(RESERVE_BYTES + 4096)
    folder.reserve(RESERVE_BYTES)
    assert folder.reserved_bytes() == RESERVE_BYTES + 4096


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_json_file_that_is_not_readable_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(SpoolDamaged, match=r"a\.json") as caught:
        RunFolder(tmp_path).read_json("a.json")
    assert caught.value.next_step


def test_a_run_is_found_by_a_part_of_its_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for name in ("0199-aaaa", "0199-bbbb"):
        (tmp_path / name).mkdir()
    assert spool.find("bbbb").run_id == "0199-bbbb"
    with pytest.raises(UsageError, match="several runs match '0199'"):
        spool.find("0199")
    with pytest.raises(UsageError, match="no run matches 'x'"):
        spool.find("x")


def test_an_empty_spool_has_no_runs_and_still_knows_its_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "not" / "yet")
    assert spool.runs() == []
    assert spool.free_bytes() > 0
