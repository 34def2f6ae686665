"""The journal keeps every state that was synced, whatever happens to its end."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.journal import (
    JOURNAL_FILE,
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
    assert [entry.state for entry in recover((tmp_path / JOURNAL_FILE).read_bytes()).entries] == [
        "planned",
        "measuring",
    ]
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
