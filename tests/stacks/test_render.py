"""Manifests are written without a cluster, and are those that would be sent."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components import guardrails, patterns
from stacks import render, rendering
from stacks.reading import KEY, read_spec
from stacks.render import app
from tests.support import values


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path_factory.mktemp("lock")))}


DONE: dict[str, list[dict[str, Any]]] = {}


def manifests(environment: dict[str, str], stack: str, **section: Any) -> list[dict[str, Any]]:
    """What a stack renders to; the same is rendered once."""
    key = json.dumps([stack, section])
    if key not in DONE:
        DONE[key] = rendering.manifests(stack, read_spec(stack, {KEY: section}, environment))
    return DONE[key]


@pytest.mark.parametrize("pattern", patterns.names())
def test_every_object_passes_the_guardrails_and_has_a_name(environment: dict[str, str], pattern: str) -> None:
    rendered = manifests(environment, pattern)
    identities = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in rendered]
    assert len(set(identities)) == len(identities)
    assert identities[0] == ("Namespace", None, f"ros2bench-{pattern}")
    for manifest in rendered:
        assert guardrails.violations(manifest) == ()
        assert "pulumi.com/" not in json.dumps(manifest)


def test_names_are_the_objects_own_and_of_configuration_its_contents(environment: dict[str, str]) -> None:
    def names(**section: Any) -> dict[str, str]:
        found = manifests(environment, "monolithic", **section)
        return {m["metadata"]["labels"]["app.kubernetes.io/name"] + m["kind"]: m["metadata"]["name"] for m in found}

    before, again = names(), names()
    after = names(application={"load": {"widthPx": 320}})
    assert before == again
    assert before["perceptionDeployment"] == after["perceptionDeployment"] == "perception"
    assert before["perceptionConfigMap"] != after["perceptionConfigMap"]
    assert before["recorderConfigMap"] == after["recorderConfigMap"]


def test_whole_numbers_are_written_as_such_and_pods_read_the_configuration_by_its_name(
    environment: dict[str, str],
) -> None:
    found = manifests(environment, "monolithic")
    (deployment,) = [m for m in found if m["kind"] == "Deployment" and m["metadata"]["name"] == "perception"]
    (configuration,) = [
        m["metadata"]["name"] for m in found if m["kind"] == "ConfigMap" and "bringup.json" in m["data"]
    ]
    assert isinstance(deployment["spec"]["replicas"], int)
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "configuration", "configMap": {"name": configuration}} in volumes


def test_overlays_are_copied_unless_the_stack_file_says_that_images_can_be_mounted(environment: dict[str, str]) -> None:
    def kinds(**overlay: str) -> list[str]:
        found = manifests(environment, "overlay", overlay=overlay)
        return [key for m in found if m["kind"] == "Deployment" for key in m["spec"]["template"]["spec"]]

    assert "initContainers" in kinds()
    assert "initContainers" not in kinds(delivery="image-volume")


def test_a_platform_is_its_closed_namespace_and_the_machine_readers(environment: dict[str, str]) -> None:
    assert [m["kind"] for m in manifests(environment, "platform")] == ["Namespace", *2 * ["NetworkPolicy"]]
    found = manifests(environment, "platform", machineReaders={"enabled": True})
    kinds = ["ServiceAccount", "ConfigMap", *5 * ["NetworkPolicy"], "DaemonSet"]
    assert [m["kind"] for m in found] == ["Namespace", "Namespace", *kinds]
    # The readers' namespace is closed, and theirs alone.
    assert guardrails.violations_together(found) == ()
    assert [violation for m in found for violation in guardrails.violations(m)] == []


def run(environment: dict[str, str], *arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env=environment)


def test_the_command_writes_one_document_per_object(environment: dict[str, str]) -> None:
    done = run(environment, "-s", "monolithic")
    documents = list(yaml.safe_load_all(done.stdout))
    assert done.exit_code == 0
    assert documents == manifests(environment, "monolithic")
    assert "bringup.json: |" in done.stdout


def test_the_command_fills_a_folder_and_removes_what_is_gone(environment: dict[str, str], tmp_path: Path) -> None:
    old, other = tmp_path / "99-service-old.yaml", tmp_path / "mine.yaml"
    for file in (old, other):
        file.write_text("x", encoding="utf-8")
    assert run(environment, "-s", "monolithic", "-o", str(tmp_path)).exit_code == 0
    assert (tmp_path / "00-namespace-ros2bench-monolithic.yaml").exists()
    assert other.exists()
    assert not old.exists()


def test_a_users_mistake_is_a_sentence(environment: dict[str, str]) -> None:
    done = run(environment, "-s", "nowhere")
    assert done.exit_code == 2
    assert "Pulumi.nowhere.yaml: cannot be read" in done.stderr


def test_the_secret_is_left_out_and_asked_for(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = """
config:
  ros2bench:spec:
    application: {nodes: {camera: {secrets: {PIN: {config: pin}}}}}
"""
    (tmp_path / "Pulumi.monolithic.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(render, "PROJECT_FOLDER", tmp_path)
    done = run(environment, "-s", "monolithic")
    assert done.exit_code == 0
    assert "kind: Secret" not in done.stdout
    assert "kubectl -n ros2bench-monolithic create secret generic secrets --from-literal=pin=" in done.stderr
