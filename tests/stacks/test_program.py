"""What each kind of stack registers, seen by recording mocks."""

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import guardrails
from components.refusal import Refusal
from stacks import experiment, program
from stacks.outputs import StackOutputs
from stacks.plan import Plan, plan
from stacks.reading import KEY, SECRETS_KEY, read_spec
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.deployment import CLUSTER_UID, Deployment

ROOT = Path(__file__).parent.parent.parent


def pod(deployment: Deployment, name: str) -> dict[str, Any]:
    return deployment.one("Deployment", name).inputs["spec"]["template"]["spec"]


def variables(deployment: Deployment, name: str) -> dict[str, str]:
    return {v["name"]: v["value"] for v in pod(deployment, name)["containers"][0]["env"] if "value" in v}


def test_a_running_experiment_is_namespace_policies_server_recorder_and_application(run: Run) -> None:
    deployment = run()
    assert sorted(r.name for r in deployment.of("Deployment")) == ["discovery", "perception", "recorder"]
    assert [r.name for r in deployment.of("Service")] == ["discovery"]
    assert [r.name for r in deployment.of("Namespace") if r.type.startswith("kubernetes:")] == ["namespace"]
    policies = [
        "allow-dds",
        "allow-discovery",
        "allow-discovery-use",
        "allow-name-look-ups",
        "allow-probes",
        "default-deny",
    ]
    assert sorted(r.name for r in deployment.of("NetworkPolicy")) == policies
    assert len(deployment.of("ConfigMap")) == 3


def test_a_parked_experiment_is_all_but_the_application(run: Run) -> None:
    running, parked = run(state="running"), run(state="parked")
    rest = [r for r in running.resources if r.name != "perception"]
    assert sorted(parked.resources) == sorted(rest)
    assert StackOutputs.model_validate_json(json.dumps(parked.value)).state == "parked"


def test_without_a_server_participants_meet_by_multicast(run: Run) -> None:
    deployment = run(network={"discovery": "multicast"})
    assert sorted(r.name for r in deployment.of("Deployment")) == ["perception", "recorder"]
    assert "ROS_DISCOVERY_SERVER" not in variables(deployment, "perception")
    assert deployment.of("Service") == []


