"""Every pattern is deployed under mocks: what it sends passes the guardrails, and the contract says what was sent."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from components import guardrails, image_volumes, patterns
from components.api_server import Connection
from components.image_volumes import Answer
from components.refusal import Refusal
from stacks.outputs import StackOutputs
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.deployment import Deployment

PAGE = Path(__file__).parents[2] / "docs" / "add-a-pattern.md"


def pods(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Specification of the application's pods, by name."""
    found = {r.name: r.inputs["spec"]["template"] for r in deployment.of("Deployment")}
    return {
        name: template["spec"]
        for name, template in found.items()
        if template["metadata"]["labels"]["app.kubernetes.io/component"] == "application"
    }


def contract(deployment: Deployment) -> Any:
    return StackOutputs.model_validate(deployment.value).application


@pytest.mark.parametrize("pattern", patterns.names())
def test_the_contract_names_the_pods_images_and_nodes_that_are_deployed(run: Run, pattern: str) -> None:
    deployment = run(pattern)
    deployed = pods(deployment)
    said = contract(deployment)
    assert {pod.name: pod.image for pod in said.pods} == {
        name: spec["containers"][0]["image"] for name, spec in deployed.items()
    }
    assert sorted(node for pod in said.pods for process in pod.processes for node in process) == sorted(values.NODES)
    assert all(len(spec["containers"]) == 1 for spec in deployed.values())
    assert [topic.name for topic in said.topics] == ["/results"]


@pytest.mark.parametrize("pattern", patterns.names())
def test_every_pod_is_asked_whether_it_started_works_and_lives(run: Run, pattern: str) -> None:
    for spec in pods(run(pattern)).values():
        container = spec["containers"][0]
        assert [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")] == [
            "/startz",
            "/readyz",
            "/healthz",
        ]


@pytest.mark.parametrize("pattern", patterns.names())
def test_placing_and_rendering_is_quick(run: Run, pattern: str) -> None:
    """Place and render within 0.3 s of processor time, the recording of every resource included."""

    def once_s() -> float:
        began = time.process_time()
        run(pattern, again=True)
        return time.process_time() - began

    assert min(once_s(), once_s()) < 0.3


def test_composition_says_how_its_container_is_called(run: Run) -> None:
    (pod,) = contract(run("composition", composition={"process": "shared", "executor": "isolated"})).pods
    said = pod.component_container.model_dump()
    loaded = {component["node"]: component for component in said.pop("components")}
    assert said == {
        "name": "/perception",
        "process": "shared",
        "executor": "isolated",
        "public_key": values.SIGNATURE["public_key"],
    }
    assert list(loaded) == list(values.NODES)
    assert loaded["detector"]["plugin"] == "ros2bench_nodes.detector.Detector"
    assert loaded["detector"]["parameters"]["score_threshold"] == 0.5
    assert pod.processes == [list(values.NODES)]


def test_an_image_that_nobody_signed_is_refused(run: Run) -> None:
    with pytest.raises(Refusal, match=r"image application-monolithic has no signed component manifest"):
        run("composition", application={"images": {"composition": "application-monolithic"}})


def test_a_foreign_image_is_composed_with_the_users_own_signature(run: Run) -> None:
    foreign = f"registry.example/robot@{values.DIGEST}"
    deployment = run(
        "composition",
        application={"images": {"composition": foreign}},
        composition={"publicKey": "bWluZQ==", "signature": "c2ln"},
    )
    (pod,) = contract(deployment).pods
    assert (pod.image, pod.component_container.public_key) == (foreign, "bWluZQ==")


def test_overlays_are_image_volumes_where_the_spec_says_so(run: Run) -> None:
    deployment = run("overlay")
    (spec,) = pods(deployment).values()
    mounted = {v["name"]: v["image"]["reference"] for v in spec["volumes"] if "image" in v}
    (pod,) = contract(deployment).pods
    assert pod.delivery == "image-volume"
    assert [(o.path, o.image) for o in pod.overlays] == [
        ("/opt/overlays/10-interfaces", mounted["overlay-interfaces"]),
        ("/opt/overlays/20-nodes", mounted["overlay-nodes"]),
    ]
    assert "initContainers" not in spec


@pytest.mark.parametrize(("supported", "delivery"), [(True, "image-volume"), (False, "copy")])
def test_the_cluster_is_asked_how_overlays_can_arrive(
    run: Run, monkeypatch: pytest.MonkeyPatch, *, supported: bool, delivery: str
) -> None:
    def ask(api: Connection) -> Answer:
        assert api.context == "here"
        return Answer(supported=supported, reason="reason")

    monkeypatch.setattr(image_volumes, "ask", ask)
    deployment = run("overlay", again=True, overlay={})
    (pod,) = contract(deployment).pods
    (spec,) = pods(deployment).values()
    assert pod.delivery == delivery
    carriers = [container["image"] for container in spec.get("initContainers", [])]
    assert carriers == ([] if supported else [overlay.image for overlay in pod.overlays])


@pytest.mark.parametrize("pattern", ["monolithic", "microservices", "composition"])
def test_a_cluster_is_not_asked_where_there_are_no_overlays(
    run: Run, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    def ask(*_: object) -> Answer:
        raise AssertionError("asked")

    monkeypatch.setattr(image_volumes, "ask", ask)
    assert contract(run(pattern, again=True, overlay={})).pods[0].delivery is None


def test_a_fifth_pattern_is_one_file(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file of docs/add-a-pattern.md, dropped into the folder, is deployed like any other."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "split.py").write_text(block, encoding="utf-8")
    monkeypatch.setattr(patterns, "__path__", [*patterns.__path__, str(tmp_path)])
    assert "split" in patterns.names()
    deployment = run("split", again=True)
    assert {pod.name: pod.processes for pod in contract(deployment).pods} == {
        "perception-0": [["camera"]],
        "perception-1": [["detector"], ["reader"], ["monitor"]],
    }
    for resource in deployment.of("Deployment"):
        assert guardrails.violations({"kind": resource.kind} | dict(resource.inputs)) == ()


def test_raw_parameters_reach_the_pod_and_are_held_to_the_guardrails(run: Run) -> None:
    (spec,) = pods(run(kubernetes={"perception": {"runtimeClassName": "nvidia"}})).values()
    assert spec["runtimeClassName"] == "nvidia"
    with pytest.raises(Refusal, match=r"Deployment perception is not sent[\s\S]*no_host_access: hostPID is set"):
        run(kubernetes={"perception": {"hostPID": True}})


def test_raw_parameters_of_a_pod_that_is_not_there_list_those_that_are(run: Run) -> None:
    with pytest.raises(Refusal, match=r"kubernetes\.perception: pattern microservices places no pod of this name"):
        run("microservices", kubernetes={"perception": {}})
