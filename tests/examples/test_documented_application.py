"""The stack file that the guide shows is one: read, placed, and its raw parameters merged."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import patterns
from components.needs import Readiness
from components.raw import merged
from components.refusal import Refusal
from stacks import application
from stacks.reading import KEY, PROJECT_FOLDER, read_spec

GUIDE = (PROJECT_FOLDER / "docs" / "bring-your-own-application.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
DIGEST = "0123456789abcdef" * 4
LIDAR = "lidar: {ros__parameters: {frame: laser, rate_hz: 5}}\n"


def documented() -> dict[str, Any]:
    return yaml.safe_load(BLOCKS[0].replace("sha256:…", f"sha256:{DIGEST}"))["config"][KEY]


def graph(spec: dict[str, Any], folder: Path) -> Any:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "lidar.yaml").write_text(LIDAR)
    without_file = {**spec["application"], "nodes": {**spec["application"]["nodes"]}}
    without_file["nodes"]["lidar"] = {
        k: v for k, v in spec["application"]["nodes"]["lidar"].items() if k != "parametersFile"
    }
    read_spec("robot", {KEY: {**spec, "application": without_file}}, {})
    section = application.Application.model_validate(spec["application"], by_alias=True, by_name=False)
    return application.built(section, application.file_reader(folder))


def test_the_stack_file_of_the_guide_is_read_and_placed(tmp_path: Path) -> None:
    found = graph(documented(), tmp_path)
    lidar, planner = found.nodes
    assert lidar.parameters == {"frame": "laser", "rate_hz": 10.0}
    assert planner.needs.readiness == Readiness(kind="message", topic="/plan", message_type="nav_msgs/Path")
    assert (found.result, found.measured) == ("/plan", ("/plan",))
    assert [pod.name for pod in patterns.placement("microservices", found)] == ["lidar", "planner"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("monolithic", "images.monolithic"), ("composition", "images.composition"), ("overlay", "overlayBase")],
)
def test_a_pattern_that_lacks_something_names_the_key_of_the_guide(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        patterns.placement(pattern, graph(documented(), tmp_path))
    assert words in GUIDE


def test_the_raw_parameters_of_the_guide_are_merged() -> None:
    (raw,) = [yaml.safe_load(block)["kubernetes"]["planner"] for block in BLOCKS if "kubernetes:" in block]
    pod = {
        "terminationGracePeriodSeconds": 5,
        "containers": [{"name": "planner", "image": "i", "env": [{"name": "HOME", "value": "/home"}]}],
    }
    found = merged("planner", pod, raw)
    assert (found["priorityClassName"], found["terminationGracePeriodSeconds"]) == ("robot-critical", 10)
    (container,) = found["containers"]
    assert (container["image"], [item["name"] for item in container["env"]]) == ("i", ["HOME", "SPECIAL"])


def test_every_key_of_the_tables_exists() -> None:
    known = {str(field.alias) for field in application.Node.model_fields.values()}
    table = GUIDE[GUIDE.index("| want | write below") : GUIDE.index("### Raw parameters")]
    named = set(re.findall(r"`([a-z][A-Za-z]+)(?::|`)", table))
    assert named - known <= {"cluster", "ingress", "pod", "stateless"} | known
    assert {"environment", "secrets", "ports", "gpu", "replicas", "persistentVolumes"} <= named
