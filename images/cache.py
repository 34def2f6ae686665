"""Folders of the build cache: everything in it can be deleted at any time and is made again."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/ros2bench`, by default in `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ros2bench"


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Fill a folder whose name says all about its content, unless an earlier build has done so.

    It appears under its name only when it is complete, so an interrupted build leaves nothing half made.

    Args:
        folder: final place.
        make: fills the empty folder that it is given.

    Returns:
        `folder`, complete.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        make(work)
        work.chmod(0o755)
        work.rename(folder)
    except OSError:
        # Another build may have finished the same folder meanwhile; its content is the same.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def remove_leftovers(folder: Path) -> None:
    """Remove what builds that were killed have left half made; call it only while no other build runs."""
    for leftover in folder.glob("*/.*"):
        shutil.rmtree(leftover, ignore_errors=True)
