"""The built images: what is in them and what is not."""

import importlib.util
import stat
import subprocess
from pathlib import Path

import pytest

from images.build import build_bases, build_role, only_build
from images.buildah import Buildah
from images.cache import cache_folder
from images.recipes import ROLES, Recipe
from images.steps import Steps
from tests.images.sandbox import BuiltImage, read_oci

pytestmark = pytest.mark.image

Images = dict[str, BuiltImage]
TOOLS = ("pip", "pip3", "apt", "apt-get", "gcc", "g++", "make", "cmake", "colcon", "uv", "git", "curl", "wget")


@pytest.mark.parametrize("role", ROLES)
def test_runs_as_an_ordinary_user_through_the_entry_point(images: Images, role: str) -> None:
    config = images[role].config
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/ros2bench/bin/entrypoint"]
    assert config["Cmd"][0].startswith("ros2bench-")


def test_both_roles_have_the_same_environment(images: Images) -> None:
    application, recorder = images["application-monolithic"].config, images["recorder"].config
    assert sorted(application["Env"]) == sorted(recorder["Env"])


def test_recorder_shares_no_layer_with_the_application(images: Images) -> None:
    application, recorder = images["application-monolithic"].layers, images["recorder"].layers
    assert len(recorder) == 1
    assert len(application) >= 4
    assert not set(application) & set(recorder)


@pytest.mark.parametrize("role", ROLES)
def test_holds_no_tools_caches_or_traces_of_the_building_machine(images: Images, role: str) -> None:
    root = images[role].root
    folders = ("usr/bin", "usr/sbin", "usr/local/bin", "opt/ros/jazzy/bin", "opt/ros2bench/bin")
    found = [f"{folder}/{tool}" for folder in folders for tool in TOOLS if (root / folder / tool).exists()]
    assert found == []
    for folder in ("var/cache", "var/log", "var/lib/apt", "etc/apt", "tmp"):
        assert not (root / folder).is_dir() or list((root / folder).iterdir()) == [], folder
    assert not (root / "etc" / "machine-id").exists()
    assert not list((root / "opt").rglob("*.a"))


@pytest.mark.parametrize("role", ROLES)
def test_all_of_our_own_can_be_read_by_the_user_and_written_by_nobody_else(images: Images, role: str) -> None:
    for path in (images[role].root / "opt").rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode
            assert mode & stat.S_IROTH, path
            assert not mode & (stat.S_IWOTH | stat.S_IWGRP), path


@pytest.mark.parametrize("role", ROLES)
def test_every_module_has_bytecode_that_needs_no_check(images: Images, role: str) -> None:
    root = images[role].root
    for folder in ("opt/ros2bench/workspace/lib", "opt/ros/jazzy/lib/python3.11/site-packages/rclpy"):
        sources = list((root / folder).rglob("*.py"))
        assert sources
        for source in sources:
            compiled = Path(importlib.util.cache_from_source(str(source)))
            compiled = compiled.with_name(f"{source.stem}.cpython-311.pyc")
            assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 1, source


def test_application_holds_models_and_pictures_and_the_recorder_does_not(images: Images) -> None:
    application, recorder = (images[role].root / "opt/ros2bench" for role in ("application-monolithic", "recorder"))
    assert {path.name for path in (application / "models").iterdir()} == {"detection.onnx", "recognition.onnx"}
    assert {path.name for path in (application / "pictures").iterdir()} == {"page.png", "text.png"}
    assert not (recorder / "models").exists()
    assert not (recorder / "python" / "onnxruntime").exists()


def test_every_shared_library_finds_what_it_needs(images: Images, tmp_path: Path) -> None:
    script = (
        "find /opt -name '*.so*' -type f | while read -r library; do "
        'LC_ALL=C ldd "$library" 2>/dev/null | grep -q "not found" && echo "$library"; done; true'
    )
    for role, image in images.items():
        done = subprocess.run(image.command(tmp_path, "sh", "-c", script), capture_output=True, text=True, check=True)
        missing = [line for line in done.stdout.splitlines() if "introspection" not in line]
        assert missing == [], role


def test_building_everything_anew_gives_the_same_digests(
    images: Images, recipe: Recipe, buildah: Buildah, steps: Steps, tmp_path: Path
) -> None:
    again: dict[str, str] = {}
    with only_build(cache_folder(), steps):
        build_bases(recipe, buildah, steps, cached=False)
        for role in ROLES:
            reference = build_role(role, recipe, buildah, steps, cached=False)
            buildah.push(reference, f"oci:{tmp_path / role}", None)
            again[role] = read_oci(tmp_path / role)[0]
    assert again == {role: image.digest for role, image in images.items()}
