"""What version control counts of a change: lines and files, by `git`, which needs no repository for it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from stacks.override import merged

OF_ANOTHER_REPOSITORY = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})
SPEC_KEY = "ros2bench:spec"
NO_GIT = "no_git"
NO_STACK_FILE = "no_stack_file"
GIT_FAILED = "git_failed"
TIMEOUT_S = 30


class Uncountable(Exception):  # noqa: N818 - becomes the reason of a missing value
    """The change cannot be counted; `reason` is the code that the record keeps."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Counted:
    """Lines added and removed in the files of a change.

    A changed line is one added and one removed. `lines` is None where a file is binary: it has no lines.
    """

    lines: int | None
    files: int


def parse_numstat(text: str) -> Counted:
    """Read what `git … --numstat` prints: added, removed and name, separated by tabs; `-` for binary files.

    Raises:
        ValueError: A line is none of these.
    """
    lines: int | None = 0
    files = 0
    for row in text.splitlines():
        added, removed, _ = row.split("\t", 2)
        files += 1
        if "-" in (added, removed):
            lines = None
        elif lines is not None:
            lines += int(added) + int(removed)
    return Counted(lines, files)


def count_patch(patch: Path) -> Counted:
    """Count what a patch changes.

    Raises:
        Uncountable: There is no git, or the file is no patch.
    """
    with tempfile.TemporaryDirectory(prefix="ros2bench-change-") as folder:
        return parse_numstat(_git(Path(folder), ["apply", "--numstat", str(patch.absolute())], (0,)))


def count_setting(stack_file: Path, changes: Mapping[str, Any]) -> Counted:
    """Count what keys of the spec change in a stack file, written before and after in one style.

    Raises:
        Uncountable: There is no git or no such file.
    """
    try:
        document: Any = yaml.safe_load(stack_file.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Uncountable(NO_STACK_FILE, f"{stack_file} cannot be read: {error}") from None
    before = cast("dict[str, Any]", document)
    after = merged(before, {"config": {SPEC_KEY: dict(changes)}})
    with tempfile.TemporaryDirectory(prefix="ros2bench-change-") as folder:
        places = [Path(folder, state, stack_file.name) for state in ("before", "after")]
        for place, state in zip(places, (before, after), strict=True):
            place.parent.mkdir()
            place.write_text(yaml.safe_dump(state, sort_keys=False), encoding="utf-8")
        names = [str(place.relative_to(folder)) for place in places]
        return parse_numstat(_git(Path(folder), ["diff", "--no-index", "--numstat", *names], (0, 1)))


def _git(folder: Path, arguments: Sequence[str], good: Sequence[int]) -> str:
    program = shutil.which("git")
    if program is None:
        raise Uncountable(NO_GIT, "the program git is not installed")
    # In somebody's repository git would leave out what lies outside the current folder.
    environment = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environment | {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    if done.returncode not in good:
        raise Uncountable(GIT_FAILED, f"git {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
