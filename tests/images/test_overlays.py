"""Overlays of somebody else's workspaces, really built: one that fits, one that crosses its boundary."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from images.buildah import Buildah
from images.cache import cache_folder
from images.errors import BuildError
from images.lock import read_lock
from images.overlay import stacked, workspace_overlay
from images.publish import Destination, Publisher, only_build
from images.recipes import Recipe
from images.registry import Registry
from images.roles import Overlay
from images.steps import Steps

pytestmark = pytest.mark.image

BASE = "application-overlay-base"
PACKAGE = """<package format="3"><name>{name}</name><version>1.0.0</version><description>d</description>
<maintainer email="a@example.org">a</maintainer><license>Apache-2.0</license>{depends}</package>"""
MESSAGES = """cmake_minimum_required(VERSION 3.8)
project(arm_interfaces)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(ros2bench_interfaces REQUIRED)
rosidl_generate_interfaces(${PROJECT_NAME} msg/Reach.msg DEPENDENCIES ros2bench_interfaces)
ament_package()
"""
SETUP = """from setuptools import setup
setup(name="{name}", version="1.0.0", packages=["{name}"{more}],
      data_files=[("share/ament_index/resource_index/packages", ["resource/{name}"]),
                  ("share/{name}", ["package.xml"])])
"""


class LocalPush(Buildah):
    """Keeps what is built in the local storage."""

    def push(self, image: str, destination: str, certificate_authority: Path | None) -> str:  # noqa: ARG002
        """Name the image as the storage knows it."""
        return self.inspect(image).digest


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def write(workspace: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = workspace / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def python_package(name: str, *modules: str) -> dict[str, str]:
    more = "".join(f', "{module}"' for module in modules)
    build = "<export><build_type>ament_python</build_type></export>"
    return {
        f"src/{name}/package.xml": PACKAGE.format(name=name, depends=build),
        f"src/{name}/setup.py": SETUP.format(name=name, more=more),
        f"src/{name}/resource/{name}": "",
        **{f"src/{name}/{module}/__init__.py": "" for module in (name, *modules)},
    }


def publish(recipe: Recipe, steps: Steps, lock: Path, overlays: Mapping[str, Overlay], roles: list[str]) -> None:
    nothing = httpx.MockTransport(lambda _: httpx.Response(404))
    destination = Destination(
        registry=Registry("registry.example", None, nothing), certificate_authority=None, lock=lock
    )
    buildah = LocalPush(cache_folder() / "containers", steps)
    with only_build(cache_folder(), steps):
        Publisher(recipe, buildah, destination, "wheels", steps, overlays=overlays).publish(roles)


def test_an_overlay_with_messages_of_lower_ones_is_built_and_locked(
    recipe: Recipe, steps: Steps, buildah: Buildah, workspace: Path, tmp_path: Path
) -> None:
    cmake = (
        "<buildtool_depend>ament_cmake</buildtool_depend><build_depend>rosidl_default_generators</build_depend>"
        "<depend>ros2bench_interfaces</depend><exec_depend>rosidl_default_runtime</exec_depend>"
        "<member_of_group>rosidl_interface_packages</member_of_group>"
        "<export><build_type>ament_cmake</build_type></export>"
    )
    write(
        workspace,
        {
            "src/arm_interfaces/package.xml": PACKAGE.format(name="arm_interfaces", depends=cmake),
            "src/arm_interfaces/CMakeLists.txt": MESSAGES,
            "src/arm_interfaces/msg/Reach.msg": "ros2bench_interfaces/Stamp stamp  # when\nfloat64 metres\n",
        },
    )
    lower = stacked(["interfaces"], BASE)
    overlays = {**lower, "arm": workspace_overlay("arm", workspace, BASE, tuple(lower))}
    lock = tmp_path / "lock.json"
    publish(recipe, steps, lock, overlays, ["overlay-arm", "overlay-arm-carrier"])
    written = read_lock(lock)
    assert written
    alone, carrier = (written.images[role] for role in ("overlay-arm", "overlay-arm-carrier"))
    assert alone.overlay == carrier.overlay
    assert alone.overlay
    assert alone.overlay.base == BASE
    assert alone.overlay.below == ["interfaces"]
    assert list(alone.overlay.interfaces) == ["arm_interfaces/msg/Reach"]
    assert "ros2bench_interfaces/msg/Stamp" in alone.overlay.against
    (layer,) = buildah.inspect(recipe.overlay(overlays["arm"], overlays)["overlay-arm"].name).layers
    assert layer[1] < 2_000_000


def test_an_overlay_that_hides_what_it_does_not_list_is_refused_with_every_name(
    recipe: Recipe, steps: Steps, workspace: Path, tmp_path: Path
) -> None:
    write(workspace, {**python_package("std_msgs"), **python_package("innocent", "json", "numpy")})
    lock = tmp_path / "lock.json"
    overlays = {"bad": workspace_overlay("bad", workspace, BASE, ())}
    with pytest.raises(BuildError) as refused:
        publish(recipe, steps, lock, overlays, ["overlay-bad"])
    said = str(refused.value)
    for words in (
        f"The package std_msgs replaces the one of {BASE}",
        f"The Python module json hides the one of {BASE}",
        f"The Python module numpy hides the one of {BASE}",
        "The definition std_msgs/msg/String is gone, and the layers below were built with it",
        "sensor_msgs",
        str(workspace / "boundary.toml"),
    ):
        assert words in said
    assert "innocent" not in said
    assert not lock.exists()
