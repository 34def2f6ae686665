"""The stack files of the examples are read without an error, can be placed, and name what exists."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from components import patterns
from components.graph import placed_nodes
from images.roles import ROLES
from stacks import application, rendering
from stacks.reading import PROJECT_FOLDER, read_file
from tests.images.in_cluster import WORKSPACE, module
from tests.support.values import DIGEST, lock_document

EXAMPLES = PROJECT_FOLDER / "examples"
FILES = sorted(EXAMPLES.glob("*/Pulumi.*.yaml"))
WITH_COMPONENTS = [file for file in FILES if file.parent.name != "ros1"]
DEFINITIONS = WORKSPACE / "ros2bench_interfaces"


def built(file: Path) -> Any:
    spec = read_file(file, {})
    return application.built(spec.application, application.file_reader(PROJECT_FOLDER))


def test_every_kind_of_communication_has_an_example() -> None:
    names = {"action", "publish-subscribe", "queue-workers", "ros1", "service", "simulation"}
    assert {file.parent.name for file in FILES} == names
    for file in FILES:
        assert file.name == f"Pulumi.{file.parent.name}.yaml"
        assert (file.parent / "README.md").is_file()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_file_is_read_and_placed_as_it_is(file: Path) -> None:
    spec = read_file(file, {})
    graph = built(file)
    assert spec.pattern == "microservices"
    pods = patterns.placement(spec.pattern, graph)
    assert sorted(placed_nodes(pods)) == sorted(node.name for node in graph.nodes)
    assert {node.image for node in graph.nodes} <= set(ROLES)


@pytest.mark.parametrize("pattern", ["monolithic", "microservices", "composition"])
@pytest.mark.parametrize("file", WITH_COMPONENTS, ids=lambda file: file.parent.name)
def test_the_ros2_examples_can_be_placed_in_other_patterns(file: Path, pattern: str) -> None:
    pods = patterns.placement(pattern, built(file))
    assert len(pods) == (2 if pattern == "microservices" else 1)
    assert {pod.container.image for pod in pods} == {"examples"}


@pytest.mark.parametrize("file", WITH_COMPONENTS, ids=lambda file: file.parent.name)
def test_nodes_exist_as_executable_and_as_class_and_take_their_parameters(file: Path) -> None:
    rules = module("ros2bench_examples.parameters").RULES
    checked = module("ros2bench_nodes.parameters").checked
    setup = (WORKSPACE / "ros2bench_examples" / "setup.py").read_text(encoding="utf-8")
    for node in built(file).nodes:
        package, _, executable = node.command[1].partition("/")
        assert node.command[0] == "ros2bench-node"
        assert f"'{executable} = {package}.{executable}:main'" in setup
        module_name, _, class_name = node.component.plugin.rpartition(".")
        source = WORKSPACE / package / Path(*module_name.split(".")).with_suffix(".py")
        classes = [each.name for each in ast.parse(source.read_text()).body if isinstance(each, ast.ClassDef)]
        assert class_name in classes
        given = {name: value for name, value in node.parameters.items() if name != "use_sim_time"}
        assert checked(node.name, given, rules[node.name]).items() >= given.items()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_message_types_of_our_own_are_defined(file: Path) -> None:
    for topic in built(file).topics:
        package, folder, name = topic.type.split("/")
        if package == "ros2bench_interfaces":
            definition = (DEFINITIONS / folder / f"{name}.msg").read_text(encoding="utf-8")
            first = next(line for line in definition.splitlines() if line and not line.startswith("#"))
            assert (first.split()[0] == "Stamp") == (topic.stamp == "ros2bench")


@pytest.mark.parametrize("file", WITH_COMPONENTS, ids=lambda file: file.parent.name)
def test_what_is_measured_says_where_the_result_is(file: Path) -> None:
    graph = built(file)
    (result,) = [topic for topic in graph.topics if topic.name == graph.result]
    assert (result.stamp, result.name in graph.measured) == ("ros2bench", True)
    assert result.expected_rate_hz == next(
        node.parameters["rate_hz"] for node in graph.nodes if "rate_hz" in node.parameters
    )


def test_the_ros1_example_has_a_master_no_recorder_and_scripts_that_exist() -> None:
    graph = built(EXAMPLES / "ros1" / "Pulumi.ros1.yaml")
    assert graph.master
    assert graph.measured == ()
    for node in graph.nodes:
        script = PROJECT_FOLDER / "images" / "ros1" / node.command[0]
        assert script.stat().st_mode & 0o111
        ast.parse(script.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_readme_types_the_commands_of_its_own_stack(file: Path) -> None:
    name = file.parent.name
    text = (file.parent / "README.md").read_text(encoding="utf-8")
    for command in (
        f"cp examples/{name}/Pulumi.{name}.yaml .",
        f"pulumi stack init {name}",
        f"pulumi up -s {name}",
        f"pulumi destroy -s {name}",
    ):
        assert command in text
    assert (f"python -m probes.run -s {name}" in text) == (name != "ros1")
    for role in re.findall(r"python -m images\.build ([a-z0-9 -]+)", text):
        assert set(role.split()) <= set(ROLES)


def test_the_classes_need_nothing_but_options() -> None:
    """Contract of the component container; checked in the source, because ROS is not here."""
    for source in sorted((WORKSPACE / "ros2bench_examples" / "ros2bench_examples").glob("*.py")):
        for each in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(each, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id in {"ApplicationNode", "ScheduledNode"} for base in each.bases
            ):
                (made,) = [item for item in each.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
                assert made.args.kwarg is not None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_file_renders_to_one_deployment_per_node_and_what_belongs_to_it(file: Path, tmp_path: Path) -> None:
    name = file.parent.name
    document = lock_document()
    image = {"repository": "ros2bench/example", "digest": DIGEST, "inputs": DIGEST}
    document["images"] |= dict.fromkeys(("examples", "ros1"), image)
    lock = tmp_path / "lock.json"
    lock.write_text(json.dumps(document), encoding="utf-8")
    manifests = rendering.manifests(name, read_file(file, {"ROS2BENCH_IMAGES_LOCK": str(lock)}))
    deployments = {each["metadata"]["name"] for each in manifests if each["kind"] == "Deployment"}
    nodes = {node.name.replace("_", "-") for node in built(file).nodes}
    others = {"master"} if name == "ros1" else {"recorder", "discovery"}
    assert deployments == nodes | others
