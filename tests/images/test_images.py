"""The built images: what is in them and what is not."""

import hashlib
import importlib.util
import json
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from images.buildah import Buildah
from images.cache import cache_folder
from images.publish import MANIFEST, only_build
from images.recipes import Recipe, make_recipe
from images.roles import OVERLAY_ROLES, ROLES, STAGES
from images.steps import Steps
from tests.images.sandbox import BuiltImage

pytestmark = pytest.mark.image

Images = Mapping[str, BuiltImage]
TOOLS = ("pip", "pip3", "apt", "apt-get", "gcc", "g++", "make", "cmake", "colcon", "uv", "git", "curl", "wget")
ALONE = [role for role in OVERLAY_ROLES if not role.endswith("-carrier")]
CARRIERS = [role for role in OVERLAY_ROLES if role.endswith("-carrier")]
READER = "machine-reader"
ROOTED = [role for role in (*STAGES, *CARRIERS) if role != READER]
NODES = ("camera", "detector", "reader", "monitor")
WITH_NODES = [f"application-{name}" for name in ("monolithic", "composition", *NODES)]
SITE = "lib/python3.11/site-packages"
WORKSPACE = "opt/ros2bench/workspace"


@pytest.mark.parametrize("role", ROOTED)
def test_runs_as_an_ordinary_user_through_the_entry_point(images: Images, role: str) -> None:
    config = images[role].config
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/ros2bench/bin/entrypoint"]
    assert config["Cmd"][0].startswith("ros2bench-")
    assert (images[role].root / "opt/ros2bench/bin" / config["Cmd"][0]).exists()


@pytest.mark.parametrize("role", ROOTED)
def test_all_roles_have_the_same_environment(images: Images, role: str) -> None:
    assert sorted(images[role].config["Env"]) == sorted(images["recorder"].config["Env"])


@pytest.mark.parametrize("role", [role for role in ROLES if role != "recorder"])
def test_recorder_shares_no_layer_with_anything(images: Images, role: str) -> None:
    assert len(images["recorder"].layers) == 1
    assert not set(images[role].layers) & set(images["recorder"].layers)


@pytest.mark.parametrize("role", [role for role in ROLES if role != READER])
def test_the_machine_reader_shares_no_layer_with_anything(images: Images, role: str) -> None:
    assert len(images[READER].layers) == 1
    assert not set(images[role].layers) & set(images[READER].layers)


def test_the_machine_reader_is_root_on_python_alone(images: Images) -> None:
    image = images[READER]
    assert image.config["User"] == "0:0"
    assert image.config["Cmd"][0] == "ros2bench-machine-reader"
    assert not (image.root / "opt/ros").exists()
    assert held(image) == {"cryptography"}
    packages = {path.name for path in (image.root / WORKSPACE / SITE).glob("ros2bench_*") if path.suffix == ""}
    assert packages == {"ros2bench_machine_reader", "ros2bench_service", "ros2bench_telemetry"}


@pytest.mark.parametrize("role", [*ROOTED, READER])
def test_holds_no_tools_caches_or_traces_of_the_building_machine(images: Images, role: str) -> None:
    root = images[role].root
    folders = ("usr/bin", "usr/sbin", "usr/local/bin", "opt/ros/jazzy/bin", "opt/ros2bench/bin")
    found = [f"{folder}/{tool}" for folder in folders for tool in TOOLS if (root / folder / tool).exists()]
    assert found == []
    for folder in ("var/cache", "var/log", "var/lib/apt", "etc/apt", "tmp", "build", "install"):
        assert not (root / folder).is_dir() or list((root / folder).iterdir()) == [], folder
    assert not (root / "etc" / "machine-id").exists()
    assert not list((root / "opt").rglob("*.a"))


@pytest.mark.parametrize("role", [*ROOTED, *ALONE])
def test_all_of_our_own_can_be_read_by_the_user_and_written_by_nobody_else(images: Images, role: str) -> None:
    root = images[role].root
    for path in (root if role in ALONE else root / "opt").rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode
            assert mode & stat.S_IROTH, path
            assert not mode & (stat.S_IWOTH | stat.S_IWGRP), path


