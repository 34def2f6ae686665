"""Control groups of all versions and drivers: where containers are, and what their files say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images import machine_files as files
from tests.images.in_cluster import module

tree = module("ros2bench_machine_reader.cgroup_tree")
counters = module("ros2bench_machine_reader.container_counters")
counter_file = module("ros2bench_machine_reader.counter_file")
DISKS = {"254:0": "vda"}
EVERYTHING = {
    "throttled_periods": 3,
    "throttled_ns": 4_000_000,
    "memory_bytes": 6_000_000,
    "memory_peak_bytes": 12_000_000,
    "io_read_bytes": 4096,
}


def opened(root: Path) -> Any:
    found = tree.find_tree(root)
    pods = tree.find_pods(found.main, tree.find_roots(found.main))
    (group,) = tree.find_containers(found.main, pods[files.UID]).values()
    return counters.ContainerCounters(found, group, DISKS)


Make = Callable[[Path], Path]
JOINED: Make = lambda root: files.v1(root, joined=True)  # noqa: E731 - one of a list
ON_SYSTEMD: Make = lambda root: files.v1(root, files.SYSTEMD)  # noqa: E731 - one of a list


@pytest.mark.parametrize(
    ("make", "version"), [(files.v1, "v1"), (JOINED, "v1"), (ON_SYSTEMD, "v1"), (files.hybrid, "hybrid")]
)
def test_v1_counters_are_read_and_writes_are_missing_with_their_reason(
    tmp_path: Path, make: Make, version: str
) -> None:
    root = make(tmp_path / "cgroup")
    assert tree.find_tree(root).version == version
    found = opened(root)
    assert found.read() == {**EVERYTHING, "cpu_ns": 20_669_897, "io_write_bytes": None}
    assert found.missing == {"io_write_bytes": "cgroup_v1_buffered"}
    assert found.process_ids() == [11, 12]


@pytest.mark.parametrize("group", [files.CGROUPFS, files.SYSTEMD])
def test_v2_counters_are_read_in_the_units_of_the_contract(tmp_path: Path, group: str) -> None:
    root = files.v2(tmp_path / "cgroup", group)
    assert tree.find_tree(root).version == "v2"
    found = opened(root)
    assert found.read() == {**EVERYTHING, "cpu_ns": 20_669_000, "io_write_bytes": 512}
    assert found.missing == {}


def test_a_controller_that_only_the_unified_hierarchy_has_is_read_there(tmp_path: Path) -> None:
    root = files.hybrid(tmp_path / "cgroup", moved="memory")
    (root / "unified" / files.CGROUPFS / "memory.current").write_text("9000000\n")
    found = opened(root)
    assert found.read() == {
        **EVERYTHING,
        "memory_bytes": 5_000_000,
        "cpu_ns": 20_669_897,
        "io_write_bytes": None,
    }


def test_what_a_kernel_or_machine_lacks_is_missing_with_a_reason(tmp_path: Path) -> None:
    root = files.v2(tmp_path / "cgroup")
    (root / "cgroup.controllers").write_text("cpuset memory\n")
    (root / files.SYSTEMD / "memory.peak").unlink()
    found = opened(root)
    assert found.read() == {
        "cpu_ns": 20_669_000,
        "throttled_ns": None,
        "throttled_periods": None,
        "memory_bytes": 6_000_000,
        "memory_peak_bytes": None,
        "io_read_bytes": None,
        "io_write_bytes": None,
    }
    assert found.missing == {
        "throttled_ns": "no_controller",
        "throttled_periods": "no_controller",
        "memory_peak_bytes": "no_counter",
        "io_read_bytes": "no_controller",
        "io_write_bytes": "no_controller",
    }


def test_counters_grow_as_their_files_do(tmp_path: Path) -> None:
    root = files.v2(tmp_path / "cgroup")
    found = opened(root)
    (root / files.SYSTEMD / "cpu.stat").write_text("usage_usec 20670\nnr_throttled 3\nthrottled_usec 4000\n")
    assert found.read()["cpu_ns"] == 20_670_000


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        (f"pod{files.UID}", files.UID),
        (f"kubepods-pod{files.UID.replace('-', '_')}.slice", files.UID),
        (f"kubepods-besteffort-pod{files.UID.replace('-', '_')}.slice", files.UID),
        (f"kubelet-kubepods-burstable-pod{files.UID.replace('-', '_')}.slice", files.UID),
        ("pod" + "0123456789abcdef" * 2, "01234567-89ab-cdef-0123-456789abcdef"),
        ("burstable", None),
        ("pod-of-mine", None),
    ],
)
def test_pods_are_known_in_the_forms_of_both_drivers(tmp_path: Path, name: str, uid: str | None) -> None:
    (tmp_path / "kubepods" / name).mkdir(parents=True)
    assert list(tree.find_pods(tmp_path, [Path("kubepods")])) == ([uid] if uid else [])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (files.ID, True),
        (f"cri-containerd-{files.ID}.scope", True),
        (f"crio-{files.ID}.scope", True),
        (f"docker-{files.ID}.scope", True),
        (f"crio-conmon-{files.ID}.scope", False),
        (files.ID[:40], False),
        ("init", False),
    ],
)
def test_containers_are_known_by_their_id_alone(tmp_path: Path, name: str, found: bool) -> None:
    (tmp_path / "pod" / name).mkdir(parents=True)
    assert list(tree.find_containers(tmp_path, Path("pod"))) == ([files.ID] if found else [])


@pytest.mark.parametrize(
    "place", ["kubepods", "lab/edge/kubepods", "kubelet.slice/kubelet-kubepods.slice", "kubepods.slice"]
)
def test_the_kubelets_groups_are_found_wherever_they_are(tmp_path: Path, place: str) -> None:
    (tmp_path / place / "besteffort").mkdir(parents=True)
    (tmp_path / "user.slice" / "session").mkdir(parents=True)
    assert tree.find_roots(tmp_path) == [Path(place)]


def test_links_are_never_followed(tmp_path: Path) -> None:
    (tmp_path / "kubepods").symlink_to("/")
    assert tree.find_roots(tmp_path) == []


def test_a_folder_that_is_gone_holds_nothing_and_one_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(tree.subfolders(tmp_path / "gone")) == []

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "not for you", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PermissionError):
        tree.subfolders(tmp_path)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "nan", "1e9", "9" * 30, "12 34", "٣", "0x10"])
def test_what_is_no_counter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no counter|larger than any"):
        counter_file.whole(text.encode())


@pytest.mark.parametrize("name", ["cpu.stat", "memory.current", "memory.peak", "io.stat", "memory.stat"])
@pytest.mark.parametrize(
    "content", ["", "\0\0", "usage_usec\n", "nan\n", "-5\n", "254:0 rbytes=-5 wbytes=x\n", "9" * 40]
)
def test_hostile_contents_give_no_number_and_a_reason(tmp_path: Path, name: str, content: str) -> None:
    root = files.v2(tmp_path / "cgroup")
    found = opened(root)
    before = found.read()
    (root / files.SYSTEMD / name).write_text(content)
    values = found.read()
    for column, value in values.items():
        assert (
            value == before[column] or value == 0 or (value is None and found.missing[column] == "unreadable_counter")
        )
    if name != "io.stat":
        assert None in values.values()


@given(content=st.binary(max_size=200))
def test_no_content_of_an_io_file_breaks_the_reader_or_counts_less_than_nothing(content: bytes) -> None:
    for read, word in ((counters.v1_bytes, b"Read"), (counters.unified_bytes, b"rbytes")):
        try:
            total = read(content, word, {})
        except ValueError:
            continue
        assert total >= 0
