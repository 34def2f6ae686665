"""What a user sees when the lab cannot do what was asked: a sentence, a next step, an exit code, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from images.roles import GROUPS
from lab import lifecycle, packages, requirements
from lab.__main__ import ImageGroup, app
from lab.commands import run
from lab.errors import LabError, MachineUnfitError
from lab.folders import PROJECT, LabFolders
from lab.toolchain.pins import load_pins


def lab(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "lab", *words], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("env",), 4, "python -m lab up"),
        (("status", "--name", "Bad Name"), 2, "beginning with a letter"),
        (("up", "--images", "some"), 2, "'demo', 'patterns', 'platform', 'all', 'none'"),
        (("up", "--platform", "some"), 2, "'none', 'builtin', 'all'"),
    ],
)
def test_failures_are_sentences(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = lab(tmp_path, *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "", "nothing that a shell would evaluate"


@pytest.fixture
def folders(tmp_path: Path) -> LabFolders:
    return LabFolders(name="t", data=tmp_path / "data", cache=tmp_path / "cache")


def test_without_root_nothing_is_touched_and_root_is_asked_for(
    folders: LabFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineUnfitError, match="needs root") as caught:
        requirements.require_fit(folders)
    assert "sudo" in caught.value.advice
    assert not folders.root.exists()


@pytest.mark.parametrize(
    ("words", "group"),
    [((), "patterns"), (("--images", "demo"), "demo"), (("--images", "none"), None), (("--no-images",), None)],
)
def test_up_builds_the_images_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], group: str | None
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(lifecycle, "up", lambda *_, images, **__: asked.append(images))  # pyright: ignore[reportUnknownLambdaType]
    assert CliRunner().invoke(app, ["up", *words]).exit_code == 0
    assert asked == [group]


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ((), None),
        (("--platform", "none"), None),
        (("--platform", "builtin"), "builtin"),
        (("--platform", "all"), "all"),
    ],
)
def test_up_provides_the_third_party_programs_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], level: str | None
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(lifecycle, "up", lambda *_, platform, **__: asked.append(platform))  # pyright: ignore[reportUnknownLambdaType]
    assert CliRunner().invoke(app, ["up", *words]).exit_code == 0
    assert asked == [level]


def test_the_groups_are_those_of_the_image_build() -> None:
    assert {group.value for group in ImageGroup} == {*GROUPS, "none"}


def test_too_little_memory_and_disk_are_named_together(folders: LabFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "available_memory_bytes", lambda: 1_500_000_000)
    monkeypatch.setattr(requirements, "DISK_TO_BUILD_BYTES", 10**18)
    with pytest.raises(MachineUnfitError, match=r"1\.5 GB of memory") as caught:
        requirements.require_fit(folders)
    assert "XDG_CACHE_HOME" in caught.value.advice


def test_disk_for_third_party_programs_is_asked_for_only_where_they_are_missing(
    folders: LabFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "DISK_BYTES", 0)
    monkeypatch.setattr(requirements, "DISK_PER_PLATFORM_TOOL_BYTES", 10**18)
    with pytest.raises(MachineUnfitError, match="the lab needs") as caught:
        requirements.require_disk_for(folders, ["jaeger"])
    assert "XDG_CACHE_HOME" in caught.value.advice
    home = folders.tools / "jaeger" / load_pins().tools["jaeger"].version
    home.mkdir(parents=True)
    (home / "receipt.json").write_text("{}")
    requirements.require_disk_for(folders, ["jaeger"])


def test_small_socket_buffers_are_a_warning_with_the_command(
    folders: LabFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "SOCKET_BUFFER_BYTES", 2**40)
    finding = requirements.check_socket_buffers(folders)
    assert finding
    assert not finding.fatal
    assert "sysctl -w net.core.rmem_max=" in finding.advice


def test_missing_packages_are_named_and_a_machine_without_apt_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "NEEDED", {"/nonexistent/program": "some-package", "/bin/sh": "dash"})
    assert packages.missing_packages() == ["some-package"]
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineUnfitError, match="some-package"):
        packages.install(["some-package"])


def test_failing_program_shows_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"Doing it: sh ended with status 3:\n    the reason"):
        run(["sh", "-c", "echo the reason >&2; exit 3"], doing="Doing it", log=tmp_path / "log")
    assert "the reason" in (tmp_path / "log").read_text()
    with pytest.raises(LabError, match="not on this machine"):
        run(["no-such-program"], doing="Doing it")
    with pytest.raises(LabError, match="did not end within"):
        run(["sleep", "5"], doing="Doing it", timeout_s=0.05)
