"""The kernel's process events, read from their bytes."""

import struct

from benchmarks.proofs.process_tracer import CONNECTOR, EVENT, HEADER, Exec, container_starts, parse_event

FIRST, SECOND = "a" * 64, "b" * 64


def message(what: int, at_ns: int = 5, process: int = 7) -> bytes:
    body = EVENT.pack(what, 0, at_ns, process, process)
    head = HEADER.pack(HEADER.size + CONNECTOR.size + len(body), 3, 0, 0, 0)
    return head + CONNECTOR.pack(1, 1, 0, 0, len(body), 0) + body


def test_the_layout_is_that_of_the_kernel() -> None:
    assert (HEADER.size, CONNECTOR.size, struct.calcsize("=IIQII")) == (16, 20, 24)


def test_only_execs_count() -> None:
    assert parse_event(message(2)) == (5, 7)
    for what in (0, 1, 4, 0x80000000):
        assert parse_event(message(what)) is None
    assert parse_event(b"\0" * 10) is None


def test_a_container_starts_with_its_own_program_not_with_the_runtimes() -> None:
    execs = [
        Exec(40, 3, "/usr/bin/python3.11", (f"/kubepods/pod1/{FIRST}",)),
        Exec(30, 3, "/usr/bin/dash", (f"/kubepods/pod1/{FIRST}",)),
        Exec(10, 3, "/usr/sbin/runc", (f"/kubepods/pod1/{FIRST}",)),
        Exec(20, 3, "/memfd:runc_cloned:/proc/self/exe (deleted)", (f"/kubepods/pod1/{FIRST}",)),
        Exec(25, 4, "", (f"/kubepods/pod1/{FIRST}",)),
        Exec(5, 9, "/usr/bin/dash", ("/user.slice",)),
    ]
    assert container_starts(execs, [FIRST, SECOND]) == {FIRST: 30}
