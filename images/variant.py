"""Images of a changed application beside the usual ones: a patch over a copy of this folder, a lock of their own.

The patch is a unified diff against the project's root; `@STAMP@` in it stands for a text of the caller's, so that no
cache, registry or machine can have the result already. No file of the checkout is written.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from images.errors import BuildError
from images.inputs import IGNORED_PARTS
from images.lock import Lock, read_lock, write_lock
from images.roles import IMAGES

STAMP = re.compile(r"[0-9a-f]{16}")
PLACE = "@STAMP@"
FOLDER = "images"
OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def changed_sources(patch: Path, stamp: str, folder: Path, images: Path = IMAGES) -> Path:
    """Copy the images folder and apply a patch to the copy.

    Args:
        patch: unified diff with paths from the project's root.
        stamp: 16 hexadecimal digits that take the place of `@STAMP@`.
        folder: existing, empty.
        images: what is copied.

    Returns:
        The changed copy.

    Raises:
        BuildError: the stamp is none, or the patch cannot be read or does not fit.
    """
    if not STAMP.fullmatch(stamp):
        raise BuildError(f"--stamp {stamp!r}: 16 hexadecimal digits are expected, for example 00000000000000a1.")
    try:
        text = patch.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BuildError(f"--patch {patch}: cannot be read: {error}.") from error
    copy = folder / FOLDER
    shutil.copytree(images, copy, ignore=shutil.ignore_patterns(*IGNORED_PARTS), symlinks=True)
    _apply(text.replace(PLACE, stamp), patch, folder)
    return copy


def variant_lock(usual: Path, variant: Path) -> Lock:
    """Begin a lock of changed images as a copy of the usual one.

    Raises:
        BuildError: there is no usual lock, or both are one file.
    """
    lock = read_lock(usual)
    if lock is None:
        raise BuildError(f"There is no lock {usual} to vary. Build the images first: python -m images.build")
    if usual.resolve() == variant.resolve():
        raise BuildError(f"--variant-lock {variant} is the usual lock; name another file, or it would be overwritten.")
    write_lock(variant, lock)
    return lock


def _apply(text: str, patch: Path, folder: Path) -> None:
    program = shutil.which("git")
    if program is None:
        raise BuildError("--patch: the program git is not installed. On Debian or Ubuntu type: apt-get install git")
    # Inside somebody's repository git would look for the paths from its root.
    environment = {name: text for name, text in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}
    done = subprocess.run(
        [program, "apply", "--whitespace=nowarn", "-"],
        cwd=folder,
        env=environment | {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"--patch {patch}: does not fit this checkout: {done.stderr.strip()}. Its paths start at the project's "
            "root, and it may change files below images/ only."
        )