@pytest.mark.parametrize("role", [*ROOTED, *ALONE])
def test_every_module_has_bytecode_that_needs_no_check(images: Images, role: str) -> None:
    root = images[role].root
    ours = SITE if role in ALONE else f"{WORKSPACE}/lib"
    for folder in (ours, *([] if role in ALONE else [f"opt/ros/jazzy/{SITE}/rclpy"])):
        sources = list((root / folder).rglob("*.py"))
        assert sources
        for source in sources:
            compiled = Path(importlib.util.cache_from_source(str(source)))
            compiled = compiled.with_name(f"{source.stem}.cpython-311.pyc")
            assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 1, source


@pytest.mark.parametrize("role", [*STAGES, *OVERLAY_ROLES])
def test_programs_do_not_find_the_tree_that_they_were_built_from(images: Images, role: str) -> None:
    root = images[role].root
    for top in ("opt/underlays", "usr/local/bin/build-workspace", f"{WORKSPACE}/include", "include", "overlay/include"):
        assert not (root / top).exists()


def held(image: BuiltImage) -> set[str]:
    """What an image holds of the parts that only some nodes need."""
    root = image.root / "opt/ros2bench"
    parts = {
        "pillow": "python/PIL",
        "onnxruntime": "python/onnxruntime",
        "cryptography": "python/cryptography",
        "detection": "models/detection.onnx",
        "recognition": "models/recognition.onnx",
        "pictures": "pictures/page.png",
        "bringup": "bin/ros2bench-bringup",
        "container": "bin/ros2bench-component-container",
        "manifest": "components/manifest.json",
        "nodes": f"workspace/{SITE}/ros2bench_nodes",
        "interfaces": f"workspace/{SITE}/ros2bench_interfaces",
        "examples": f"workspace/{SITE}/ros2bench_examples",
        "recorder": f"workspace/{SITE}/ros2bench_recorder",
        "composition_interfaces": f"workspace/{SITE}/composition_interfaces",
    }
    return {name for name, path in parts.items() if (root / path).exists()}


BASE = {"pillow", "onnxruntime", "detection", "recognition", "pictures", "bringup"}
CONTAINER = {"container", "manifest", "cryptography", "composition_interfaces", "interfaces"}
HELD = {
    "application-overlay-base": BASE,
    "application-monolithic": {*BASE, "nodes", "interfaces"},
    "application-composition": {*BASE, *CONTAINER, "nodes"},
    "application-camera": {"pillow", "pictures", "nodes", "interfaces"},
    "application-detector": {"pillow", "onnxruntime", "detection", "nodes", "interfaces"},
    "application-reader": {"pillow", "onnxruntime", "recognition", "nodes", "interfaces"},
    "application-monitor": {"nodes", "interfaces"},
    "examples": {*CONTAINER, "bringup", "nodes", "examples"},
    "recorder": {"cryptography", "recorder", "interfaces", "composition_interfaces"},
    "overlay-interfaces-carrier": BASE,
    "overlay-nodes-carrier": BASE,
}


@pytest.mark.parametrize("role", ROOTED)
def test_each_role_holds_what_it_needs_and_nothing_else(images: Images, role: str) -> None:
    assert held(images[role]) == HELD[role]


def digests(folder: Path) -> dict[str, str]:
    """Digest of every source file below a folder."""
    files = sorted(folder.rglob("*.py"))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_sources_of_the_nodes_are_the_same_in_every_pattern(images: Images, sources: Path) -> None:
    wanted = digests(sources / "workspace/src/ros2bench_nodes/ros2bench_nodes")
    assert wanted
    for role in WITH_NODES:
        assert digests(images[role].root / WORKSPACE / SITE / "ros2bench_nodes") == wanted, role
    assert digests(images["overlay-nodes"].root / SITE / "ros2bench_nodes") == wanted
    assert digests(images["overlay-nodes-carrier"].root / "overlay" / SITE / "ros2bench_nodes") == wanted


def test_images_of_the_patterns_share_ros_and_the_workspace(images: Images) -> None:
    common = set(images["application-monolithic"].layers)
    for role in WITH_NODES:
        common &= set(images[role].layers)
    # Operating system, ROS, bringup, interfaces, nodes.
    assert len(common) >= 5
    monitor = images["application-monitor"]
    assert len(set(monitor.layers) - common) <= 1
    runtime = images["application-monolithic"].layers[:2]
    assert all(images[role].layers[:2] == runtime for role in ROOTED if role != "recorder")


