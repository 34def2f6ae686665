"""What /proc says of processes and of the machine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images import machine_files as files
from tests.images.in_cluster import module

processes = module("ros2bench_machine_reader.process_counters")
machine = module("ros2bench_machine_reader.machine_counters")
TICK_NS = 10_000_000


def test_a_process_is_named_after_its_node_and_counted_in_ticks(tmp_path: Path) -> None:
    node = "python3\0-m\0x\0--ros-args\0-r\0__node:=camera_1\0--params-file\0y"
    files.proc(tmp_path, 11, arguments=node)
    assert processes.ProcessCounters(tmp_path, 11).read() == ("camera_1", 100 * TICK_NS, 1000 * 4096)


def test_a_launcher_that_became_the_program_is_named_anew(tmp_path: Path) -> None:
    files.proc(tmp_path, 11, command="sh", arguments="sh\0ros2bench-node")
    found = processes.ProcessCounters(tmp_path, 11)
    assert found.read()[0] == "sh"
    files.proc(tmp_path, 11, command="python3", arguments="python3\0-r\0__node:=reader\0")
    assert found.read()[0] == "reader"


@pytest.mark.parametrize(
    ("command", "arguments", "name"),
    [
        (b"python3", b"", "python3"),
        (b"a) S 1 (b", b"", "a) S 1 (b"),
        (b"x\ny\x00", b"", "x?y?"),
        (b"\xff\xfe", b"", "\\xff\\xfe"),
        (b"", b"", "?"),
        (b"sh", b"sh\0--\0component:__node:=a\0", "a"),
        (b"sh", b"sh\0__node:=not/a/name\0", "sh"),
        (b"sh", b"sh\0x__node:=a\0", "sh"),
    ],
)
def test_names_are_what_people_can_read(command: bytes, arguments: bytes, name: str) -> None:
    assert processes.process_name(command, arguments) == name


@given(command=st.binary(min_size=1, max_size=15).filter(lambda c: b"\n" not in c))
def test_no_command_can_shift_the_fields_behind_it(command: bytes) -> None:
    fields = b" S " + b" ".join(str(number).encode() for number in range(1, 60))
    found, rest = processes.split_stat(b"12 (" + command + b")" + fields)
    assert (found, rest[0], rest[1], rest[21]) == (command, b"S", b"1", b"21")


@given(content=st.binary(max_size=200))
def test_what_is_no_line_of_a_process_is_refused_or_has_all_fields(content: bytes) -> None:
    try:
        _, fields = processes.split_stat(content)
    except ValueError:
        return
    assert len(fields) >= 22


def test_the_machines_row_counts_hardware_once(tmp_path: Path) -> None:
    found = machine.MachineCounters(*files.machine(tmp_path))
    ((*times, busy, total, stolen, available, read, written, received, sent, load),) = found.read(5, 6)
    assert times == [5, 6]
    assert (busy, total, stolen) == (160 * TICK_NS, 987 * TICK_NS, 7 * TICK_NS)
    assert (available, read, written) == (60 * 1024, 10 * 512, 20 * 512)
    assert (received, sent, load) == (1000, 3000, 1.62)
    assert found.missing == {}


def test_a_machine_without_hardware_of_its_own_uses_its_default_route(tmp_path: Path) -> None:
    proc_root, sys_root = files.machine(tmp_path)
    (sys_root / "class/net/eth0/device").rmdir()
    (sys_root / "block/vda/device").rmdir()
    found = machine.MachineCounters(proc_root, sys_root)
    row = dict(
        zip(
            ("t", "m", *module("ros2bench_machine_reader.sources").COLUMNS["machine"]), found.read(5, 6)[0], strict=True
        )
    )
    assert (row["network_received_bytes"], row["io_read_bytes"]) == (7, None)
    assert found.missing == {"io_read_bytes": "no_physical_disk", "io_write_bytes": "no_physical_disk"}


@pytest.mark.parametrize("name", machine.FILES)
@pytest.mark.parametrize("content", ["", "cpu x\n", "\0", "MemAvailable: -5 kB\n", "254 0 vda a b c d e f g\n", "nan"])
def test_a_file_that_makes_no_sense_gives_no_number(tmp_path: Path, name: str, content: str) -> None:
    proc_root, sys_root = files.machine(tmp_path)
    found = machine.MachineCounters(proc_root, sys_root)
    (before,) = found.read(5, 6)
    (proc_root / name).write_text(content)
    (after,) = found.read(5, 6)
    for old, new in zip(before, after, strict=True):
        assert new == old or new is None
    assert after != before
