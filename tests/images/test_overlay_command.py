"""`python -m images.overlay`: what it takes a workspace for, and what it refuses."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from images.errors import BuildError
from images.overlay import application, stacked, workspace_overlay

BASE = "application-overlay-base"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "w" / "src").mkdir(parents=True)
    return tmp_path / "w"


def test_a_workspace_is_its_packages_and_its_boundary(workspace: Path) -> None:
    overlay = workspace_overlay("mine", workspace, BASE, ("interfaces",))
    assert overlay.sources == workspace / "src"
    assert overlay.boundary == workspace / "boundary.toml"
    assert overlay.roles == ("overlay-mine", "overlay-mine-carrier")


@pytest.mark.parametrize("name", ["", "Mine", "1", "nodes", "a-carrier", "a" * 32, "a/b"])
def test_names_that_cannot_be_used_are_refused(workspace: Path, name: str) -> None:
    with pytest.raises(BuildError, match="cannot be called"):
        workspace_overlay(name, workspace, BASE, ())


def test_a_folder_without_src_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no folder src"):
        workspace_overlay("mine", tmp_path, BASE, ())


def test_lower_overlays_lie_on_one_another(workspace: Path) -> None:
    lower = stacked(["interfaces", f"mine={workspace}"], BASE)
    assert list(lower) == ["interfaces", "mine"]
    assert lower["mine"].below == ("interfaces",)


@pytest.mark.parametrize(
    ("entries", "base", "words"),
    [
        (["nobody"], BASE, "choices: interfaces, nodes, or NAME=WORKSPACE"),
        (["nodes"], BASE, "made for another place, nodes on interfaces on application-overlay-base"),
        (["interfaces"], "examples", "made for another place"),
    ],
)
def test_lower_overlays_that_do_not_fit_are_refused(entries: list[str], base: str, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        stacked(entries, base)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--base", "recoder"], 2, "choices: application-monolithic, recorder"),
        (["--name", "nodes"], 1, "cannot be called 'nodes'"),
        (["--on", "interfaces", "--on", "nodes", "--on", "third=W"], 1, "At most 3 overlays"),
        (["--ros-distro", "indigo"], 2, "wheels with indigo is not known"),
        (["--ca", "/nonexistent/ca.crt"], 1, "certificate authority"),
    ],
)
def test_mistakes_are_sentences(workspace: Path, arguments: list[str], code: int, words: str) -> None:
    environment = {
        "COLUMNS": "300",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "ROS2BENCH_IMAGES_LOCK": str(workspace / "l.json"),
    }
    given = [argument.replace("W", str(workspace)) for argument in arguments]
    name = [] if "--name" in given else ["--name", "mine"]
    command = [str(workspace), "--registry", "127.0.0.1:1", *name, *given]
    done = CliRunner().invoke(application, command, env=environment)
    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