@pytest.mark.parametrize("role", ALONE)
def test_an_overlay_is_nothing_but_its_install_space(images: Images, role: str) -> None:
    image = images[role]
    (package,) = (entry.name for entry in (image.root / "share/ament_index/resource_index/packages").iterdir())
    assert package == f"ros2bench_{role.removeprefix('overlay-')}"
    folders = {entry.name for entry in image.root.iterdir() if entry.is_dir()}
    assert folders <= {"lib", "share"}
    assert {entry.name for entry in (image.root / SITE).iterdir() if "-" not in entry.name} == {package}
    assert len(image.layers) == 1
    assert not image.config.get("Entrypoint")


@pytest.mark.parametrize("role", CARRIERS)
def test_a_carrier_is_the_base_and_the_same_install_space(images: Images, role: str) -> None:
    carrier, base = images[role], images["application-overlay-base"]
    assert carrier.layers[:-1] == base.layers
    alone = images[role.removesuffix("-carrier")].root
    names = {str(path.relative_to(alone)) for path in alone.rglob("*")}
    assert names == {str(path.relative_to(carrier.root / "overlay")) for path in (carrier.root / "overlay").rglob("*")}


@pytest.mark.parametrize("role", ["application-composition", "examples"])
def test_the_list_of_components_names_the_files_of_the_image(images: Images, role: str) -> None:
    root = images[role].root
    manifest = json.loads((root / MANIFEST).read_bytes())
    assert {component["package"] for component in manifest["components"]}
    for path, digest in manifest["files"].items():
        assert hashlib.sha256((root / path.lstrip("/")).read_bytes()).hexdigest() == digest


# The others are made of the same layers.
@pytest.mark.parametrize("role", ["application-composition", "application-monitor", "examples", "recorder"])
def test_every_shared_library_finds_what_it_needs(images: Images, tmp_path: Path, role: str) -> None:
    script = (
        "find /opt -name '*.so*' -type f | while read -r library; do "
        'LC_ALL=C ldd "$library" 2>/dev/null | grep -q "not found" && echo "$library"; done; true'
    )
    done = subprocess.run(
        images[role].command(tmp_path, "sh", "-c", script), capture_output=True, text=True, check=True
    )
    assert [line for line in done.stdout.splitlines() if "introspection" not in line] == []


ROLES_THAT_CHANGE = ("overlay-nodes", "overlay-nodes-carrier", "application-monolithic", "application-monitor")


def test_an_update_of_one_node_is_one_small_layer(
    images: Images,
    sources: Path,
    buildah: Buildah,
    steps: Steps,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed = Path(shutil.copytree(sources, tmp_path / "images"))
    node = changed / "workspace/src/ros2bench_nodes/ros2bench_nodes/monitor.py"
    node.write_text(node.read_text() + "\nCHANGED = True\n")
    recipe = make_recipe("wheels", "jazzy", cache_folder(), steps, images=changed)
    roles = ("application-overlay-base", "overlay-interfaces", *ROLES_THAT_CHANGE)
    before = {role: images[role].layers for role in roles}
    sent: dict[str, int] = {}
    with only_build(cache_folder(), steps):
        for role in roles:
            build = recipe.role(role)
            buildah.make(build)
            layers = buildah.inspect(build.name).layers
            sent[role] = sum(size for digest, size in layers if digest not in before[role])
    assert sent["application-overlay-base"] == sent["overlay-interfaces"] == 0
    assert 0 < sent["overlay-nodes"] < 400_000
    with capsys.disabled():
        print("\nupdate of monitor.py, bytes of new layers:", sent)  # noqa: T201 (what the test measures)


@pytest.mark.full
def test_building_anew_gives_the_same_digests(images: Images, recipe: Recipe, steps: Steps) -> None:
    fresh = Buildah(cache_folder() / "containers", steps)
    # Compilers enter no image; one package of interfaces stands for both, which take a minute; the roles left out are
    # made of the same layers.
    fresh._made |= {recipe.builder.name, recipe.package("interfaces").name}  # pyright: ignore[reportPrivateUsage]
    roles = ("application-composition", "recorder", *OVERLAY_ROLES)
    again: dict[str, str] = {}
    with only_build(cache_folder(), steps):
        for role in roles:
            build = recipe.role(role)
            fresh.make(build, cached=False)
            again[role] = fresh.inspect(build.name).digest
    assert again == {role: images[role].digest for role in roles}
