"""Platform and dev stacks with machine readers, seen by recording mocks."""

import json
from pathlib import Path

import httpx
import pytest
import yaml

from components import guardrails
from components.refusal import Refusal
from stacks import platform
from stacks.outputs import StackOutputs
from stacks.reading import KEY, read_spec
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.deployment import Deployment

ROOT = Path(__file__).parent.parent.parent
READERS = {"enabled": True}


def contract(deployment: Deployment) -> StackOutputs:
    return StackOutputs.model_validate_json(json.dumps(deployment.value))


@pytest.mark.parametrize("stack", ["platform", "dev"])
def test_readers_are_in_a_namespace_of_their_own_and_the_contract_says_where(run: Run, stack: str) -> None:
    deployment = run(stack, machineReaders=READERS)
    (readers,) = deployment.of("DaemonSet")
    endpoint = contract(deployment).machine_readers
    assert endpoint is not None
    assert (endpoint.namespace, endpoint.port) == (f"ros2bench-{stack}-machines", 8090)
    assert readers.inputs["metadata"]["namespace"] == endpoint.namespace
    template = readers.inputs["spec"]["template"]
    assert endpoint.labels.items() <= template["metadata"]["labels"].items()
    assert endpoint.labels == readers.inputs["spec"]["selector"]["matchLabels"]
    inside = [r for r in deployment.resources if r.inputs.get("metadata", {}).get("namespace") == endpoint.namespace]
    assert {r.kind for r in inside} == {"ConfigMap", "DaemonSet", "NetworkPolicy", "ServiceAccount"}
    for each in inside:
        assert guardrails.violations({"kind": each.kind, **each.inputs}) == ()


def test_readers_obey_the_operator_of_the_lock(run: Run) -> None:
    data = run("platform", machineReaders=READERS).one("ConfigMap", "machine-reader").inputs["data"]
    found = json.loads(data["machine-reader.json"])
    assert (found["operator"], found["port"], found["network_port"]) == (values.OPERATOR, 8090, 8091)


def test_without_readers_there_is_no_second_namespace_and_no_endpoint(run: Run) -> None:
    deployment = run("platform")
    assert deployment.of("DaemonSet") == []
    assert len([r for r in deployment.of("Namespace") if r.type.startswith("kubernetes:")]) == 1
    assert contract(deployment).machine_readers is None


def test_what_the_stack_file_asks_for_is_named_on_the_object(run: Run) -> None:
    wanted = {**READERS, "allowFaults": True, "allowImageRemoval": True, "power": {"tegrastats": "/usr/bin/tegrastats"}}
    (readers,) = run("platform", machineReaders=wanted).of("DaemonSet")
    section = "ros2bench:spec.machineReaders"
    assert readers.inputs["metadata"]["annotations"]["ros2bench/asked-by"].split(",") == [
        f"{section}.enabled",
        f"{section}.allowImageRemoval",
        f"{section}.allowFaults",
        f"{section}.power.tegrastats",
    ]


def test_an_experiment_has_no_machine_readers(run: Run) -> None:
    with pytest.raises(Refusal, match="an experiment sees no machine"):
        run("monolithic", machineReaders=READERS)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"containerdSocket": "run/x.sock"}, "containerdSocket"),
        ({"containerdSocket": "/run/x y"}, "containerdSocket"),
        ({"power": {"source": "solar"}}, "power.source"),
        ({"resources": {"memoryLimitMebibytes": 1}}, "memoryLimitMebibytes"),
        ({"privileged": True}, "privileged"),
    ],
)
def test_a_bad_setting_is_refused_with_its_key(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        read_spec("platform", {KEY: {"machineReaders": wanted}}, {})


def lock(folder: Path, document: dict[str, object]) -> dict[str, object]:
    file = folder / "lock.json"
    file.write_text(json.dumps(document))
    return {"images": {"lock": str(file), "checkRegistry": False}, "machineReaders": READERS}


@pytest.mark.parametrize(("lost", "said"), [("machine-reader", "machine-reader"), ("operator", "operator is missing")])
def test_a_lock_without_reader_or_operator_is_refused_before_anything_is_registered(
    tmp_path: Path, lost: str, said: str
) -> None:
    document = values.lock_document()
    (document["images"] if lost in document["images"] else document).pop(lost)
    with pytest.raises(Refusal, match=said):
        platform.plan("platform", read_spec("platform", {KEY: lock(tmp_path, document)}, {}))


def test_a_registry_without_the_image_is_noticed_before_anything_is_registered(tmp_path: Path) -> None:
    wanted = lock(tmp_path, values.lock_document()) | {"images": {"lock": str(tmp_path / "lock.json")}}
    transport = httpx.MockTransport(lambda _: httpx.Response(404))
    with pytest.raises(Refusal, match="machine-reader"):
        platform.plan(
            "platform",
            read_spec("platform", {KEY: wanted}, {}),
            client=lambda _: httpx.Client(transport=transport),
        )


def test_the_stack_file_of_the_platform_has_machine_readers_and_metrics() -> None:
    document = yaml.safe_load((ROOT / "Pulumi.platform.yaml").read_text())
    spec = read_spec("platform", document["config"], {})
    assert spec.machine_readers.enabled
    assert spec.observability.mode == "builtin"
