"""Any application: what the stack file says of its nodes reaches the cluster, or is refused with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.refusal import Refusal
from stacks import application
from stacks.outputs import StackOutputs
from stacks.reading import KEY, SpecError, read_spec
from stacks.spec import StackSpec
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.deployment import Deployment

IMAGE = f"registry.example/robot@{values.DIGEST}"
TALKER: dict[str, Any] = {"executable": ["ros2", "run", "demo", "talker"], "image": IMAGE, "publishes": ["/chatter"]}
LISTENER: dict[str, Any] = {"executable": ["ros2", "run", "demo", "listener"], "image": IMAGE}
TOPICS: dict[str, Any] = {"/chatter": {"type": "std_msgs/msg/String"}}


def chatter(**talker: Any) -> dict[str, Any]:
    return {
        "name": "chatter",
        "nodes": {"talker": TALKER | talker, "listener": LISTENER | {"subscribes": ["/chatter"]}},
        "topics": TOPICS,
        "images": {"monolithic": IMAGE},
    }


def microservices(run: Run, **talker: Any) -> Deployment:
    return run("microservices", application=chatter(**talker))


def spec_of(deployment: Deployment, name: str = "talker") -> dict[str, Any]:
    return deployment.one("Deployment", name).inputs["spec"]["template"]["spec"]


def container_of(deployment: Deployment, name: str = "talker") -> dict[str, Any]:
    return spec_of(deployment, name)["containers"][0]


def test_an_application_of_ones_own_is_deployed_without_a_recorder_if_nothing_is_measured(run: Run) -> None:
    deployment = microservices(run)
    assert sorted(r.name for r in deployment.of("Deployment")) == ["discovery", "listener", "talker"]
    contract = StackOutputs.model_validate(deployment.value)
    assert contract.recorder is None
    assert contract.application is not None
    assert contract.application.topics == []
    assert "affinity" not in spec_of(deployment)
    assert container_of(deployment)["args"][:4] == ["ros2", "run", "demo", "talker"]
    assert "readinessProbe" not in container_of(deployment)


def test_a_measured_topic_gives_a_recorder(run: Run) -> None:
    measured = chatter() | {"topics": {"/chatter": TOPICS["/chatter"] | {"result": True, "stamp": "header"}}}
    deployment = run("microservices", application=measured)
    settings = json.loads(deployment.one("ConfigMap", "recorder").inputs["data"]["recorder.json"])
    assert [topic["name"] for topic in settings["topics"]] == ["/chatter"]
    contract = StackOutputs.model_validate(deployment.value)
    assert contract.application is not None
    assert contract.application.topics[0].is_result


@pytest.mark.parametrize("discovery", ["server", "multicast", "static-peers"])
def test_without_a_recorder_nobody_waits_for_its_name(run: Run, discovery: str) -> None:
    deployment = run("microservices", application=chatter(), network={"discovery": discovery})
    variables = {v["name"]: v.get("value", "") for v in container_of(deployment)["env"]}
    assert "recorder" not in variables.get("ROS_STATIC_PEERS", "")


def test_nodes_of_the_reference_application_are_changed_one_by_one(run: Run) -> None:
    changed = {"nodes": {"camera": {"nodeSelector": {"kubernetes.io/hostname": "edge"}, "parameters": {"seed": 7}}}}
    deployment = run("microservices", application=changed)
    assert spec_of(deployment, "camera")["nodeSelector"] == {"kubernetes.io/hostname": "edge"}
    assert "nodeSelector" not in spec_of(deployment, "detector")
    parameters = yaml.safe_load(deployment.one("ConfigMap", "camera").inputs["data"]["parameters.yaml"])
    assert parameters["camera"]["ros__parameters"]["seed"] == 7
    assert parameters["camera"]["ros__parameters"]["rate_hz"] == 10.0


def test_one_pod_patterns_merge_what_its_nodes_ask_for(run: Run) -> None:
    wanted = chatter(environment={"MODE": "slow"}, labels={"team": "red"}, tier="edge")
    deployment = run("monolithic", application=wanted)
    template = deployment.one("Deployment", "chatter").inputs["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "red"
    assert template["spec"]["nodeSelector"] == {"ros2bench/tier": "edge"}
    plan = json.loads(deployment.one("ConfigMap", "chatter").inputs["data"]["bringup.json"])
    assert [process["environment"] for process in plan["processes"]] == [{"MODE": "slow"}, {}]


def test_environment_secrets_and_files_reach_the_container(run: Run) -> None:
    talker = {
        "environment": {"MODE": "slow"},
        "secrets": {"TOKEN": {"secret": "cloud", "key": "token"}, "PIN": {"config": "pin"}},
        "files": {"/etc/talker/words.txt": {"text": "hello"}},
    }
    deployment = run("microservices", application=chatter(**talker), secrets={"pin": "s3cret", "other": "x"})
    variables = {v["name"]: v for v in container_of(deployment)["env"]}
    assert variables["MODE"]["value"] == "slow"
    assert variables["TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "cloud", "key": "token"}
    assert variables["PIN"]["valueFrom"]["secretKeyRef"] == {"name": "secrets-1a2b3c4d", "key": "pin"}
    assert deployment.one("Secret", "secrets").inputs["stringData"]["value"] == {"pin": "s3cret"}
    (mount,) = [m for m in container_of(deployment)["volumeMounts"] if m["mountPath"] == "/etc/talker/words.txt"]
    assert deployment.one("ConfigMap", "talker").inputs["data"][mount["subPath"]] == "hello"
    assert "s3cret" not in json.dumps([dict(r.inputs) for r in deployment.resources if r.kind != "Secret"])


def test_a_secret_that_is_not_set_is_refused_with_the_command_that_sets_it(run: Run) -> None:
    with pytest.raises(
        Refusal, match=r"no pin, which .* pulumi config set -s microservices --secret --path ros2bench:"
    ):
        microservices(run, secrets={"PIN": {"config": "pin"}})


def test_storage_memory_and_devices_reach_the_pod(run: Run) -> None:
    talker = {
        "persistentVolumes": {"map": {"path": "/map", "sizeMebibytes": 100, "storageClass": "fast"}},
        "memoryVolumes": {"cache": {"path": "/cache", "sizeMebibytes": 32}},
        "secretVolumes": {"keys": {"path": "/keys", "secret": "robot-keys"}},
        "sharedMemoryMebibytes": 512,
        "gpu": {"count": 2},
        "resources": {"memoryLimitMebibytes": 600},
    }
    deployment = microservices(run, **talker)
    claim = deployment.one("PersistentVolumeClaim", "map").inputs["spec"]
    assert claim == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "100Mi"}},
        "storageClassName": "fast",
    }
    volumes = {volume["name"]: volume for volume in spec_of(deployment)["volumes"]}
    assert volumes["map"]["persistentVolumeClaim"] == {"claimName": "map-1a2b3c4d"}
    assert volumes["cache"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "32Mi"}
    assert volumes["keys"]["secret"] == {"secretName": "robot-keys"}
    assert volumes["shared-memory"]["emptyDir"]["sizeLimit"] == "512Mi"
    limits = container_of(deployment)["resources"]["limits"]
    assert limits == {"memory": "632Mi", "nvidia.com/gpu": "2"}


def test_storage_outlives_the_parking_of_the_stack(run: Run) -> None:
    talker = {"persistentVolumes": {"map": {"path": "/map", "sizeMebibytes": 100}}}
    parked = run("microservices", application=chatter(**talker), state="parked")
    assert [r.name for r in parked.of("PersistentVolumeClaim")] == ["map"]
    assert "talker" not in [r.name for r in parked.of("Deployment")]


def test_ports_become_services_an_ingress_and_policies(run: Run) -> None:
    ports = {
        "api": {"port": 9000},
        "public": {"port": 9001, "expose": "load-balancer"},
        "web": {"port": 9002, "expose": "ingress", "host": "robot.example", "tlsSecret": "robot-tls"},
        "debug": {"port": 9003, "expose": "pod"},
    }
    deployment = microservices(run, ports=ports)
    services = {r.name: r.inputs["spec"] for r in deployment.of("Service") if r.name.startswith("talker")}
    assert {name: (spec["type"], [p["port"] for p in spec["ports"]]) for name, spec in services.items()} == {
        "talker-cluster": ("ClusterIP", [9000]),
        "talker-load-balancer": ("LoadBalancer", [9001]),
        "talker-ingress": ("ClusterIP", [9002]),
    }
    (rule,) = deployment.one("Ingress", "talker-ingress").inputs["spec"]["rules"]
    assert rule["host"] == "robot.example"
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "talker-ingress-1a2b3c4d"
    assert sorted(p["name"] for p in container_of(deployment)["ports"]) == ["api", "debug", "public", "web"]
    assert any("talker" in r.name for r in deployment.of("NetworkPolicy"))


def test_identity_scheduling_and_updates_reach_the_pod(run: Run) -> None:
    talker = {
        "serviceAccount": {"annotations": {"cloud.example/role": "reader"}},
        "imagePullSecrets": ["pull"],
        "securityContext": {"runAsUser": 2000, "supplementalGroups": [44]},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"x": []}},
        "rollingUpdate": {"strategy": "rolling", "maxSurge": "25%", "maxUnavailable": 0},
        "annotations": {"note": "x"},
    }
    deployment = microservices(run, **talker)
    spec, whole = spec_of(deployment), deployment.one("Deployment", "talker").inputs["spec"]
    assert spec["serviceAccountName"] == "talker-1a2b3c4d"
    assert deployment.one("ServiceAccount", "talker").inputs["automountServiceAccountToken"] is False
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["supplementalGroups"]) == (2000, [44])
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {"x": []}}
    assert whole["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
    assert whole["template"]["metadata"]["annotations"]["note"] == "x"


def test_a_copy_that_publishes_nothing_or_harms_nobody_may_be_had(run: Run) -> None:
    deployment = microservices(run, replicas=3, stateless=True)
    assert deployment.one("Deployment", "talker").inputs["spec"]["replicas"] == 3
    contract = StackOutputs.model_validate(deployment.value)
    assert contract.application is not None
    assert {pod.name: pod.replicas for pod in contract.application.pods} == {"talker": 3, "listener": 1}


def test_a_floating_point_number_stays_one(run: Run) -> None:
    deployment = microservices(run, parameters={"rate": {"double": 10}, "gains": {"double": [1, 2.5]}, "n": 3})
    found = yaml.safe_load(deployment.one("ConfigMap", "talker").inputs["data"]["parameters.yaml"])
    values_of = found["talker"]["ros__parameters"]
    assert values_of == {"rate": 10.0, "gains": [1.0, 2.5], "n": 3}
    assert isinstance(values_of["rate"], float)


def test_nodes_of_ros1_get_a_master_and_arguments_that_they_understand(run: Run) -> None:
    deployment = run("microservices", application=chatter(parameters={"rate": 2}) | {"master": True})
    assert "master" in [r.name for r in deployment.of("Deployment")]
    assert container_of(deployment)["args"] == ["ros2", "run", "demo", "talker", "__name:=talker", "_rate:=2"]


def built(nodes: dict[str, Any], read: dict[str, str] | None = None, **section: Any) -> Any:
    spec = StackSpec.model_validate(
        {"kind": "experiment", "pattern": "microservices", "application": {"name": "x", "nodes": nodes} | section}
    )
    return application.built(spec.application, (read or {}).__getitem__)


def test_a_parameters_file_gives_what_it_has_for_the_node() -> None:
    text = "/**: {ros__parameters: {a: 1, pid: {p: 2.0}}}\ntalker: {ros__parameters: {a: 2}}\nother: {}\n"
    nodes = {"talker": {"executable": ["x"], "parametersFile": "robot.yaml", "parameters": {"b": "text"}}}
    (node,) = built(nodes, {"robot.yaml": text}).nodes
    assert dict(node.parameters) == {"a": 2, "pid.p": 2.0, "b": "text"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("other: {ros__parameters: {}}", "robot.yaml has no entry for the node talker. It has: other."),
        ("talker: {}", "talker has no mapping ros__parameters"),
        ("talker: {ros__parameters: {a: [1, x]}}", "ROS knows scalars and lists of one kind"),
        ("talker: [", "robot.yaml cannot be read"),
    ],
)
def test_a_parameters_file_without_the_node_is_refused(text: str, words: str) -> None:
    nodes = {"talker": {"executable": ["x"], "parametersFile": "robot.yaml"}}
    with pytest.raises(Refusal) as caught:
        built(nodes, {"robot.yaml": text})
    assert words in str(caught.value)


def test_a_file_of_the_user_is_read_from_the_projects_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    assert application.file_reader(tmp_path)("a.txt") == "text"


def change(**talker: Any) -> dict[str, Any]:
    return {"application": chatter(**talker)}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "replicas that publish": (
        change(replicas=2),
        "nodes.talker.replicas: is 2, but the node publishes /chatter: each copy would publish every message again",
    ),
    "no executable, no component": (
        {"application": {"name": "x", "nodes": {"talker": {"image": IMAGE}}}},
        "nodes.talker: has neither executable nor component",
    ),
    "unknown node of the reference": (
        {"application": {"nodes": {"camra": {}}}},
        "nodes.camra: the application perception has no such node. Did you mean camera?",
    ),
    "load of one's own": ({"application": chatter() | {"load": {}}}, "application.load: belongs to the reference"),
    "undefined topic": (
        change(publishes=["/chater"]),
        "nodes.talker.publishes: topic /chater is not defined. Did you mean /chatter?",
    ),
    "taken name": (
        {"application": {"name": "x", "nodes": {"Recorder": TALKER | {"publishes": []}}}},
        "nodes.Recorder: the name is taken",
    ),
    "same object name": (
        {"application": {"name": "x", "nodes": {"a_b": LISTENER, "A_b": LISTENER}}},
        "a_b and A_b would both be a-b in the cluster",
    ),
    "domain in the environment": (
        change(environment={"ROS_DOMAIN_ID": "3"}),
        "ROS_DOMAIN_ID: must be equal in every participant, so it is set for all of them by ros2bench:spec.network",
    ),
    "variable twice": (
        change(environment={"A": "1"}, secrets={"A": {"config": "a"}}),
        "A is in environment and in secrets",
    ),
    "our labels": (change(labels={"ros2bench/stack": "x"}), "nodes.talker.labels.ros2bench/stack"),
    "two ways to be ready": (
        change(readiness={"heartbeat": True, "command": ["x"]}),
        "nodes.talker.readiness: has command and heartbeat, a node is ready in one way",
    ),
    "half a secret": (change(secrets={"A": {"secret": "s"}}), "secrets.A: needs either secret and key"),
    "file without text": (change(files={"/a": {}}), "files./a: needs either text or source"),
    "file that is not there": (change(files={"/a": {"source": "no/such"}}), "files./a.source: no/such cannot be read"),
    "relative path": (change(files={"a": {"text": ""}}), "nodes.talker.files.a"),
    "volume of nothing": (change(persistentVolumes={"m": {"path": "/m"}}), "needs either sizeMebibytes"),
    "host without ingress": (change(ports={"web": {"port": 80, "host": "x"}}), "host belongs to expose: ingress"),
    "update that cannot be": (
        change(rollingUpdate={"strategy": "rolling", "maxUnavailable": 0}),
        "maxSurge and maxUnavailable are both 0",
    ),
    "surge of what": (change(rollingUpdate={"maxSurge": "many"}), "is 'many'; a whole number, or a share such as 25%"),
    "mixed list": (change(parameters={"a": [1, 2.5]}), "parameters.a: is [1, 2.5]; a list must hold one kind"),
    "group": (change(parameters={"a": {"b": 1}}), "groups are written as group.name: value"),
    "double of what": (change(parameters={"a": {"double": "x"}}), "parameters.a: double is 'x', a number is expected"),
    "image by tag": (change(image="robot:latest"), "nodes.talker.image: is 'robot:latest', which does not match"),
    "two results": (
        {
            "application": chatter()
            | {"topics": {n: {"type": "a/msg/B", "result": True} for n in ("/chatter", "/second")}}
        },
        "topics /chatter, /second are all the result",
    ),
    "ros1 measured": (
        {"application": chatter() | {"master": True, "topics": {"/chatter": {"type": "a/msg/B", "measured": True}}}},
        "application.master: the recorder is of ROS 2",
    ),
    "unknown key below a node": (change(exec=["x"]), "nodes.talker.exec: unknown key"),
    "unknown key in a list": (
        change(tolerations=[{"ky": "x"}]),
        "nodes.talker.tolerations.0.ky: unknown key (its value is 'x'). Did you mean key?",
    ),
    "unknown key in an optional section": (change(gpu={"cont": 1}), "gpu.cont: unknown key (its value is 1). Did you"),
    "a key that is needed": ({"application": chatter() | {"topics": {"/chatter": {}}}}, "topics./chatter.type"),
    "a raw number that is none": ({"kubernetes": {"talker": {"x": float("inf")}}}, "kubernetes.talker: holds inf"),
    "half a signature": ({"composition": {"publicKey": "eA=="}}, "publicKey and signature belong together"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_stack_file_gets_its_sentence(case: str) -> None:
    spec, words = BAD[case]
    with pytest.raises(SpecError) as caught:
        read_spec("microservices", {KEY: spec}, {})
    message = str(caught.value)
    assert words in message
    assert message.startswith("Pulumi.microservices.yaml: config.ros2bench:spec.")
    assert message.endswith("then: pulumi preview -s microservices")


def test_contradictions_of_one_pod_are_found_before_anything_is_deployed(run: Run) -> None:
    wanted = chatter(replicas=2, stateless=True)
    with pytest.raises(Refusal, match=r"pod chatter: its nodes contradict each other in replicas: talker says 2"):
        run("monolithic", application=wanted)


def test_a_port_on_which_health_is_served_is_refused(run: Run) -> None:
    wanted = chatter(readiness={"heartbeat": True}, ports={"web": {"port": 8080}})
    with pytest.raises(Refusal, match=r"pod talker: port web is 8080, on which the pod serves its health"):
        run("microservices", application=wanted)


def test_what_is_exported_of_ones_own_application_reads_back_as_the_same_spec() -> None:
    spec = read_spec("microservices", {KEY: change(parameters={"a": {"double": 1}}, ports={"web": {"port": 80}})}, {})
    exported = json.loads(json.dumps(spec.model_dump(mode="json", by_alias=True)))
    assert read_spec("microservices", {KEY: exported}, {}) == spec
