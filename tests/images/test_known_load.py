"""A process that takes a known share of a processor, read through this machine's own counters (proof 9)."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probes.counter_rates import Track, largest_rate, mean_rate, track
from probes.energy import Unmeasured
from probes.evidence import SeriesTable
from probes.samples import Window
from tests.images.in_cluster import module

pytestmark = pytest.mark.image

pod_counters = module("ros2bench_machine_reader.pod_counters")
cgroup_tree = module("ros2bench_machine_reader.cgroup_tree")
sources = module("ros2bench_machine_reader.sources")
CGROUPS = Path("/sys/fs/cgroup")
PERIOD_NS = 100_000_000
DURATION_S = 12
LARGEST_ERROR = 0.02
# One thread, but a tick of the kernel is booked as a whole.
MOST_CORES = 1.3
# Keeps its own account, because a machine that is busy with something else may not give it all that it wants.
PROGRAM = """
import signal, sys, time
share, pause_s, account = float(sys.argv[1]), 0.01, []
def tell(*_):
    print(*(f"{at} {spent}" for at, spent in account), sep="\\n", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, tell)
begun_s, spent_s = time.monotonic(), time.process_time()
print("begun", flush=True)
while True:
    account.append((time.monotonic_ns(), time.process_time_ns()))
    behind_s = share * (time.monotonic() - begun_s) - (time.process_time() - spent_s)
    if behind_s <= 0:
        time.sleep(pause_s)
        continue
    until_s = time.process_time() + min(behind_s, 0.05)
    while time.process_time() < until_s:
        pass
"""


@pytest.fixture
def pod() -> Iterator[tuple[str, str, list[Path]]]:
    """A real control group in the place of a pod's container: its UID, its id and its folders."""
    if os.geteuid() != 0:
        pytest.skip("control groups are made by root")
    tree = cgroup_tree.find_tree(CGROUPS)
    uid, identifier = str(uuid.uuid4()), uuid.uuid4().hex * 2
    group = Path(f"ros2bench-test-{os.getpid()}") / "kubepods" / f"pod{uid}" / identifier
    folders = sorted({hierarchy.folder / group for hierarchy in tree.controllers.values()})
    try:
        for folder in folders:
            folder.mkdir(parents=True)
        yield uid, identifier, folders
    finally:
        for folder in folders:
            for each in (folder, *list(folder.parents)[:3]):
                if each.exists():
                    _remove(each)


def _remove(folder: Path) -> None:
    """Remove a group; the kernel lets go of an ended process's group a moment late."""
    for _ in range(50):
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.02)
        else:
            return
    folder.rmdir()


def recorded(uid: str) -> dict[str, SeriesTable]:
    """What the reader says of the pod, ten times a second on an absolute schedule."""
    reader: Any = pod_counters.PodCounters(cgroup_tree.find_tree(CGROUPS), Path("/proc"), {})
    rows: dict[str, list[tuple[Any, ...]]] = {"containers": [], "processes": []}
    due_ns = time.monotonic_ns()
    for _ in range(DURATION_S * 10):
        for kind, found in reader.read({uid}).items():
            rows[kind] += map(tuple, found)
        due_ns += PERIOD_NS
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
    reader.close()
    return {kind: SeriesTable(("time_ns", "monotonic_ns", *sources.COLUMNS[kind]), tuple(rows[kind])) for kind in rows}


def cores(table: SeriesTable) -> tuple[float, float | None, int, int]:
    """Mean and largest processor use, and from which to which monotonic time."""
    times = [int(str(each)) for each in table.column("time_ns")]
    ahead_ns = times[0] - int(str(table.column("monotonic_ns")[0]))
    window = Window(times[0], times[-1])
    found = track(list(table.records()), "cpu_ns", table, window)
    assert isinstance(found, Track)
    mean, largest = mean_rate(found), largest_rate([found], 0.1)
    assert not isinstance(mean, Unmeasured)
    return mean / 1e9, None if largest is None else largest / 1e9, times[0] - ahead_ns, times[-1] - ahead_ns


def truth(account: str, from_ns: int, to_ns: int) -> float:
    """Processor use by the program's own account."""
    points = np.array([line.split() for line in account.splitlines() if line], dtype=np.float64)
    spent = np.interp([from_ns, to_ns], points[:, 0], points[:, 1])
    return float(spent[1] - spent[0]) / (to_ns - from_ns)


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_a_known_load_is_measured_within_two_percent(pod: tuple[str, str, list[Path]], share: float) -> None:
    uid, identifier, folders = pod
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(share)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            for folder in folders:
                (folder / "cgroup.procs").write_text(str(process.pid))
            tables = recorded(uid)
            process.terminate()
            account = process.stdout.read()
        finally:
            process.kill()
    assert {row[3] for row in tables["containers"].rows} == {identifier}
    for kind, table in tables.items():
        measured, largest, from_ns, to_ns = cores(table)
        true = truth(account, from_ns, to_ns)
        error = measured / true - 1
        sys.stdout.write(f"{kind}: wanted {share}, took {true:.4f}, measured {measured:.4f} cores ({error:+.2%})\n")
        assert abs(measured - true) <= LARGEST_ERROR * true, f"{kind}: {measured} cores instead of {true}"
        assert largest is not None
        assert measured <= largest <= MOST_CORES


def test_a_group_that_is_removed_while_it_is_read_is_forgotten(pod: tuple[str, str, list[Path]]) -> None:
    uid, _, folders = pod
    reader: Any = pod_counters.PodCounters(cgroup_tree.find_tree(CGROUPS), Path("/proc"), {})
    assert len(reader.read({uid})["containers"]) == 1
    for folder in folders:
        _remove(folder)
    assert reader.read({uid})["containers"] == []
    reader.close()
