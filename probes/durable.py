"""Writes that survive: what a function here has returned from is on the disk, content and name.

For the journal and the spool. A file is durable only with its name, and its name only with the folder's; a sync that
failed has perhaps lost the bytes for ever, and a second sync of the same file would not say so (Rebello et al., "Can
Applications Recover from fsync Failures?", USENIX ATC 2020): such a file is kept aside, and another one is written.
"""

import contextlib
import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from probes.errors import DiskFailed, SpoolFull

PARTIAL = ".partial"
FAILED = ".failed"
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FAILS = frozenset({errno.EIO, errno.EROFS})


@contextmanager
def disk_problems_named(folder: Path) -> Generator[None]:
    """Turn a disk that is full or fails into an error that a user can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise SpoolFull(
                f"The disk of {folder} is full ({error.strerror}). What was measured until then is kept.",
                next_step="free space, then: python -m probes.doctor",
            ) from error
        if error.errno in DISK_FAILS:
            raise DiskFailed(
                f"The disk of {folder} fails ({error.strerror}). What it took before is kept.",
                next_step="see the kernel's log and copy the folder to another disk; then: python -m probes.doctor",
            ) from error
        raise


def write_fully(descriptor: int, payload: bytes) -> None:
    """Write all bytes; the system may take fewer at a time."""
    rest = memoryview(payload)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, with durable names; one that is there already is fine."""
    missing = [step for step in (folder, *folder.parents) if not step.is_dir()]
    for step in reversed(missing):
        step.mkdir(mode=mode, exist_ok=True)
        sync_folder(step.parent)
    if missing:
        sync_name(missing[-1].parent)


def sync_name(folder: Path) -> None:
    """Make the name of a folder durable that was there already: whoever made it may have been killed before that.

    A folder above that may not be read is none that this program has made anything in.
    """
    with contextlib.suppress(PermissionError):
        sync_folder(folder.parent)


def replace_file(path: Path, payload: bytes) -> None:
    """Write a file whole, in place of one that is there: a reader sees all of the old bytes or all of the new ones.

    The caller syncs the folder.

    Raises:
        OSError: There is no room, and nothing was changed; or the disk failed twice, and what it refused lies beside.
    """
    try:
        _write_aside(path, payload)
    except OSError as error:
        if error.errno not in DISK_FAILS:
            raise
        aside = path.with_name(path.name + PARTIAL)
        if aside.exists():
            aside.rename(unused(path.with_name(path.name + FAILED)))
        _write_aside(path, payload)
    path.with_name(path.name + PARTIAL).rename(path)


def _write_aside(path: Path, payload: bytes) -> None:
    aside = path.with_name(path.name + PARTIAL)
    # What a killed process left there may be a file whose sync has failed.
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_fully(descriptor, payload)
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in NO_SPACE:
            aside.unlink()
        raise
    finally:
        os.close(descriptor)


def unused(path: Path) -> Path:
    """Give a name that is free: the path itself, or with the first number that nothing has."""
    candidate, number = path, 1
    while candidate.exists():
        candidate = path.with_name(f"{path.name}-{number}")
        number += 1
    return candidate
