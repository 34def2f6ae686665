"""A folder as a store: whole files or none, whatever call fails, and a name that is taken stays as it is."""

import contextlib
import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from probes.errors import ExitCode, RecordConflict, StoreUnavailable, UsageError
from probes.store_folder import ASIDE, FolderStore

KEY = "runs/schema=1/run=x/manifest.json"
CALLS = ("open", "write", "fsync", "link", "close", "mkdir")
FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)
SEEDS = range(100)
PROGRAM = """
import sys
from pathlib import Path
from probes.errors import RecordConflict
from probes.store_folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
sys.stdin.read()
won = []
for number in range(50):
    try:
        store.put(f"runs/{number}", sys.argv[2].encode())
        won.append(number)
    except RecordConflict:
        pass
print(*won)
"""


class Killed(BaseException):
    """The process ended here."""


@contextlib.contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, at: int, raises: Callable[[], BaseException]) -> Generator[list[str]]:
    """Let the call with a number fail, counted over all calls that touch the disk."""
    calls: list[str] = []
    with monkeypatch.context() as patched:
        for name in CALLS:
            real = getattr(os, name)

            def call(*words: Any, name: str = name, real: Any = real, **more: Any) -> Any:
                calls.append(name)
                if len(calls) == at:
                    if name == "close":
                        real(*words, **more)
                    raise raises()
                return real(*words, **more)

            patched.setattr(os, name, call)
        yield calls


def problem_of(store: FolderStore, payload: bytes) -> StoreUnavailable | None:
    """Put, and give what went wrong."""
    try:
        store.put(KEY, payload)
    except StoreUnavailable as problem:
        return problem
    return None


def count_calls(monkeypatch: pytest.MonkeyPatch, root: Path) -> int:
    """How many calls a put takes."""
    with failing(monkeypatch, -1, Killed) as calls:
        FolderStore(root).put(KEY, b"content")
    return len(calls)


def test_a_call_that_fails_leaves_the_whole_file_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = count_calls(monkeypatch, tmp_path / "count")
    refused = 0
    for seed in SEEDS:
        chance = random.Random(seed)  # noqa: S311 - faults, not secrets
        store, payload = FolderStore(tmp_path / str(seed)), chance.randbytes(chance.randrange(5000))
        number = chance.choice(FAILURES)
        with failing(
            monkeypatch, chance.randrange(1, most), lambda number=number: OSError(number, os.strerror(number))
        ):
            problem = problem_of(store, payload)
        if problem:
            refused += 1
            assert problem.exit_code == ExitCode.STORED_LOCALLY
            assert "python -m probes.resume" in problem.next_step
            assert (problem.reason == "store_full") == (number in {errno.ENOSPC, errno.EDQUOT})
        path = tmp_path / str(seed) / KEY
        assert not path.exists() or path.read_bytes() == payload
        assert store.put(KEY, payload) == "read_back"
    assert refused > len(SEEDS) / 2


def test_a_process_that_is_killed_anywhere_leaves_the_whole_file_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(1, count_calls(monkeypatch, tmp_path / "count") + 1):
        store = FolderStore(tmp_path / str(at))
        with failing(monkeypatch, at, Killed), contextlib.suppress(Killed):
            store.put(KEY, b"content")
        path = tmp_path / str(at) / KEY
        assert not path.exists() or path.read_bytes() == b"content"
        assert store.list("runs/") in {(), (KEY,)}
        assert store.put(KEY, b"content") == "read_back"
        assert store.list("") == (KEY,)


def test_of_several_processes_each_name_goes_to_one(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "records"), f"writer {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [process.communicate("go")[0] for process in processes]
    won = {number: [int(word) for word in text.split()] for number, text in enumerate(said)}
    assert sorted(number for numbers in won.values() for number in numbers) == list(range(50))
    for writer, numbers in won.items():
        for number in numbers:
            assert (tmp_path / f"records/runs/{number}").read_text() == f"writer {writer}"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_links_a_rename_that_does_not_replace_takes_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    store = FolderStore(tmp_path)
    assert store.put(KEY, b"content") == "read_back"
    assert store.put(KEY, b"content") == "read_back"
    with pytest.raises(RecordConflict):
        store.put(KEY, b"other")
    assert store.list("") == (KEY,)
    assert store.get(KEY) == b"content"


def test_a_file_system_that_can_do_neither_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process's own list of processes takes neither a link nor a rename."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "no")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr("probes.store_folder.RENAME_NOREPLACE", 1 << 30)
    with pytest.raises(StoreUnavailable, match="neither link nor rename without replacing"):
        FolderStore(tmp_path).put(KEY, b"content")
    assert list(tmp_path.rglob("manifest.json")) == []


def test_a_full_disk_is_named_and_the_file_is_not_there(tmp_path: Path) -> None:
    """A real limit of the kernel: no file of this process may grow beyond 1 kB."""
    program = (
        "import resource, signal, sys; from pathlib import Path; from probes.store_folder import FolderStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: FolderStore(Path(sys.argv[1])).put('runs/x', bytes(4000))\n"
        "except Exception as problem: print(problem.reason, problem.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "records")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["store_full", "5"]
    assert [path for path in (tmp_path / "records").rglob("*") if path.is_file()] == []


def test_what_was_never_finished_is_not_listed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put(KEY, b"content")
    (tmp_path / "runs" / f"{ASIDE}0123").write_bytes(b"half")
    assert store.list("") == (KEY,)
    assert store.list("nothing/") == ()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for store in (FolderStore(tmp_path / "file"), FolderStore(tmp_path / "file" / "below")):
        with pytest.raises(StoreUnavailable, match="cannot keep or give records") as caught:
            store.check()
        assert caught.value.reason == "folder_unusable"


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    FolderStore(tmp_path / "a" / "b").check()
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("key", ["../outside", "runs/../../outside", "/etc/passwd", "runs//x", "", "."])
def test_a_key_does_not_leave_the_folder(tmp_path: Path, key: str) -> None:
    store = FolderStore(tmp_path / "records")
    for attempt in (lambda: store.put(key, b""), lambda: store.get(key)):
        with pytest.raises(UsageError, match="not the key of a record"):
            attempt()
