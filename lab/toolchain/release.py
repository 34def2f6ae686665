"""Get a program's official release, checked before anything of it is kept.

The order of trust: the checksum pinned in pins.toml; a checksum learnt earlier on this computer; the publisher's own
checksum file, which is then remembered. A wrong sum is refused and never falls back to anything.
"""

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from lab.errors import LabError
from lab.toolchain.pins import Tool

CHUNK_BYTES = 1 << 20
CONNECT_TIMEOUT_S = 5.0


class UnreachableError(Exception):
    """The publisher cannot be reached from this computer; the program is built instead."""


def published_sum(text: str, file_name: str) -> str | None:
    """Find a file's SHA-256 in a checksum file: a bare sum, or lines of sum and name (sha256sum(1))."""
    for line in text.splitlines():
        words = line.split()
        if (
            words
            and re.fullmatch(r"[0-9a-fA-F]{64}", words[0])
            and (len(words) == 1 or words[-1].lstrip("*").rpartition("/")[2] == file_name)
        ):
            return words[0].lower()
    return None


def _get_text(client: httpx.Client, address: str) -> str:
    try:
        answer = client.get(address)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise UnreachableError(f"{urlsplit(address).hostname}: {error}") from error
    return answer.text


def _download(client: httpx.Client, address: str, target: Path, said: Callable[[str], None]) -> str:
    """Stream a file to `target` and return its SHA-256."""
    digest, got = hashlib.sha256(), 0
    try:
        with client.stream("GET", address) as answer, target.open("wb") as file:
            answer.raise_for_status()
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
                got += len(chunk)
                said(f"{target.name}: {got / 1e6:.0f} MB")
    except httpx.HTTPError as error:
        target.unlink(missing_ok=True)
        raise UnreachableError(f"{urlsplit(address).hostname}: {error}") from error
    return digest.hexdigest()


def _expected_sum(client: httpx.Client, tool: Tool, address: str, learned: dict[str, str], checksums: str) -> str:
    name = address.rpartition("/")[2]
    known = (tool.release.sha256 if tool.release else {}).get(name) or learned.get(address)
    if known:
        return known
    published = published_sum(_get_text(client, checksums), name)
    if published is None:
        raise LabError(
            f"{checksums} names no SHA-256 for {name}: the release of {tool.name} {tool.version} cannot be checked.",
            advice=f"Write its publisher's checksum under [{tool.name}] release.sha256 in lab/toolchain/pins.toml.",
        )
    return published


def fetch_checked(
    client: httpx.Client,
    tool: Tool,
    address: str,
    checksums: str,
    target: Path,
    learned_file: Path,
    said: Callable[[str], None],
) -> None:
    """Download one file to `target` and check it.

    Raises:
        UnreachableError: the publisher cannot be reached.
        LabError: the sum is wrong; the file is deleted.
    """
    learned: dict[str, str] = json.loads(learned_file.read_text()) if learned_file.exists() else {}
    expected = _expected_sum(client, tool, address, learned, checksums)
    got = _download(client, address, target, said)
    if got != expected:
        target.unlink()
        raise LabError(
            f"{address} has SHA-256 {got}, but {expected} was expected: the file is refused.",
            advice="Try again later. If it stays wrong, ask the publisher; do not change the pin to fit the file.",
        )
    if address not in learned:
        learned_file.parent.mkdir(parents=True, exist_ok=True)
        learned_file.write_text(json.dumps({**learned, address: got}, indent=1, sort_keys=True))


def _unpack(archive: Path, tool: Tool, folder: Path) -> None:
    """Take the tool's binaries out of an archive, wherever they lie in it."""
    wanted = set(tool.binaries)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.rpartition("/")[2]
            source = tar.extractfile(member) if member.isfile() and name in wanted else None
            if source is not None:
                with (folder / name).open("wb") as file:
                    shutil.copyfileobj(source, file)
                wanted.discard(name)
    if wanted:
        raise LabError(f"{archive.name} does not hold {', '.join(sorted(wanted))}.", advice="Report this pin as wrong.")


def get_release(tool: Tool, folder: Path, learned_file: Path, said: Callable[[str], None]) -> None:
    """Put the tool's released binaries into `folder`.

    Raises:
        UnreachableError: it has no release for this computer, or its publisher cannot be reached.
        LabError: a checksum is wrong or missing.
    """
    release = tool.release
    if release is None:
        raise UnreachableError("no release to download")
    timeout = httpx.Timeout(30, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        if release.archive:
            archive = folder / tool.fill(release.archive).rpartition("/")[2]
            fetch_checked(
                client,
                tool,
                tool.fill(release.archive),
                tool.fill(release.checksums),
                archive,
                learned_file,
                said,
            )
            _unpack(archive, tool, folder)
            archive.unlink()
        elif release.files:
            for binary in tool.binaries:
                address = tool.fill(release.files, binary=binary)
                checksums = tool.fill(release.checksums, binary=binary)
                fetch_checked(client, tool, address, checksums, folder / binary, learned_file, said)
    for binary in tool.binaries:
        (folder / binary).chmod(0o755)
