"""Official releases are checked before anything of them is kept; the publisher is a server on this machine."""

import hashlib
import io
import json
import tarfile
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.folders import LabFolders
from lab.toolchain import provide as providing
from lab.toolchain.pins import Build, Pins, Release, Tool
from lab.toolchain.release import UnreachableError, get_release, published_sum
from tests.support.http_server import serving


class Quiet(SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: requests are not this test's output."""


@pytest.fixture
def publisher(tmp_path: Path) -> Generator[tuple[Path, str]]:
    folder = tmp_path / "published"
    folder.mkdir()
    with serving(partial(Quiet, directory=str(folder))) as port:
        yield folder, f"http://127.0.0.1:{port}"


def publish(folder: Path, content: bytes) -> str:
    """Put `tool-1.2.3.tar.gz` with one binary and its checksum file into the publisher's folder; return the sum."""
    archive = folder / "tool-1.2.3.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("tool-1.2.3/bin/tool")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  other.tar.gz\n{digest}  tool-1.2.3.tar.gz\n")
    return digest


def tool(address: str, **sums: str) -> Tool:
    release = Release(
        archive=address + "/tool-{version}.tar.gz",
        checksums=address + "/SHA256SUMS",
        sha256={name.replace("__", "-").replace("_", "."): value for name, value in sums.items()},
    )
    return Tool(name="tool", version="1.2.3", binaries=("tool",), release=release, build=Build(packages=(".",)))


def silent(_: str) -> None:
    """Take progress and show none."""


def get(one: Tool, tmp_path: Path) -> Path:
    target = tmp_path / "target"
    target.mkdir(exist_ok=True)
    get_release(one, target, tmp_path / "learned.json", silent)
    return target / "tool"


def test_release_is_taken_when_the_publishers_sum_fits_and_the_sum_is_remembered(
    publisher: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = publisher
    digest = publish(folder, b"the program")
    binary = get(tool(address), tmp_path)
    assert binary.read_bytes() == b"the program"
    assert binary.stat().st_mode & 0o111
    assert json.loads((tmp_path / "learned.json").read_text()) == {f"{address}/tool-1.2.3.tar.gz": digest}


def test_a_remembered_sum_wins_over_a_changed_publisher(publisher: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = publisher
    publish(folder, b"the program")
    get(tool(address), tmp_path)
    publish(folder, b"another program, with a checksum file that fits it")
    with pytest.raises(LabError, match="refused"):
        get(tool(address), tmp_path)


def test_wrong_sum_is_refused_and_the_file_deleted(publisher: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = publisher
    publish(folder, b"the program")
    (folder / "SHA256SUMS").write_text(f"{'1' * 64}  tool-1.2.3.tar.gz\n")
    with pytest.raises(LabError, match="refused") as caught:
        get(tool(address), tmp_path)
    assert "do not change the pin" in caught.value.advice
    assert list((tmp_path / "target").iterdir()) == []


def test_pinned_sum_is_used_before_the_publishers(publisher: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = publisher
    digest = publish(folder, b"the program")
    (folder / "SHA256SUMS").unlink()
    pinned = Release(
        archive=address + "/tool-{version}.tar.gz",
        checksums=address + "/SHA256SUMS",
        sha256={"tool-1.2.3.tar.gz": digest},
    )
    assert get(tool(address).model_copy(update={"release": pinned}), tmp_path).exists()


def test_a_checksum_file_that_lacks_the_name_is_an_error(publisher: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = publisher
    publish(folder, b"the program")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  other.tar.gz\n")
    with pytest.raises(LabError, match="cannot be checked"):
        get(tool(address), tmp_path)


def test_missing_release_and_dead_publisher_are_unreachable(publisher: tuple[Path, str], tmp_path: Path) -> None:
    _, address = publisher
    with pytest.raises(UnreachableError, match="404"):
        get(tool(address), tmp_path)
    with pytest.raises(UnreachableError):
        get(tool("http://127.0.0.1:9"), tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a" * 64, "a" * 64),
        (f"{'b' * 64}  x.tgz\n{'c' * 64} *dir/tool.tgz", "c" * 64),
        ("not a sum  tool.tgz", None),
        (f"{'d' * 64}  tool.tgz.asc", None),
    ],
)
def test_checksum_files_of_several_publishers_are_read(text: str, found: str | None) -> None:
    assert published_sum(text, "tool.tgz") == found


def pins_of(one: Tool) -> Pins:
    return Pins(go_minimum="1.0", tools={one.name: one})


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabFolders:
    monkeypatch.setenv("PATH", "/nonexistent")
    return LabFolders(name="t", data=tmp_path / "data", cache=tmp_path / "cache")


def test_tool_is_downloaded_once_and_then_taken_from_the_cache(
    publisher: tuple[Path, str], folders: LabFolders
) -> None:
    folder, address = publisher
    publish(folder, b"the program")
    first = providing.provide(tool(address), pins_of(tool(address)), folders, silent)
    (folder / "tool-1.2.3.tar.gz").unlink()
    second = providing.provide(tool(address), pins_of(tool(address)), folders, silent)
    assert (first.origin, second.origin) == ("release", "release")
    assert second.binary("tool").read_bytes() == b"the program"


def test_wrong_sum_does_not_fall_back_to_building(
    publisher: tuple[Path, str], folders: LabFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = publisher
    publish(folder, b"the program")
    (folder / "SHA256SUMS").write_text(f"{'1' * 64}  tool-1.2.3.tar.gz\n")
    built: list[str] = []

    def record(one: Tool, *_: object) -> None:
        built.append(one.name)

    monkeypatch.setattr(providing, "build", record)
    with pytest.raises(LabError, match="refused"):
        providing.provide(tool(address), pins_of(tool(address)), folders, silent)
    assert built == []
    assert not (folders.tools / "tool" / "1.2.3").exists()


def test_program_on_path_is_taken_when_its_version_fits(
    tmp_path: Path, folders: LabFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "tool").write_text("#!/bin/sh\necho tool v1.2.3\n")
    (there / "tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{there}:/bin:/usr/bin")
    one = tool("http://127.0.0.1:9").model_copy(update={"version_command": ("tool", "--version")})
    assert providing.provide(one, pins_of(one), folders, silent).origin == "PATH"
    assert providing.on_path(one.model_copy(update={"version": "1.2.4"})) is None
