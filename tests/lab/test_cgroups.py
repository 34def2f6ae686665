"""Cgroups of a machine on both versions of the kernel's interface, on folders that stand in for the kernel's."""

from pathlib import Path

import pytest

from lab import cgroups
from lab.errors import LabError


def v1_stand_in(tmp_path: Path) -> Path:
    for controller in ("cpu", "memory", "cpuset"):
        (tmp_path / controller).mkdir()
    (tmp_path / "cpu,cpuacct").symlink_to(tmp_path / "cpu")
    for key, value in (("cpuset.cpus", "0-1"), ("cpuset.mems", "0")):
        (tmp_path / "cpuset" / key).write_text(value)
    return tmp_path


def v2_stand_in(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids rdma")
    (tmp_path / "cgroup.subtree_control").write_text("")
    return tmp_path


def test_v1_group_is_made_in_every_hierarchy_with_its_processors(tmp_path: Path) -> None:
    mount = v1_stand_in(tmp_path)
    cgroups.make_groups("demo", "edge", mount)
    assert {root.name for root in cgroups.hierarchies(mount)} == {"cpu", "memory", "cpuset"}
    assert all((mount / c / "ros2bench-demo" / "edge").is_dir() for c in ("cpu", "memory", "cpuset"))
    assert (mount / "cpuset" / "ros2bench-demo" / "edge" / "cpuset.cpus").read_text() == "0-1"


def test_v2_passes_on_only_the_controllers_that_the_host_has(tmp_path: Path) -> None:
    mount = v2_stand_in(tmp_path)
    (mount / "ros2bench-demo").mkdir()
    (mount / "ros2bench-demo" / "cgroup.controllers").write_text("cpu memory")
    cgroups.make_groups("demo", "edge", mount)
    assert cgroups.is_v2(mount)
    assert (mount / "cgroup.subtree_control").read_text() == "+pids"  # the last of cpu, memory, pids
    assert (mount / "ros2bench-demo" / "cgroup.subtree_control").read_text() == "+memory"
    assert (mount / "ros2bench-demo" / "edge").is_dir()


def test_groups_are_removed_leaves_first_and_other_groups_stay(tmp_path: Path) -> None:
    for controller in ("cpu", "memory"):
        (tmp_path / controller / "ros2bench-demo" / "edge" / "kubepods" / "pod1").mkdir(parents=True)
        (tmp_path / controller / "ros2bench-other").mkdir()
    cgroups.remove_groups("demo", tmp_path, timeout_s=1)
    assert [p.name for p in (tmp_path / "cpu").iterdir()] == ["ros2bench-other"]


def test_a_group_in_use_is_named(tmp_path: Path) -> None:
    group = tmp_path / "cpu" / "ros2bench-demo"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("4711\n")
    with pytest.raises(LabError, match="4711"):
        cgroups.remove_groups("demo", tmp_path, timeout_s=0)