def test_application_and_recorder_share_the_network_settings_and_the_recorder_sees_all(run: Run) -> None:
    deployment = run(network={"domainId": 9})
    application, recorder = variables(deployment, "perception"), variables(deployment, "recorder")
    assert recorder == application | {"ROS_SUPER_CLIENT": "TRUE"}
    machine = {"name": "ROS2BENCH_MACHINE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert machine in pod(deployment, "recorder")["containers"][0]["env"]
    assert application["ROS_DOMAIN_ID"] == "9"
    assert application["ROS_DISCOVERY_SERVER"] == "discovery-1a2b3c4d:11811"
    assert "ROS_DISCOVERY_SERVER" not in variables(deployment, "discovery")


def test_participants_start_again_when_the_discovery_server_is_replaced(run: Run) -> None:
    def identities(deployment: Deployment) -> set[str]:
        templates = [
            deployment.one("Deployment", name).inputs["spec"]["template"] for name in ("recorder", "perception")
        ]
        return {template["metadata"]["annotations"]["ros2bench/discovery-server"] for template in templates}

    (before,) = identities(run())
    assert identities(run(application={"load": {"rateHz": 20}})) == {before}
    assert identities(run(resources={"discovery": {"memoryLimitMebibytes": 300}})) != {before}
    assert identities(run(network={"socketBufferBytes": 5000})) != {before}


def test_the_recorder_is_told_what_to_listen_to(run: Run) -> None:
    data = run().one("ConfigMap", "recorder").inputs["data"]
    assert json.loads(data["recorder.json"]) == {
        "contract": 1,
        "port": 8080,
        "operator": values.OPERATOR,
        "captures": {"folder": "/captures", "limit_bytes": 960 * 1024 * 1024},
        "topics": [
            {
                "name": "/results",
                "type": "ros2bench_interfaces/msg/Result",
                "reliability": "reliable",
                "depth": 1000,
                "stamp": "ros2bench",
                "expected_rate_hz": 10.0,
            }
        ],
        "nodes": ["camera", "detector", "reader", "monitor"],
        "mappings": [],
    }
    assert "UDPv4" in data["fastdds.xml"]


def test_captures_of_the_recorder_outlive_its_container_and_are_bounded(run: Run) -> None:
    recorder = pod(run(), "recorder")
    assert {"name": "captures", "emptyDir": {"sizeLimit": "1024Mi"}} in recorder["volumes"]
    (container,) = recorder["containers"]
    assert {"name": "captures", "mountPath": "/captures"} in container["volumeMounts"]
    namespace = {"name": "ROS2BENCH_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
    assert namespace in container["env"]
    assert not any(volume["name"] == "captures" for volume in pod(run(), "perception")["volumes"])


def test_the_load_of_the_spec_reaches_the_nodes(run: Run) -> None:
    data = run(application={"load": {"rateHz": 30, "detectorRepeat": 3}}).one("ConfigMap", "perception").inputs["data"]
    parameters: dict[str, Any] = yaml.safe_load(data["parameters.yaml"])
    assert parameters["camera"]["ros__parameters"]["rate_hz"] == 30.0
    assert parameters["detector"]["ros__parameters"]["repeat"] == 3


def test_configuration_is_immutable_and_mounted_by_its_own_name(run: Run) -> None:
    deployment = run()
    for resource in deployment.of("ConfigMap"):
        assert resource.inputs["immutable"] is True
        assert "name" not in resource.inputs["metadata"]
    mounted = [v["configMap"]["name"] for v in pod(deployment, "perception")["volumes"] if "configMap" in v]
    assert mounted == ["perception-1a2b3c4d"]


def test_the_application_prefers_the_recorders_machine_unless_told_otherwise(run: Run) -> None:
    (term,) = pod(run(), "perception")["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    recorder = run().one("Deployment", "recorder").inputs["spec"]["template"]["metadata"]["labels"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= recorder.items()
    apart = pod(run(placement={"nearRecorder": False, "nodeSelector": {"tier": "edge"}}), "perception")
    assert "affinity" not in apart
    assert apart["nodeSelector"] == {"tier": "edge"}


def test_resources_of_the_spec_change_one_node_and_leave_the_others(run: Run) -> None:
    before = pod(run(), "perception")["containers"][0]["resources"]
    after = pod(run(resources={"nodes": {"detector": {"cpuRequestMillicores": 300}}}), "perception")
    assert before["requests"]["cpu"] == "400m"
    assert "cpu" not in before["limits"]
    assert after["containers"][0]["resources"]["requests"]["cpu"] == "500m"


def test_a_limit_below_its_request_is_refused(run: Run) -> None:
    with pytest.raises(Refusal, match=r"resources\.nodes\.camera: memory limit 1 MiB is less than the request 128"):
        run(resources={"nodes": {"camera": {"memoryLimitMebibytes": 1}}})


@pytest.mark.parametrize("stack", ["monolithic", "microservices", "composition", "overlay", "platform", "dev"])
def test_every_object_is_labelled_checked_and_on_the_named_cluster(run: Run, stack: str) -> None:
    deployment = run(stack)
    (provider,) = [r for r in deployment.resources if r.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["context"] == "here"
    objects = [r for r in deployment.resources if r.type.startswith("kubernetes:")]
    assert objects
    for resource in objects:
        assert "::cluster::" in resource.provider
        assert resource.inputs["metadata"]["labels"]["ros2bench/stack"] == stack
        assert guardrails.violations({"kind": resource.kind} | dict(resource.inputs)) == ()


def test_only_namespaces_have_names_of_our_choosing(run: Run) -> None:
    deployment = run("dev")
    named = [r.inputs["metadata"]["name"] for r in deployment.resources if "name" in r.inputs.get("metadata", {})]
    assert sorted(named) == ["ros2bench-dev", "ros2bench-dev-platform"]


def test_the_service_is_headless_and_not_waited_for(run: Run) -> None:
    service = run().one("Service", "discovery").inputs
    assert service["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert service["spec"]["clusterIP"] == "None"


def test_the_contract_describes_what_was_deployed(run: Run) -> None:
    deployment = run(application={"load": {"rateHz": 5}})
    contract = StackOutputs.model_validate_json(json.dumps(deployment.value))
    assert (contract.kind, contract.stack, contract.cluster_uid) == ("experiment", "monolithic", CLUSTER_UID)
    assert contract.namespace == "ros2bench-monolithic"
    assert contract.application is not None
    assert contract.recorder is not None
    (placed,) = contract.application.pods
    assert placed.processes == [["camera"], ["detector"], ["reader"], ["monitor"]]
    template = deployment.one("Deployment", placed.name).inputs["spec"]["template"]
    assert placed.image == template["spec"]["containers"][0]["image"]
    assert contract.application.labels.items() <= template["metadata"]["labels"].items()
    recorder = deployment.one("Deployment", "recorder").inputs["spec"]["template"]["metadata"]["labels"]
    assert contract.recorder.labels.items() <= recorder.items()
    assert not contract.recorder.labels.items() <= template["metadata"]["labels"].items()
    (topic,) = contract.application.topics
    assert (topic.name, topic.expected_rate_hz, topic.is_result) == ("/results", 5.0, True)
    assert contract.spec["application"]["load"] == contract.application.load


def test_a_platform_holds_its_namespace_and_nothing_to_measure(run: Run) -> None:
    deployment = run("platform")
    contract = StackOutputs.model_validate_json(json.dumps(deployment.value))
    assert (contract.kind, contract.application, contract.recorder) == ("platform", None, None)
    assert deployment.of("Deployment") == []


def test_a_dev_stack_holds_both(run: Run) -> None:
    contract = StackOutputs.model_validate_json(json.dumps(run("dev").value))
    assert (contract.kind, contract.pattern, contract.namespace) == ("dev", "monolithic", "ros2bench-dev")


def test_a_second_run_registers_the_same(run: Run) -> None:
    assert sorted(run().resources) == sorted(run(again=True).resources)


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({KEY: json.dumps({"patern": "x"})}, "Did you mean pattern?"),
        ({KEY: "monolithic"}, "a mapping is expected"),
        (
            {KEY: json.dumps({"images": {"lock": "/nowhere/lock.json"}})},
            "/nowhere/lock.json: the image lock does not exist",
        ),
    ],
)
def test_a_users_mistake_ends_the_program_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, configuration: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(configuration))
    monkeypatch.delenv("ROS2BENCH_STATE", raising=False)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "monolithic")
    with pytest.raises(pulumi.RunError, match=words.replace("?", r"\?")):
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def configured(monkeypatch: pytest.MonkeyPatch, secrets: str, *, encrypted: bool) -> dict[str, str]:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({SECRETS_KEY: secrets}))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps([SECRETS_KEY] if encrypted else []))
    return program.configured_secrets("monolithic")


