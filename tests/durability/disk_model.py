"""A disk on which a process can die, or the power fail, at every single write: the real calls, watched.

Files lie in a folder of this machine and are read as ever. Every call of `os` that changes something below that folder
is counted, may be the last one of its process, and is noted in a model of what is durable: of a file the bytes at its
last successful sync, of a folder the names at its last sync (POSIX promises no more). At a loss of power all that is
not durable survives or not, each piece by chance: a name, a rename, a prefix of unsynced bytes, zeros in their place.
After a failed sync nothing more of that file becomes durable, and no later sync says so (as ext4 and XFS behave,
Rebello et al., USENIX ATC 2020).
"""

import errno
import io
import itertools
import os
import random
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.durability.disk_contents import File, Folder, Tree, surviving_tree

Phase = Literal["before", "middle", "after"]
ROOT = 0
PHASES: tuple[Phase, ...] = ("before", "middle", "after")


class Death(BaseException):
    """The process ends here; no code of it runs on but what closes descriptors, as the system would."""


@dataclass(frozen=True)
class Opened:
    """What a descriptor stands for."""

    inode: int
    appends: bool


class ModelledDisk:
    """The disk below one folder.

    `steps` counts the calls so far, `syncs` are the numbers of those that sync. With `die_at` the process dies at that
    call, before it, in its middle (a write that has come half-way), or just after it. `fail_syncs` are the calls at
    which a sync returns EIO.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = str(root) + os.sep
        self._opened: dict[int, Opened] = {}
        self._is_watching = False
        self.format()

    def format(self, capacity_bytes: int | None = None) -> None:
        """Begin with an empty disk and a living process."""
        with self.unwatched():
            for path in self.root.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.capacity_bytes = capacity_bytes
        # Own numbers: a real inode is given again once its file is unlinked, which a loss of power may take back.
        self._files: dict[int, File] = {}
        self._folders: dict[int, Folder] = {ROOT: Folder()}
        self._numbers = itertools.count(ROOT + 1)
        self._opened.clear()
        self.fail_syncs: frozenset[int] = frozenset()
        self.start()

    def start(self, die_at: int | None = None, phase: Phase = "before") -> None:
        """Begin a process, which dies at a call if one is named."""
        self.steps = 0
        self.syncs: list[int] = []
        self.is_dead = False
        self._die_at, self._phase = die_at, phase

    def point(self, effect: Callable[[], Any], partial: Callable[[], Any] | None = None) -> Any:
        """Count a call and have it take effect, or die at it."""
        if self.is_dead:
            raise Death
        self.steps += 1
        if self.steps != self._die_at:
            return effect()
        self.is_dead = True
        if self._phase == "middle" and partial:
            partial()
        if self._phase == "after":
            effect()
        raise Death

    def adopt(self) -> None:
        """Take everything that lies in the folder for durable."""
        tree = _tree_of(self.root)
        steps = self.steps
        self.format(self.capacity_bytes)
        self.steps = steps
        with self.unwatched():
            self._write_tree(self.root, self._folders[ROOT], tree)

    def overwrite(self, path: Path, content: bytes) -> None:
        """Have a file hold other bytes, durably, as if the disk had turned them."""
        place = self._place(path)
        assert place is not None
        self._files[place[0].seen[place[1]]] = File(bytearray(content), content)
        with self.unwatched():
            path.write_bytes(content)

    # What a loss of power leaves.

    def lose_power(self, chance: random.Random) -> None:
        """Leave of the disk what is durable, and of the rest what chance says."""
        tree = surviving_tree(ROOT, self._folders, self._files, chance)
        self.format(self.capacity_bytes)
        with self.unwatched():
            self._write_tree(self.root, self._folders[ROOT], tree)

    def _write_tree(self, path: Path, folder: Folder, tree: Tree) -> None:
        for name, content in tree.items():
            place, inode = path / name, next(self._numbers)
            if isinstance(content, dict):
                place.mkdir()
                self._folders[inode] = Folder()
                self._write_tree(place, self._folders[inode], content)
            else:
                place.write_bytes(content)
                self._files[inode] = File(bytearray(content), bytes(content))
            folder.seen[name] = folder.durable[name] = inode

    # The calls.

    @contextmanager
    def unwatched(self) -> Generator[None]:
        """Leave the block to the machine's own disk; `adopt` afterwards what was made."""
        before, self._is_watching = self._is_watching, False
        try:
            yield
        finally:
            self._is_watching = before

    @contextmanager
    def watched(self) -> Generator[None]:
        """Watch the calls of `os` for the block."""
        patch = pytest.MonkeyPatch()
        for name in (
            "open", "close", "write", "fsync", "fdatasync", "ftruncate", "posix_fallocate", "rename", "link", "unlink",
            "mkdir", "rmdir",
        ):  # fmt: skip
            real: Callable[..., Any] = getattr(os, name)
            patch.setattr(os, name, self._watching(getattr(self, f"_{name}"), real))
        for name in ("pwrite", "truncate", "replace", "symlink", "writev", "sendfile"):
            patch.setattr(os, name, self._refusing(name, getattr(os, name)))
        patch.setattr(io, "open", self._refusing("open", io.open))
        self._is_watching = True
        try:
            yield
        finally:
            self._is_watching = False
            patch.undo()

    def _watching(self, method: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            return method(real, *args, **named) if self._is_watching else real(*args, **named)

        return call

    def _is_mine(self, path: Any) -> bool:
        return not isinstance(path, int) and (str(path) + os.sep).startswith(self._prefix)

    def _refusing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def guard(first: Any, *rest: Any, **named: Any) -> Any:
            mode = str(rest[0] if rest else named.get("mode", "r"))
            mine = first in self._opened if isinstance(first, int) else self._is_mine(first)
            is_read = name == "open" and not set(mode) & set("wax+")
            if self._is_watching and mine and not is_read:
                raise AssertionError(f"{name}({first}) is not in the model of the disk")
            return real(first, *rest, **named)

        return guard

    def _place(self, path: Any, dir_fd: int | None = None) -> tuple[Folder, str] | None:
        """Give the folder and the name of a path on this disk."""
        if dir_fd is not None:
            opened = self._opened.get(dir_fd)
            return (self._folders[opened.inode], str(path)) if opened else None
        steps = str(path)[len(self._prefix) :].split("/") if self._is_mine(path) else [""]
        number = self._number(steps[:-1])
        return (self._folders[number], steps[-1]) if steps[-1] and number in self._folders else None

    def _number(self, steps: list[str]) -> int | None:
        """Give the number of a folder by the names from the root down to it."""
        number: int | None = ROOT
        for step in steps:
            number = self._folders[number].seen.get(step) if number in self._folders else None
        return number

    def _room(self, more_bytes: int) -> None:
        if self.capacity_bytes is None:
            return
        linked = {inode for folder in self._folders.values() for inode in folder.seen.values()}
        used = sum(max(len(file.seen), file.reserved_bytes) for inode, file in self._files.items() if inode in linked)
        if used + more_bytes > self.capacity_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(
        self, real: Callable[..., int], path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        place = self._place(path, dir_fd)
        is_new = place is not None and place[1] not in place[0].seen

        def effect() -> int:
            descriptor = real(path, flags, mode, dir_fd=dir_fd)
            if place is not None:
                if is_new:
                    inode = next(self._numbers)
                    self._files[inode] = File()
                    place[0].change("add", place[1], inode)
                inode = place[0].seen[place[1]]
                if flags & os.O_TRUNC:
                    self._files[inode].seen.clear()
                self._opened[descriptor] = Opened(inode, bool(flags & os.O_APPEND))
            elif str(path) == str(self.root):
                self._opened[descriptor] = Opened(ROOT, appends=False)
            return descriptor

        changes = place is not None and ((is_new and flags & os.O_CREAT) or flags & os.O_TRUNC)
        if not changes:
            return effect()
        if self.is_dead or self.steps + 1 != self._die_at:
            return self.point(effect)
        # Nobody would close the descriptor of a file that was made by a call that never returned.
        return self.point(lambda: os.close(effect()))

    def _close(self, real: Callable[..., None], descriptor: int) -> None:
        self._opened.pop(descriptor, None)
        real(descriptor)

    def _write(self, real: Callable[..., int], descriptor: int, data: Any) -> int:
        opened = self._opened.get(descriptor)
        if opened is None:
            return real(descriptor, data)
        payload = bytes(data)

        def write(size: int) -> int:
            self._room(size)
            file = self._files[opened.inode]
            start = len(file.seen) if opened.appends else os.lseek(descriptor, 0, os.SEEK_CUR)
            file.seen.extend(bytes(max(0, start - len(file.seen))))
            file.seen[start : start + size] = payload[:size]
            return real(descriptor, payload[:size])

        return self.point(lambda: write(len(payload)), lambda: write(len(payload) // 2))

    def _fsync(self, real: Callable[..., None], descriptor: int) -> None:
        opened = self._opened.get(descriptor)
        if opened is None:
            real(descriptor)
            return
        self.syncs.append(self.steps + 1)
        self.point(lambda: self._sync(opened.inode))

    _fdatasync = _fsync

    def _sync(self, inode: int) -> None:
        if inode in self._folders:
            if self.steps in self.fail_syncs:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._folders[inode].sync()
            return
        file = self._files[inode]
        if self.steps in self.fail_syncs:
            file.is_poisoned = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        file.sync()

    def _ftruncate(self, real: Callable[..., None], descriptor: int, length: int) -> None:
        opened = self._opened.get(descriptor)
        if opened is None:
            real(descriptor, length)
            return

        def effect() -> None:
            file = self._files[opened.inode]
            del file.seen[length:]
            file.seen.extend(bytes(length - len(file.seen)))
            real(descriptor, length)

        self.point(effect)

    def _posix_fallocate(self, real: Callable[..., None], descriptor: int, offset: int, length: int) -> None:
        opened = self._opened.get(descriptor)
        if opened is None:
            real(descriptor, offset, length)
            return

        def effect() -> None:
            file = self._files[opened.inode]
            self._room(offset + length - file.reserved_bytes)
            file.reserved_bytes = offset + length

        self.point(effect)

    def _rename(self, real: Callable[..., None], source: Any, target: Any) -> None:
        old, new = self._place(source), self._place(target)
        if old is None or new is None:
            real(source, target)
            return
        if old[0] is not new[0]:
            raise AssertionError(f"rename({source}, {target}) between folders is not in the model of the disk")

        def effect() -> None:
            real(source, target)
            old[0].change("rename", old[1], new[1], old[0].seen[old[1]])

        self.point(effect)

    def _link(self, real: Callable[..., None], source: Any, target: Any) -> None:
        old, new = self._place(source), self._place(target)
        if old is None or new is None:
            real(source, target)
            return

        def effect() -> None:
            real(source, target)
            new[0].change("add", new[1], old[0].seen[old[1]])

        self.point(effect)

    def _mkdir(self, real: Callable[..., None], path: Any, mode: int = 0o777) -> None:
        place = self._place(path)
        if place is None:
            real(path, mode)
            return

        def effect() -> None:
            real(path, mode)
            inode = next(self._numbers)
            self._folders[inode] = Folder()
            place[0].change("add", place[1], inode)

        self.point(effect)

    def _unlink(self, real: Callable[..., None], path: Any, *, dir_fd: int | None = None) -> None:
        place = self._place(path, dir_fd)
        if place is None:
            real(path, dir_fd=dir_fd)
            return

        def effect() -> None:
            real(path, dir_fd=dir_fd)
            place[0].change("remove", place[1])

        self.point(effect)

    _rmdir = _unlink


def _tree_of(folder: Path) -> Tree:
    return {path.name: _tree_of(path) if path.is_dir() else path.read_bytes() for path in folder.iterdir()}
