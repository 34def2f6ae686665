"""Control groups of a baseline: named as those of pods, counting only, and gone at the end."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from probes.baseline.groups import ControlGroups, Group, hierarchies, joining, pass_down, remove_group
from probes.errors import TargetError


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """Hierarchies as a machine with v1 mounts them."""
    mount = tmp_path / "cgroup"
    for name in ("blkio", "cpu,cpuacct", "freezer", "memory", "unified"):
        (mount / name).mkdir(parents=True)
    (mount / "cpuacct").symlink_to("cpu,cpuacct")
    (mount / "unified" / "cgroup.controllers").write_text("hugetlb\n")
    return mount


def refuse(text: str) -> None:
    raise AssertionError(text)


def test_groups_are_made_where_something_is_counted(v1: Path, tmp_path: Path) -> None:
    assert [folder.name for folder in hierarchies(v1)] == ["blkio", "cpu,cpuacct", "memory"]
    (v1 / "unified" / "cgroup.controllers").write_text("hugetlb io\n")
    assert v1 / "unified" in hierarchies(v1)
    v2 = tmp_path / "v2"
    v2.mkdir()
    (v2 / "cgroup.controllers").write_text("")
    assert hierarchies(v2) == [v2]


def test_a_container_has_the_same_names_in_every_hierarchy_and_leaves_none(v1: Path) -> None:
    before = sorted(v1.rglob("*"))
    made = ControlGroups(refuse, v1)
    made.prepare()
    first, second = made.make(), made.make()
    places = {folder.relative_to(v1 / folder.relative_to(v1).parts[0]) for folder in first.folders}
    assert len(first.folders) == 3
    (place,) = places
    assert place.parts[0].startswith("ros2bench-baseline-")
    assert place.parts[1:] == ("kubepods", f"pod{first.pod_uid}", first.container_id)
    assert first.pod_uid != second.pod_uid
    made.remove(first)
    assert not any(folder.parent.exists() for folder in first.folders)
    assert all(folder.is_dir() for folder in second.folders)
    made.close()
    assert sorted(v1.rglob("*")) == before


def test_a_hierarchy_that_cannot_be_written_is_told_and_left_out(v1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    make = Path.mkdir

    def refused(path: Path, *arguments: Any) -> None:
        if "memory" in path.parts:
            raise PermissionError(1, "Operation not permitted")
        make(path, *arguments)

    monkeypatch.setattr(Path, "mkdir", refused)
    made = ControlGroups(notes.append, v1)
    made.prepare()
    group = made.make()
    made.close()
    assert len(group.folders) == 2
    (note,) = notes
    assert str(v1 / "memory") in note
    assert "Operation not permitted" in note


def test_a_machine_without_control_groups_is_told(tmp_path: Path) -> None:
    notes: list[str] = []
    made = ControlGroups(notes.append, tmp_path / "none")
    made.prepare()
    assert made.make().folders == ()
    made.close()
    assert "has no control groups" in notes[0]


def test_in_v2_what_counts_is_passed_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    pass_down(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+io +memory"


def test_in_v2_what_is_not_passed_down_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    make, notes = Path.mkdir, list[str]()

    def make_as_the_kernel(path: Path, *arguments: Any) -> None:
        make(path, *arguments)
        (path / "cgroup.controllers").write_text("memory\n")

    monkeypatch.setattr(Path, "mkdir", make_as_the_kernel)
    made = ControlGroups(notes.append, tmp_path)
    made.prepare()
    group = made.make()
    assert [note for note in notes if "does not name io" in note] == notes
    assert len(notes) == 1
    (folder,) = group.folders
    assert (folder.parent / "cgroup.subtree_control").read_text() == "+memory"
    # Processes and groups that count cannot be in the same group.
    assert not (folder / "cgroup.subtree_control").exists()


def test_a_command_joins_before_it_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "group"
    folder.mkdir()
    words = joining(Group("uid", "id", (folder,)), ["sh", "-c", 'echo "$$ $1"', "sh", "--"])
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    pid, rest = done.stdout.split()
    assert (folder / "cgroup.procs").read_text().strip() == pid
    assert rest == "--"


def test_a_group_that_cannot_be_joined_is_removed_and_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, called = tmp_path / "group", tmp_path / "called"
    # A folder in its place refuses to be written, as the kernel may.
    (folder / "cgroup.procs").mkdir(parents=True)
    stand_in = tmp_path / "bin" / "rmdir"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\necho "$1" > {called}\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
    words = joining(Group("uid", "id", (folder,)), ["echo", "ran"])
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "ran\n"
    assert called.read_text().strip() == str(folder)


def test_what_is_left_in_a_group_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []

    def end(pid: int, _: int) -> None:
        killed.append(pid)
        (tmp_path / "group" / "cgroup.procs").unlink()

    monkeypatch.setattr(os, "kill", end)
    (tmp_path / "group").mkdir()
    # Those of other PID namespaces are listed as 0.
    (tmp_path / "group" / "cgroup.procs").write_text("0\n4242\n")
    remove_group(tmp_path / "group")
    remove_group(tmp_path / "group")
    assert killed == [4242]


def test_a_group_that_stays_in_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match="cannot be removed") as problem:
        remove_group(tmp_path, limit_s=0.0)
    assert problem.value.next_step == f"rmdir {tmp_path}"
