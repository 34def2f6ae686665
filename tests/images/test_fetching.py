"""Root file systems, package folders and steps, as far as they need no network."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from images.build import application
from images.cache import cache_folder, made_once, remove_leftovers
from images.errors import BuildError
from images.rootfs import PLAIN_SOURCE, apt_sources, mmdebstrap_command
from images.sites import arrange, drop_installer_notes, merge, normalise, point_to_image_python
from images.steps import Steps, failure


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path / "logs", Console(file=io.StringIO(), force_terminal=False))


def write(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ros2bench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "ros2bench"


def test_folder_is_made_once_and_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "key"

    def fail(folder: Path) -> None:
        write(folder / "half")
        raise BuildError("interrupted")

    with pytest.raises(BuildError, match="interrupted"):
        made_once(target, fail)
    assert list(target.parent.iterdir()) == []
    made_once(target, lambda folder: folder.joinpath("whole").touch())
    made_once(target, fail)
    assert [file.name for file in target.iterdir()] == ["whole"]


def test_leftovers_of_killed_builds_are_removed_and_finished_work_stays(tmp_path: Path) -> None:
    write(tmp_path / "sites" / ".assets-1.x" / "half")
    write(tmp_path / "sites" / "assets-1" / "whole")
    remove_leftovers(tmp_path)
    assert [folder.name for folder in (tmp_path / "sites").iterdir()] == ["assets-1"]


def test_own_apt_is_used_on_the_same_debian_only() -> None:
    assert apt_sources("ID=debian\nVERSION_CODENAME=bookworm\n") == ()
    assert apt_sources("ID=ubuntu\nVERSION_CODENAME=noble\n") == (PLAIN_SOURCE,)
    assert apt_sources("ID=debian\nVERSION_CODENAME=trixie\n") == (PLAIN_SOURCE,)


def test_mmdebstrap_writes_the_named_packages_to_the_named_file() -> None:
    command = mmdebstrap_command(("a", "b"), Path("/x.tar"), ("deb http://example bookworm main",))
    assert "--include=a,b" in command
    assert command[-3:] == ["bookworm", "/x.tar", "deb http://example bookworm main"]


def test_flat_installation_becomes_a_prefix(tmp_path: Path) -> None:
    flat, prefix = tmp_path / "flat", tmp_path / "prefix"
    write(flat / "rclpy" / "_dummy.so", b"1")
    write(flat / "lib" / "python3.11" / "site-packages" / "rclpy" / "__init__.py", b"2")
    write(flat / "ros_rcl.libs" / "libyaml-0.so", b"3")
    write(flat / "numpy.libs" / "libblas.so", b"4")
    for name in ("libx.so", "libx.so.2", "libx.so.2.1"):
        write(flat / "lib" / name, b"5")
    write(flat / "share" / "package.xml", b"6")
    write(flat / "bin" / "tool", b"#!/home/me/.venv/bin/python3\nprint()\n")
    arrange(flat, prefix)
    site = prefix / "lib" / "python3.11" / "site-packages"
    assert {file.name for file in (site / "rclpy").iterdir()} == {"_dummy.so", "__init__.py"}
    assert (site / "numpy.libs" / "libblas.so").exists()
    assert (prefix / "lib" / "libyaml-0.so").read_bytes() == b"3"
    assert (prefix / "lib" / "libx.so").readlink() == Path("libx.so.2.1")
    assert not (prefix / "lib" / "libx.so.2.1").is_symlink()
    assert (prefix / "bin" / "tool").read_text() == "#!/usr/bin/python3\nprint()\n"
    assert (prefix / "share" / "package.xml").exists()


def test_two_packages_with_different_content_for_one_file_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "f", b"1")
    write(tmp_path / "b" / "f", b"2")
    with pytest.raises(BuildError, match="different files for f"):
        merge(tmp_path / "a", tmp_path / "b")


def test_long_interpreter_line_is_pointed_to_the_image_as_well(tmp_path: Path) -> None:
    script = write(tmp_path / "tool", b"#!/bin/sh\n'''exec' '/long path/python' \"$0\" \"$@\"\n' '''\nimport sys\n")
    point_to_image_python(script)
    assert script.read_bytes() == b"#!/usr/bin/python3\nimport sys\n"
    shell = write(tmp_path / "shell", b"#!/bin/sh\necho\n")
    point_to_image_python(shell)
    assert shell.read_bytes() == b"#!/bin/sh\necho\n"


def test_rights_are_the_same_whatever_the_umask(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "run").chmod(0o700)
    write(tmp_path / "folder" / "read").chmod(0o600)
    (tmp_path / "folder").chmod(0o700)
    normalise(tmp_path)
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in tmp_path.rglob("*")}
    assert modes == {"folder": 0o755, "run": 0o755, "read": 0o644}


def test_notes_of_the_installer_go_and_metadata_stays(tmp_path: Path) -> None:
    for name in ("RECORD", "INSTALLER", "METADATA"):
        write(tmp_path / "a-1.dist-info" / name)
    drop_installer_notes(tmp_path)
    assert [file.name for file in (tmp_path / "a-1.dist-info").iterdir()] == ["METADATA"]


def test_failed_command_shows_its_end_and_its_log(steps: Steps, tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    with pytest.raises(BuildError) as failed:
        steps.run("try", [sys.executable, "-c", code])
    assert "ended with 3" in str(failed.value)
    assert "  | err\n  | out" in str(failed.value)
    assert (tmp_path / "logs" / "try.log").read_text() == "err\nout\n"


def test_missing_program_is_named_with_the_way_to_get_it(steps: Steps) -> None:
    with pytest.raises(BuildError, match=r"no-such-program is not installed.*apt-get install"):
        steps.run("try", ["no-such-program"])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("write /x: no space left on device", "The disk is full"),
        ("x509: certificate signed by unknown authority", "--ca"),
        ("dial tcp: connection refused", "--registry"),
        ("anything else", "run the same command again"),
    ],
)
def test_known_causes_come_with_advice(said: str, words: str) -> None:
    assert words in failure("push", ["buildah"], 125, said, Path("/x.log"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nobody"], 2, "no image has the role nobody; choices: application-monolithic, recorder, application-camera"),
        (["--flavour", "gold"], 2, "choices: --flavour wheels --ros-distro jazzy"),
        (["--ros-distro", "indigo"], 2, "wheels with indigo is not known"),
        (["--check", "--lock", "/nonexistent/lock.json"], 1, "There is no lock /nonexistent/lock.json"),
        (["--ca", "/nonexistent/ca.crt"], 1, "certificate authority"),
    ],
)
def test_mistakes_on_the_command_line_are_sentences(arguments: list[str], code: int, words: str) -> None:
    environment = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
    done = CliRunner().invoke(application, ["--registry", "127.0.0.1:1", *arguments], env=environment)
    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_launchers_are_executable_and_short() -> None:
    folder = Path(__file__).parents[2] / "images" / "bin"
    for script in (path for path in folder.iterdir() if not path.suffix):
        assert script.stat().st_mode & 0o111, script
        assert subprocess.run([shutil.which("sh") or "sh", "-n", script], check=False).returncode == 0
    assert len((folder / "entrypoint").read_text().splitlines()) <= 12
