"""Digests of what an image is made of."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

IGNORED_PARTS = frozenset({"__pycache__", ".ruff_cache", ".pytest_cache"})


def source_files(paths: Iterable[Path]) -> list[Path]:
    """Files at and under the given paths, without what tools leave behind, in a fixed order."""
    found: set[Path] = set()
    for path in paths:
        candidates = path.rglob("*") if path.is_dir() else [path]
        found.update(file for file in candidates if file.is_file() and not IGNORED_PARTS & set(file.parts))
    return sorted(found)


def digest_of_files(root: Path, paths: Iterable[Path]) -> str:
    """Digest over names, execute bits and contents; the place of `root` and times do not enter.

    Args:
        root: names are relative to it.
        paths: files and folders under `root`.

    Returns:
        `sha256:` and 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for file in source_files(paths):
        executable = b"x" if file.stat().st_mode & 0o100 else b"-"
        content = hashlib.sha256(file.read_bytes()).digest()
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + executable + content)
    return f"sha256:{digest.hexdigest()}"


def digest_of_texts(*texts: str) -> str:
    """Digest over texts; where one ends and the next begins matters."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return f"sha256:{digest.hexdigest()}"


def short(digest: str) -> str:
    """First sixteen digits of a digest, for names of tags and folders."""
    return digest.removeprefix("sha256:")[:16]
