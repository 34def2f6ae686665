"""Pods over time: containers that come, go and are replaced while they are read."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images import machine_files as files
from tests.images.in_cluster import module

pod_counters = module("ros2bench_machine_reader.pod_counters")
tree = module("ros2bench_machine_reader.cgroup_tree")
counter_file = module("ros2bench_machine_reader.counter_file")
POD = f"kubepods/burstable/pod{files.UID}"


class Clock:
    """A clock that is set by hand, in ns."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def __call__(self) -> int:
        """Time."""
        return self.now_ns


class Machine:
    """A machine with one pod, whose reader has a clock of its own."""

    def __init__(self, root: Path) -> None:
        self.cgroup = files.v1(root / "cgroup")
        self.proc = files.proc(root / "proc", 11)
        files.proc(self.proc, 12, command="helper")
        self.clock = Clock()
        self.reader: Any = pod_counters.PodCounters(
            tree.find_tree(self.cgroup), self.proc, {}, real_clock_ns=self.clock, monotonic_clock_ns=self.clock
        )

    def read(self, pods: frozenset[str] | None = frozenset({files.UID})) -> dict[str, list[list[Any]]]:
        """Read a second later."""
        self.clock.now_ns += 1_000_000_000
        return self.reader.read(pods)

    def containers(self) -> list[str]:
        """Ids of what is read."""
        return [row[3] for row in self.read()["containers"]]

    def start(self, identifier: str) -> None:
        """Make another container in the pod."""
        files.v1(self.cgroup, f"{POD}/{identifier}")

    def end(self, identifier: str) -> None:
        """Remove a container's groups."""
        for controller in self.cgroup.iterdir():
            shutil.rmtree(controller / POD / identifier)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path)
    yield found
    found.reader.close()


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders whose open files answer as the kernel does for a group that was removed."""
    folders: set[Path] = set()
    real_init, real_read = counter_file.CounterFile.__init__, counter_file.CounterFile.read

    def opened(self: Any, path: Path) -> None:
        real_init(self, path)
        self.path = path

    def read(self: Any) -> bytes:
        if any(folder in self.path.parents for folder in folders):
            raise OSError(19, "No such device")
        return real_read(self)

    monkeypatch.setattr(counter_file.CounterFile, "__init__", opened)
    monkeypatch.setattr(counter_file.CounterFile, "read", read)
    return folders


def test_rows_have_the_columns_of_the_contract(machine: Machine) -> None:
    columns = module("ros2bench_machine_reader.sources").COLUMNS
    rows = machine.read()
    for kind in ("containers", "processes"):
        assert {len(row) for row in rows[kind]} == {2 + len(columns[kind])}
    (row,) = rows["containers"]
    assert row[:5] == [machine.clock.now_ns, machine.clock.now_ns, files.UID, files.ID, 20_669_897]
    assert [process[4:6] for process in rows["processes"]] == [[11, "python3"], [12, "helper"]]


def test_only_pods_that_are_asked_for_are_read(machine: Machine) -> None:
    assert machine.read(frozenset())["containers"] == []
    assert machine.read(frozenset({files.OTHER_UID}))["containers"] == []
    assert len(machine.read(None)["containers"]) == 1
    assert machine.read(frozenset())["containers"] == []


def test_a_restarted_container_is_read_under_its_new_id(machine: Machine, gone: set[Path]) -> None:
    assert machine.containers() == [files.ID]
    machine.end(files.ID)
    gone.update(machine.cgroup / name / POD / files.ID for name in files.V1_FILES)
    assert machine.containers() == []
    machine.start(files.OTHER_ID)
    assert machine.containers() == [files.OTHER_ID]


def test_a_container_that_vanishes_leaves_the_rows_of_the_others(machine: Machine, gone: set[Path]) -> None:
    machine.start(files.OTHER_ID)
    assert machine.containers() == sorted([files.ID, files.OTHER_ID])
    machine.end(files.ID)
    gone.update(machine.cgroup / name / POD / files.ID for name in files.V1_FILES)
    assert machine.containers() == [files.OTHER_ID]


def test_a_process_that_ends_or_makes_no_sense_leaves_the_rows_of_the_others(machine: Machine) -> None:
    (machine.proc / "11" / "stat").write_text("nonsense")
    assert [row[5] for row in machine.read()["processes"]] == ["helper"]
    assert machine.reader.unreadable == 1
    (machine.cgroup / "cpuacct" / files.CGROUPFS / "cgroup.procs").write_text("11\n99\n")
    assert machine.read()["processes"] == []


def test_a_list_of_processes_that_makes_no_sense_is_no_row(machine: Machine) -> None:
    assert machine.containers() == [files.ID]
    (machine.cgroup / "cpuacct" / files.CGROUPFS / "cgroup.procs").write_text("eleven\n")
    assert machine.read()["processes"] == []


def test_a_pod_is_looked_for_once_a_second_only(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    real = tree.find_pods

    def find(folder: Path, roots: list[Path]) -> dict[str, Path]:
        asked.append(folder)
        return real(folder, roots)

    monkeypatch.setattr(pod_counters, "find_pods", find)
    machine.read()
    for _ in range(5):
        machine.clock.now_ns += 100_000_000
        machine.reader.read(frozenset({files.UID}))
    assert len(asked) == 1


def test_missing_columns_are_told_once(machine: Machine) -> None:
    machine.read()
    assert machine.reader.missing["containers"] == {"io_write_bytes": "cgroup_v1_buffered"}


def test_after_letting_go_everything_is_found_anew_at_once(machine: Machine) -> None:
    assert machine.containers() == [files.ID]
    machine.reader.close()
    assert len(machine.reader.read(None)["containers"]) == 1
