"""The journal keeps every state that was synced, whatever happens to its end."""

import errno
import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import DiskFailed, SpoolFull
from probes.journal import (
    JOURNAL_FILE,
    LOCK_PAUSE_S,
    QUARANTINE_FILE,
    STATES,
    Entry,
    Journal,
    JournalBusy,
    encode_entry,
    is_busy,
    recover,
)

ENTRIES = st.lists(
    st.builds(
        Entry,
        seq=st.just(0),
        at_ns=st.integers(0, 2**62),
        state=st.sampled_from(STATES),
        reason=st.none() | st.text(max_size=8),
        data=st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=8), max_size=2),
    ),
    min_size=1,
    max_size=5,
)


def written(entries: list[Entry]) -> tuple[bytes, list[Entry]]:
    numbered = [Entry(seq, entry.at_ns, entry.state, entry.reason, entry.data) for seq, entry in enumerate(entries)]
    content, chain = b"", ""
    for entry in numbered:
        line, chain = encode_entry(entry, chain)
        content += line
    return content, numbered


@given(ENTRIES, st.data())
def test_a_torn_end_costs_only_the_torn_line(entries: list[Entry], data: st.DataObject) -> None:
    content, numbered = written(entries)
    cut = data.draw(st.integers(0, len(content)))
    recovered = recover(content[:cut])
    whole_lines = content[:cut].count(b"\n")
    assert list(recovered.entries) == numbered[:whole_lines]
    assert recovered.remainder == content[:cut][recovered.intact_bytes :]


@given(ENTRIES, st.data())
def test_a_changed_byte_is_never_believed(entries: list[Entry], data: st.DataObject) -> None:
    content, numbered = written(entries)
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] ^= data.draw(st.integers(1, 255))
    recovered = recover(bytes(changed))
    untouched = content[:position].count(b"\n")
    assert list(recovered.entries)[:untouched] == numbered[:untouched]
    assert list(recovered.entries) == numbered[: len(recovered.entries)]


@given(ENTRIES.filter(lambda entries: len(entries) > 1))
def test_reordered_lines_end_the_prefix(entries: list[Entry]) -> None:
    content, _ = written(entries)
    lines = content.splitlines(keepends=True)
    assert recover(b"".join(reversed(lines))).entries == ()


def test_a_repeated_line_ends_the_prefix() -> None:
    content, numbered = written([Entry(0, 1, "planned", None, {})])
    assert list(recover(content + content).entries) == numbered


def test_opening_keeps_what_it_cannot_read_aside_and_goes_on(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append("planned", stack="monolithic")
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        file.write(b'{"seq": 1, "st')
    with Journal(tmp_path) as journal:
        journal.append("measuring", repetition=0)
    content = (tmp_path / JOURNAL_FILE).read_bytes()
    assert [entry.state for entry in recover(content, tmp_path.name).entries] == ["planned", "measuring"]
    assert (tmp_path / QUARANTINE_FILE).read_bytes() == b'{"seq": 1, "st'


def test_a_journal_is_busy_while_its_process_has_it_open(tmp_path: Path) -> None:
    with Journal(tmp_path):
        assert is_busy(tmp_path)
        with pytest.raises(JournalBusy):
            Journal(tmp_path)
    assert not is_busy(tmp_path)


def test_lines_are_plain_json() -> None:
    with tempfile.TemporaryDirectory() as name:
        with Journal(Path(name)) as journal:
            journal.append("failed", "no_message", repetition=2)
        line = json.loads((Path(name) / JOURNAL_FILE).read_text())
    assert (line["state"], line["reason"], line["data"]) == ("failed", "no_message", {"repetition": 2})


def test_a_journal_that_an_earlier_version_began_is_continued(tmp_path: Path) -> None:
    content, numbered = written([Entry(0, 1, "planned", None, {"store": None})])
    (tmp_path / JOURNAL_FILE).write_bytes(content)
    with Journal(tmp_path) as journal:
        assert journal.entries == numbered
        journal.append("aborted", "process_ended")
    assert [entry.state for entry in recover((tmp_path / JOURNAL_FILE).read_bytes(), "other").entries] == [
        "planned",
        "aborted",
    ]


def test_the_journal_of_another_run_is_kept_aside(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with Journal(tmp_path / "one") as journal:
        journal.append("planned", stack="monolithic")
        journal.append("committed", address="somewhere")
    content = (tmp_path / "one" / JOURNAL_FILE).read_bytes()
    (tmp_path / "other" / JOURNAL_FILE).write_bytes(content)
    with Journal(tmp_path / "other") as journal:
        assert journal.state is None
    assert (tmp_path / "other" / QUARANTINE_FILE).read_bytes() == content
    assert (tmp_path / "other" / JOURNAL_FILE).read_bytes() == b""


@given(st.binary(max_size=300))
def test_anything_is_read_without_an_error_and_nothing_of_it_is_dropped(content: bytes) -> None:
    recovered = recover(content, "run")
    assert recovered.entries == ()
    assert recovered.remainder == content


@pytest.mark.parametrize(
    "content", [b"[" * 100_000 + b"\n", b"{}\n", b"null\n", b'{"seq": 0, "state": []}\n', bytes(99)]
)
def test_lines_that_are_no_entries_are_not_read(content: bytes) -> None:
    assert recover(content).entries == ()


def test_white_space_that_nobody_wrote_is_damage() -> None:
    content, _ = written([Entry(0, 1, "planned", None, {})])
    assert recover(content.replace(b", ", b",  ", 1)).entries == ()


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as journal:
        journal.append("planned")
        before = (tmp_path / JOURNAL_FILE).read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing(errno.ENOSPC, 1))
            with pytest.raises(SpoolFull):
                journal.append("deploying")
        assert (tmp_path / JOURNAL_FILE).read_bytes() == before
        journal.append("aborted", "spool_full")
    assert [entry.state for entry in recover((tmp_path / JOURNAL_FILE).read_bytes(), tmp_path.name).entries] == [
        "planned",
        "aborted",
    ]


def test_after_a_failed_sync_the_journal_goes_on_in_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / JOURNAL_FILE
    with Journal(tmp_path) as journal:
        journal.append("planned")
        before = path.stat().st_ino
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing(errno.EIO, 1))
            journal.append("deploying")
        assert path.stat().st_ino != before
        assert (tmp_path / f"{JOURNAL_FILE}.failed").stat().st_ino == before
        assert is_busy(tmp_path)
        journal.append("ready")
    assert [entry.state for entry in recover(path.read_bytes(), tmp_path.name).entries] == [
        "planned",
        "deploying",
        "ready",
    ]


def test_a_journal_that_could_not_be_written_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as journal:
        journal.append("planned")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing(errno.EIO, 9))
            patch.setattr(os, "fsync", failing(errno.EIO, 9))
            with pytest.raises(DiskFailed):
                journal.append("deploying")
        with pytest.raises(DiskFailed, match="takes no more"):
            journal.append("committed")


def test_who_only_looks_does_not_stop_who_opens(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append("planned")
    looking = os.open(tmp_path / JOURNAL_FILE, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(LOCK_PAUSE_S, os.close, [looking]).start()
    with Journal(tmp_path) as journal:
        assert journal.state == "planned"


def failing(number: int, times: int) -> Callable[[int], None]:
    """Give a sync that fails so many times."""
    left = iter(range(times))

    def sync(_descriptor: int) -> None:
        if next(left, None) is not None:
            raise OSError(number, os.strerror(number))

    return sync
