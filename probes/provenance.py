"""Where a record comes from: commit, versions, and the state of the machine that ran the runner."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from probes.spool import cache_home, data_home

VERSIONS_OF = ("kr8s", "numpy", "polars", "pulumi", "pulumi-kubernetes")
PROJECT_ROOT = Path(__file__).resolve().parent.parent
SALT_KEY = "encryptionsalt:"


@dataclass(frozen=True)
class Commit:
    """The commit of the checkout; `is_dirty` where tracked files differ from it."""

    revision: str | None
    is_dirty: bool | None


def read_commit(root: Path) -> Commit:
    """Read the commit of a checkout; both None where there is no git or no repository."""
    revision = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    if revision is None or changed is None:
        return Commit(None, None)
    differences = _git(root, "diff", "HEAD", "--unified=0") or ""
    return Commit(revision.strip(), is_dirt(changed, differences))


def is_dirt(changed: str, differences: str) -> bool:
    """Tell whether changes matter: `pulumi stack init` writes a salt into a stack file, which changes nothing.

    Args:
        changed: Output of `git status --porcelain`.
        differences: Output of `git diff HEAD --unified=0`.
    """
    files = [line[3:] for line in changed.splitlines() if line.strip()]
    if any(not (name.startswith("Pulumi.") and name.endswith(".yaml")) for name in files):
        return True
    content = [
        line[1:].strip()
        for line in differences.splitlines()
        if line[:1] in {"+", "-"} and not line.startswith(("+++", "---"))
    ]
    return any(line and not line.startswith(SALT_KEY) for line in content)


def load_average() -> float:
    """Give the mean number of runnable processes over the last minute on this machine."""
    return os.getloadavg()[0]


def boot_id() -> str:
    """Give the boot id of this machine's kernel; empty where the system has none."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def operator_facts() -> dict[str, object]:
    """Describe the machine and the versions of the runner."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": {name: metadata.version(name) for name in VERSIONS_OF},
    }


def own_places() -> dict[str, str]:
    """Give the folders of this user and this checkout, and what a record calls them instead."""
    return {
        str(PROJECT_ROOT): ".",
        str(data_home()): "$XDG_DATA_HOME/ros2bench",
        str(cache_home()): "$XDG_CACHE_HOME/ros2bench",
        str(Path.home()): "~",
    }


def without_places(value: Any, places: Mapping[str, str] | None = None) -> Any:
    """Replace folders in every text of a JSON value, and reduce the operator's files to their names.

    A record names no place on the machine that made it.

    Args:
        value: What `json` reads.
        places: Folders and their replacements; `own_places` by default.
    """
    known = own_places() if places is None else places
    named = sorted((place for place in known if len(place) > 1), key=len, reverse=True)
    pattern = re.compile("|".join(rf"{re.escape(place)}(?![\w.-])" for place in named) or r"(?!)")
    return _replaced(value, pattern, known, ())


def _replaced(value: Any, pattern: re.Pattern[str], places: Mapping[str, str], path: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return (
            Path(value).name
            if value.startswith("/") and _is_of_the_operator(path)
            else pattern.sub(lambda found: places[found[0]], value)
        )
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        return {key: _replaced(item, pattern, places, (*path, key)) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, pattern, places, path) for item in cast("list[Any]", value)]
    return value


def _is_of_the_operator(path: tuple[str, ...]) -> bool:
    """Tell whether a key of a spec names a file on the operator's machine."""
    is_source = path[-1:] == ("source",) and path[-3:-2] == ("files",)
    return is_source or path[-1:] == ("parametersFile",) or path[-2:] in {("images", "lock"), ("images", "registryCa")}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False, timeout=30
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
