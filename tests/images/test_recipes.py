"""Which image is made of what: a change reaches the images that hold what has changed, and no other."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from images import recipes
from images.buildah import Build
from images.command_line import console
from images.containerfile import ingredients
from images.errors import BuildError
from images.inputs import digest_of_texts
from images.recipes import ARCHITECTURES, PYTHON_VERSIONS, Recipe, asset_part, make_recipe
from images.roles import GROUPS, IMAGES, OVERLAY_ROLES, PACKAGES, ROLES, ROS1, STAGES, expand
from images.sites import ASSET_LOCKS
from images.steps import Steps

NODES = {"application-camera", "application-detector", "application-reader", "application-monitor"}
WITH_NODES = {*NODES, "application-monolithic", "application-composition", "overlay-nodes", "overlay-nodes-carrier"}
OVERLAYS = set(OVERLAY_ROLES)
BUILT = [role for role in ROLES if role != ROS1]
SOURCE = "workspace/src"


def base(target: str) -> Build:
    return Build(
        title=target,
        name=f"localhost/{target}",
        inputs=digest_of_texts(target),
        containerfile=Path("x"),
        target=target,
        context=Path(),
    )


def recipe_of(images: Path, **changed_assets: str) -> Recipe:
    assets = {part: digest_of_texts(part, changed_assets.get(part.replace("/", "_"), "")) for part in ASSET_LOCKS}
    return Recipe(
        images=images,
        arguments={"ROS_DISTRO": "jazzy", "PYTHON_VERSION": "3.11"},
        runtime=base("runtime"),
        plain=base("plain"),
        builder=base("builder"),
        assets=base("assets"),
        asset_inputs=assets,
        ros1=None,
    )


def inputs(recipe: Recipe) -> dict[str, str]:
    return {role: recipe.role(role).inputs for role in BUILT}


def layers(build: Build) -> Build:
    """The build of an image's content."""
    (inner,) = build.needs
    return inner


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the images folder."""
    return Path(shutil.copytree(IMAGES, tmp_path / "images", ignore=shutil.ignore_patterns("__pycache__", "*.py")))


@pytest.fixture
def reached(tree: Path) -> Callable[[str], set[str]]:
    """Roles that a change of a file reaches."""

    def change(name: str) -> set[str]:
        before = inputs(recipe_of(tree))
        file = tree / name
        file.parent.mkdir(exist_ok=True)
        file.write_text((file.read_text() if file.exists() else "") + "\n# changed\n")
        after = inputs(recipe_of(tree))
        return {role for role in BUILT if before[role] != after[role]}

    return change


@pytest.mark.parametrize(
    ("file", "roles"),
    [
        (f"{SOURCE}/ros2bench_nodes/new.txt", {*WITH_NODES, "examples"}),
        (f"{SOURCE}/ros2bench_composition/new.txt", {"application-composition", "examples"}),
        (f"{SOURCE}/ros2bench_examples/new.txt", {"examples"}),
        (f"{SOURCE}/ros2bench_recorder/new.txt", {"recorder"}),
        (f"{SOURCE}/composition_interfaces/new.txt", {"application-composition", "examples", "recorder"}),
        (f"{SOURCE}/ros2bench_interfaces/new.txt", {*WITH_NODES, *OVERLAYS, "examples", "recorder"}),
        (f"{SOURCE}/ros2bench_bringup/new.txt", {*BUILT} - {"recorder", "machine-reader"}),
        (f"{SOURCE}/ros2bench_telemetry/new.txt", {*BUILT}),
        (f"{SOURCE}/ros2bench_machine_reader/new.txt", {"machine-reader"}),
        (f"{SOURCE}/ros2bench_service/new.txt", {"recorder", "machine-reader"}),
        ("bin/ros2bench-machine-reader", {"machine-reader"}),
        ("bin/ros2bench-recorder", {"recorder"}),
        ("bin/build-workspace", {*BUILT}),
        ("overlays/nodes/boundary.toml", {"overlay-nodes", "overlay-nodes-carrier"}),
        ("overlay.Containerfile", OVERLAYS),
        ("README.md", set[str]()),
        (f"{SOURCE}/ros2bench_nodes/__pycache__/x.pyc", set[str]()),
    ],
)
def test_a_change_reaches_what_holds_it(reached: Callable[[str], set[str]], file: str, roles: set[str]) -> None:
    assert reached(file) == roles


def test_an_update_of_the_nodes_leaves_the_base_of_the_overlays_alone(reached: Callable[[str], set[str]]) -> None:
    changed = reached(f"{SOURCE}/ros2bench_nodes/ros2bench_nodes/monitor.py")
    assert changed & {*OVERLAYS, "application-overlay-base"} == {"overlay-nodes", "overlay-nodes-carrier"}


def test_a_new_version_of_a_python_package_reaches_the_nodes_that_use_it() -> None:
    before = inputs(recipe_of(IMAGES))
    after = inputs(recipe_of(IMAGES, python_inference="newer"))
    same = {role for role in BUILT if before[role] == after[role]}
    assert same == {"application-camera", "application-monitor", "recorder", "machine-reader", "examples"}


def test_an_instruction_reaches_the_images_whose_stages_have_it(tree: Path) -> None:
    before = inputs(recipe_of(tree))
    file = tree / "Containerfile"
    file.write_text(file.read_text().replace('CMD ["ros2bench-node", "reader"]', 'CMD ["ros2bench-node", "other"]'))
    after = inputs(recipe_of(tree))
    assert {role for role in BUILT if before[role] != after[role]} == {"application-reader"}


@pytest.mark.parametrize("role", STAGES)
def test_everything_that_a_stage_copies_exists(role: str) -> None:
    needed = ingredients((IMAGES / "Containerfile").read_text(), role)
    assert all((IMAGES / file).exists() for file in needed.files)
    assert {asset_part(path) for name, path in needed.copied if name == "assets"} <= ASSET_LOCKS.keys()
    packages = {name.removeprefix("package-") for name, _ in needed.copied if name != "assets"}
    assert packages <= PACKAGES.keys()


def test_a_build_names_all_that_must_be_built_before() -> None:
    recipe = recipe_of(IMAGES)
    carrier = layers(recipe.role("overlay-nodes-carrier"))
    assert {build.title for build in carrier.needs} == {"packages nodes", "sealing application-overlay-base"}
    (nodes,) = [build for build in carrier.needs if build.title == "packages nodes"]
    assert [build.title for build in nodes.needs] == ["packages interfaces"]
    assert layers(recipe.role("application-monitor")).arguments["RUNTIME"] == recipe.runtime
    assert "PLAIN" not in layers(recipe.role("application-monitor")).arguments


def test_the_machine_reader_stands_on_python_alone() -> None:
    recipe = recipe_of(IMAGES)
    content = layers(recipe.role("machine-reader"))
    assert content.arguments["PLAIN"] == recipe.plain
    assert "RUNTIME" not in content.arguments


def test_least_images_take_no_assets_that_they_do_not_need() -> None:
    recipe = recipe_of(IMAGES)
    assert "assets" not in layers(recipe.role("application-monitor")).contexts
    copied = {role: ingredients((IMAGES / "Containerfile").read_text(), role).copied for role in NODES}
    assert ("assets", "/python/inference") not in copied["application-camera"]
    assert ("assets", "/models/recognition.onnx") not in copied["application-detector"]
    assert ("assets", "/models/detection.onnx") not in copied["application-reader"]


def test_a_folder_without_packages_is_refused(tmp_path: Path) -> None:
    recipe = recipe_of(IMAGES)
    with pytest.raises(BuildError, match=r"holds no package\.xml"):
        recipe.packages_of("mine", tmp_path, recipe.builder)


def test_groups_hold_what_they_are_for() -> None:
    assert expand(["demo"]) == ["application-monolithic", "recorder"]
    assert set(expand(["patterns"])) == {*BUILT} - {"examples", "machine-reader"}
    assert expand(["platform"]) == ["machine-reader"]
    assert expand(["recorder", "demo", "recorder"]) == ["application-monolithic", "recorder"]
    assert set(expand(["all"])) == set(ROLES)
    with pytest.raises(KeyError, match="nobody"):
        expand(["nobody"])


def test_the_file_for_docker_builds_the_same_images_of_the_same_packages() -> None:
    text = (IMAGES / "docker-bake.hcl").read_text()
    assert text.count("{") == text.count("}")
    assert text.count("[") == text.count("]")
    groups = {
        name: re.findall(r'"([a-z0-9-]+)"', body)
        for name, body in re.findall(r'group "(\w+)" \{(.*?)\n\}', text, re.DOTALL)
    }
    assert set(groups["default"]) == set(GROUPS["patterns"])
    assert groups["demo"] == list(GROUPS["demo"])
    assert {*groups["default"], *groups["all"]} - {"default"} == set(ROLES)
    named = re.findall(r'\{ name = "([^"]+)", source = "([^"]+)", under = "([^"]+)", unless_there = "([^"]*)" \}', text)
    assert {name: (source, under, unless) for name, source, under, unless in named} == {
        name: (package.source, f"package-{package.under}" if package.under else "builder", package.unless_there)
        for name, package in PACKAGES.items()
    }
    (roles,) = re.findall(r"role = \[(.*?)\]", text, re.DOTALL)
    assert set(re.findall(r'"([a-z-]+)"', roles)) == set(STAGES)


def test_the_file_for_a_jetson_changes_distribution_and_architecture_and_nothing_else() -> None:
    usual, text = ((IMAGES / name).read_text() for name in ("docker-bake.hcl", "docker-bake.jetson.hcl"))
    changed = dict(re.findall(r'variable "(\w+)" \{\n  default = "([^"]*)"', text))
    assert changed == {"ROS_DISTRO": "humble", "PYTHON_VERSION": "3.10", "PLATFORMS": "linux/arm64"}
    assert changed.keys() <= set(re.findall(r'variable "(\w+)"', usual))
    assert PYTHON_VERSIONS["official", changed["ROS_DISTRO"]] == changed["PYTHON_VERSION"]
    assert "target " not in text


def test_images_of_two_architectures_are_never_taken_for_one_another(tmp_path: Path) -> None:
    steps = Steps(tmp_path / "logs", console)
    made = {name: make_recipe("official", "humble", tmp_path, steps, architecture=name) for name in ARCHITECTURES}
    roles = [role for role in BUILT if made["amd64"].role(role).inputs == made["arm64"].role(role).inputs]
    assert roles == [], "the same inputs would leave out the build for the other architecture"


def test_the_architecture_of_this_machine_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "own_architecture", lambda: "arm64")
    steps = Steps(tmp_path / "logs", console)
    usual = make_recipe("official", "humble", tmp_path, steps)
    assert (
        usual.runtime.inputs == make_recipe("official", "humble", tmp_path, steps, architecture="arm64").runtime.inputs
    )


def test_wheels_for_a_jetson_are_refused_with_what_to_use_instead(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"amd64 only, not for arm64\. Use --flavour official"):
        make_recipe("wheels", "jazzy", tmp_path, Steps(tmp_path / "logs", console), architecture="arm64")
