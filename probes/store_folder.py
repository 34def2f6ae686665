"""A folder that keeps records, for who has no S3 store: `--store dir:PATH`.

A file is written aside, synced, and given its name by a link, which fails where the name is taken; where a file system
has no links (FAT, some network shares) by a rename that does not replace. Then every folder above it is synced.
"""

import contextlib
import ctypes
import errno
import os
import secrets
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Self

from probes.checksums import Proof
from probes.durable import sync_name
from probes.errors import StoreUnavailable, UsageError
from probes.store_conflict import RESUME, conflict

ASIDE = ".partial-"
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
AT_FDCWD = -100
RENAME_NOREPLACE = 1
PIECE_BYTES = 1 << 22


class FolderStore:
    """A folder in which keys are paths."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def named(cls, option: str) -> Self | None:
        """Open the folder that `--store dir:PATH` names; None where the option says something else."""
        kind, _, place = option.partition(":")
        return cls(Path(place).expanduser().resolve()) if kind == "dir" and place else None

    def address(self, key: str) -> str:
        """Name a file."""
        return str(self._root / key)

    def check(self) -> None:
        """Make the folder, and see that files can be made in it."""
        with self._problems_named():
            self._make_folders(self._root)
            self._write_aside(self._root, b"").unlink()

    def put(self, key: str, payload: bytes) -> Proof:
        """Create a file whole and durable; equal bytes that are there already are fine."""
        path = self._path(key)
        with self._problems_named():
            self._make_folders(path.parent)
            aside = self._write_aside(path.parent, payload)
            try:
                _give_name(aside, path)
            finally:
                aside.unlink(missing_ok=True)
            # Also where the name was taken: whoever took it may have ended before this.
            self._sync_folders(path.parent)
        if self.get(key) != payload:
            raise conflict(self.address(key))
        return "read_back"

    def get(self, key: str) -> bytes:
        """Read a file."""
        path = self._path(key)
        with self._problems_named():
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise StoreUnavailable(
                    f"There is no file {path}.", next_step="python -m probes.doctor", reason="object_missing"
                ) from None
            with os.fdopen(descriptor, "rb") as file:
                # What was synced leaves the page cache, so that the disk is read and not the memory.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                return file.read()

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys that begin with a prefix; what was never finished is left out."""
        folder = self._root / prefix.rpartition("/")[0]
        with self._problems_named():
            found = (
                (Path(parent) / name).relative_to(self._root).as_posix()
                for parent, _, names in os.walk(folder, onerror=_raise_unless_missing)
                for name in names
                if not name.startswith(ASIDE)
            )
            return tuple(sorted(key for key in found if key.startswith(prefix)))

    def folders(self, prefix: str, known: AbstractSet[str] = frozenset()) -> tuple[str, ...]:
        """Give the names of the folders right below a prefix that ends in a slash, sorted, but for the known ones.

        Much faster than `list`: of what is known nothing but the name is looked at.
        """
        above = self._root / prefix
        with self._problems_named():
            try:
                names = os.listdir(above)  # noqa: PTH208 - a path object for each of many names takes ten times as long
            except FileNotFoundError:
                return ()
            return tuple(sorted(name for name in set(names).difference(known) if (above / name).is_dir()))

    def _path(self, key: str) -> Path:
        if any(step in {"", ".", ".."} for step in key.split("/")):
            raise UsageError(
                f"{key!r} is not the key of a record: it must not leave {self._root}.",
                next_step="python -m probes.doctor",
            )
        return self._root / key

    def _make_folders(self, folder: Path) -> None:
        """Make a folder and those above it; each new name is synced with what follows."""
        missing = [step for step in (folder, *folder.parents) if not step.exists()]
        for step in reversed(missing):
            step.mkdir(exist_ok=True)
            _sync(step.parent)
        if missing:
            sync_name(missing[-1].parent)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))

    def _write_aside(self, folder: Path, payload: bytes) -> Path:
        """Write a file under a name that nobody reads, and sync it."""
        path = folder / f"{ASIDE}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                written = 0
                while written < len(payload):
                    written += os.write(descriptor, payload[written : written + PIECE_BYTES])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _sync_folders(self, folder: Path) -> None:
        for step in (folder, *folder.parents):
            _sync(step)
            if step == self._root:
                sync_name(step)
                return

    @contextlib.contextmanager
    def _problems_named(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            is_full = error.errno in FULL
            raise StoreUnavailable(
                f"The folder {self._root} cannot keep or give records: {error.strerror or error}.",
                next_step=f"{'make room' if is_full else 'correct it'}, then: {RESUME}",
                reason="store_full" if is_full else "folder_unusable",
            ) from None


def _give_name(aside: Path, path: Path) -> None:
    """Give a finished file its name; nothing happens where the name is taken."""
    try:
        os.link(aside, path)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_without_replacing(aside, path)


def _rename_without_replacing(aside: Path, path: Path) -> None:
    """Call renameat2(2), which Python does not have.

    Raises:
        OSError: The file system cannot do it either.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(aside), AT_FDCWD, os.fsencode(path), RENAME_NOREPLACE) == 0:
        return
    number = ctypes.get_errno()
    if number != errno.EEXIST:
        reason = f"it can neither link nor rename without replacing ({os.strerror(number)})"
        raise OSError(number, reason, str(path))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