def test_encrypted_configuration_is_read_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured(monkeypatch, json.dumps({"pin": "1", "port": 2}), encrypted=True) == {"pin": "1", "port": "2"}


def test_a_stack_without_secrets_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", "{}")
    assert program.configured_secrets("monolithic") == {}


@pytest.mark.parametrize(
    ("secrets", "encrypted", "words"),
    [('{"pin": "1"}', False, "is written in plain text"), ("word", True, "a mapping of names to secrets is expected")],
)
def test_secrets_in_plain_text_are_refused(
    monkeypatch: pytest.MonkeyPatch, secrets: str, *, encrypted: bool, words: str
) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        configured(monkeypatch, secrets, encrypted=encrypted)
    assert "pulumi config set -s monolithic --secret --path ros2bench:secrets.NAME" in str(caught.value)


def test_pods_of_our_images_start_at_once_and_others_when_the_network_is_ready(tmp_path: Path) -> None:
    environment = {"ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path))}
    unchecked: dict[str, Any] = {"images": {"checkRegistry": False}, "overlay": {"delivery": "image-volume"}}

    def decide(**spec: Any) -> Plan:
        return plan("monolithic", read_spec("monolithic", {KEY: unchecked | spec}, environment), ask=pytest.fail)

    ours = decide()
    (pod,) = ours.pods
    assert experiment.waits_for_names(ours, pod)
    foreign = replace(pod, container=replace(pod.container, image=f"robots.example/own@sha256:{'0' * 64}"))
    assert not experiment.waits_for_names(ours, foreign)
    patched = decide(kubernetes={pod.name: {"spec": {"template": {"spec": {"hostname": "robot"}}}}})
    assert not experiment.waits_for_names(patched, pod)
