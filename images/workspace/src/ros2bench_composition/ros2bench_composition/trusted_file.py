"""Reads a file that nobody in this container can change or swap. Needs no ROS."""

import os
import stat
from collections.abc import Callable, Iterable

from ros2bench_composition.refusal import Refusal

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
LARGEST_BYTES = 16 * 1024 * 1024


def can_change(descriptor: int) -> bool:
    """Whether this process could write to an opened file or folder, or allow itself to."""
    if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return False
    is_ours = os.fstat(descriptor).st_uid == os.geteuid()
    return is_ours or os.access(f'/proc/self/fd/{descriptor}', os.W_OK)


def read_trusted(path: str, changeable: Callable[[int], bool] = can_change) -> bytes:
    """Content of a regular file, read once from the descriptor on which everything was checked.

    Every folder of the path is opened from the one before, so that no link can be put in between.

    Args:
        path: absolute and normal: no link, no `.` and no `..`.
        changeable: whether this process could change an opened file or folder.

    Raises:
        Refusal: `path_traversal`, `missing`, `link`, `not_a_file`, `writable` or `oversize`.
    """
    parts = path.split('/')[1:]
    if not path.startswith('/') or any(part in {'', '.', '..'} for part in parts):
        raise Refusal('path_traversal', f'{path!r} is not an absolute path without "..".')
    folder = os.open('/', FOLDER)
    try:
        for index, part in enumerate(parts):
            if changeable(folder):
                raise Refusal(
                    'writable',
                    f'The folder /{"/".join(parts[:index])} of {path} can be written here: run the '
                    f'container with a read-only root and as the user of the image.',
                )
            is_last = index == len(parts) - 1
            below = _open(part, FILE if is_last else FOLDER, folder, path)
            os.close(folder)
            folder = below
        return _content(folder, path, changeable)
    finally:
        os.close(folder)


def _open(part: str, flags: int, folder: int, path: str) -> int:
    try:
        return os.open(part, flags, dir_fd=folder)
    except OSError as error:
        try:
            is_link = stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
        except OSError:
            is_link = False
        if is_link:
            raise Refusal('link', f'{part!r} in {path} is a symbolic link.') from error
        raise Refusal('missing', f'{path} cannot be opened: {error.strerror}.') from error


def _content(descriptor: int, path: str, changeable: Callable[[int], bool]) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Refusal('not_a_file', f'{path} is not a regular file.')
    if changeable(descriptor):
        raise Refusal('writable', f'{path} can be written here.')
    if status.st_size > LARGEST_BYTES:
        raise Refusal('oversize', f'{path} has {status.st_size} bytes, more than {LARGEST_BYTES}.')
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b''.join(parts)


def changeable_folders(
    paths: Iterable[str], changeable: Callable[[int], bool] = can_change
) -> list[str]:
    """Folders of a search path in which this process could put a file."""
    found = []
    for path in dict.fromkeys(path or '.' for path in paths):
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if changeable(descriptor):
                found.append(path)
        finally:
            os.close(descriptor)
    return found
