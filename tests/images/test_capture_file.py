"""Files of captures: nothing lost but what a crash tears, nothing beyond the limits, nothing overwritten."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

capture_file = module("ros2bench_service.capture_file")
flushing = module("ros2bench_service.flushing")

ROWS = capture_file.whole_rows(4)
UNLIMITED = 10**9


def opened(path: Path, limit: int = UNLIMITED, sound: Any = ROWS, **options: Any) -> tuple[Any, Any]:
    budget = capture_file.ByteBudget(limit)
    return capture_file.AppendFile(path, budget, sound, **options), budget


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.booleans()), max_size=30), st.integers(0, 130))
def test_what_was_added_is_read_back_whether_on_the_disk_or_not(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bytes, bool]], start: int
) -> None:
    file, budget = opened(tmp_path_factory.mktemp("file") / "rows")
    for record, is_flushed in steps:
        assert file.append(record)
        assert not is_flushed or file.flush()
    whole = b"".join(record for record, _ in steps)
    assert file.read(0, 10**6) == whole
    assert file.read(start, 7) == whole[start : start + 7]
    # Until the next flush room is taken in advance.
    assert file.size_bytes == len(whole) <= budget.used_bytes
    file.close()
    assert budget.used_bytes == len(whole)


def test_only_what_a_crash_has_torn_is_cut_off(tmp_path: Path) -> None:
    rows, lines = tmp_path / "rows", tmp_path / "lines"
    rows.write_bytes(b"aaaabbbbcc")
    lines.write_bytes(b"[1]\n[2]\n[3")
    for path, sound, whole in ((rows, ROWS, b"aaaabbbb"), (lines, capture_file.whole_lines, b"[1]\n[2]\n")):
        file, budget = opened(path, sound=sound)
        assert budget.used_bytes == len(whole)
        assert file.append(b"[4]\n")
        file.close()
        assert path.read_bytes() == whole + b"[4]\n"


@pytest.mark.parametrize("content", [b"", b"x" * 200_000, b"a\n" + b"x" * 200_000])
def test_last_line_feed_is_found_however_far_back(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert capture_file.whole_lines(file.fileno(), len(content)) == content.rfind(b"\n") + 1


def test_a_full_folder_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    file, budget = opened(tmp_path / "one", limit=8)
    other = capture_file.AppendFile(tmp_path / "two", budget, ROWS)
    assert [file.append(b"aaaa"), other.append(b"bbbb"), file.append(b"cccc"), other.append(b"dddd")] == [
        True,
        True,
        False,
        False,
    ]
    other.remove(tmp_path / "two")
    assert not (tmp_path / "two").exists()
    assert file.append(b"eeee")
    file.close()
    assert (tmp_path / "one").read_bytes() == b"aaaaeeee"


def test_what_waits_for_a_slow_disk_is_bounded(tmp_path: Path) -> None:
    file, _ = opened(tmp_path / "rows", waiting_limit_bytes=8)
    assert [file.append(b"aaaa") for _ in range(3)] == [True, True, False]
    assert file.flush()
    assert file.append(b"bbbb")
    file.close()


def test_a_disk_that_refuses_gets_the_same_bytes_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _ = opened(tmp_path / "rows")
    written = os.pwrite

    def two_bytes_then_full(number: int, content: bytes, position: int) -> int:
        if position >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(number, content[:2], position)

    monkeypatch.setattr(os, "pwrite", two_bytes_then_full)
    assert file.append(b"aabb")
    assert not file.flush()
    assert file.error == "No space left on device"
    assert file.append(b"ccdd")
    assert file.read(0, 100) == b"aabbccdd"
    monkeypatch.undo()
    assert file.flush()
    assert file.error is None
    file.close()
    assert (tmp_path / "rows").read_bytes() == b"aabbccdd"


def test_reading_after_the_end_is_an_error_and_never_another_file(tmp_path: Path) -> None:
    file, _ = opened(tmp_path / "rows")
    file.append(b"aaaa")
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.read(0, 4)


def test_state_is_whole_or_old(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert capture_file.read_state(path) is None
    capture_file.write_state(path, {"a": 1}, durable=True)
    (tmp_path / ".state.json.part").write_text('{"a": 2')
    assert capture_file.read_state(path) == {"a": 1}
    for torn in ("", "[1]", '{"a"'):
        path.write_text(torn)
        assert capture_file.read_state(path) is None


def test_flusher_measures_itself_goes_on_after_an_error_and_flushes_last(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []

    def flush() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")

    flusher = flushing.Flusher(flush, period_s=0.01)
    flusher.start()
    while len(calls) < 3:
        pass
    flusher.stop()
    assert 0 < flusher.longest_ns <= flusher.busy_ns
    assert "Input/output error" in capsys.readouterr().err
