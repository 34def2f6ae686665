"""NVIDIA's device plugin, the RuntimeClass and the quota as rendered, and how narrow the plugin's exception is."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components import guardrails, labels, policies
from components.gpu import device_plugin, quota, runtime_class
from components.gpu.device_plugin import DevicePluginArgs, Sharing, daemon_set_manifest, settings
from components.gpu.machines import Machine, machine, machines, runtime_classes
from components.graph import Resources
from components.namespace import Namespace, namespace_manifest
from components.needs import Toleration
from tests.support import values
from tests.support.api_server_standin import ApiServerStandIn

Manifest = dict[str, Any]


class OfGpus(Namespace):
    """The namespace of the device plugin, without an engine."""

    def __init__(self) -> None:
        self.stack = "platform"


def args(**changed: Any) -> DevicePluginArgs:
    fields: dict[str, Any] = {
        "namespace": OfGpus(),
        "image": f"registry.example/nvidia-device-plugin@{values.DIGEST}",
        "strategy": "tegra",
        "machines": ({"nvidia.com/gpu.present": "true"}, {"a": "1", "b": "2"}),
        "tolerations": (Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),),
        "sharing": Sharing(),
        "runtime_class": None,
        "resources": Resources(cpu_request_millicores=10, memory_request_mebibytes=32, memory_limit_mebibytes=128),
        "asked_by": ("ros2bench:spec.gpu.devicePlugin.enabled",),
    }
    return DevicePluginArgs(**(fields | changed))


def daemon_set(**changed: Any) -> Manifest:
    found = labels.labels("platform", name=device_plugin.COMPONENT, component=device_plugin.COMPONENT)
    metadata = {"name": "nvidia-device-plugin", "namespace": "g", "labels": found | {labels.MACHINE_ACCESS: "yes"}}
    return copy.deepcopy(daemon_set_manifest(metadata, args(**changed), "configuration"))


def pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]


def main(manifest: Manifest) -> Manifest:
    return pod(manifest)["containers"][0]


def test_it_is_root_without_capabilities_and_writes_where_the_kubelet_listens() -> None:
    manifest = daemon_set()
    assert guardrails.violations(manifest) == ()
    assert main(manifest)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    host = [volume["hostPath"]["path"] for volume in pod(manifest)["volumes"] if "hostPath" in volume]
    assert host == ["/var/lib/kubelet/device-plugins"]
    assert "command" not in main(manifest), "the program is the image's entry point"


def test_it_runs_on_machines_with_a_gpu_and_tolerates_their_taint() -> None:
    spec = pod(daemon_set())
    (required,) = spec["affinity"]["nodeAffinity"].values()
    assert required["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "nvidia.com/gpu.present", "operator": "In", "values": ["true"]}]},
        {
            "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["1"]},
                {"key": "b", "operator": "In", "values": ["2"]},
            ]
        },
    ]
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert "runtimeClassName" not in spec
    assert pod(daemon_set(runtime_class="nvidia"))["runtimeClassName"] == "nvidia"


def test_its_file_says_how_gpus_are_found_and_shared() -> None:
    assert settings(args()) == {
        "version": "v1",
        "flags": {
            "migStrategy": "none",
            "failOnInitError": True,
            "deviceDiscoveryStrategy": "tegra",
            "plugin": {"deviceIDStrategy": "index"},
        },
    }
    assert "plugin" not in settings(args(strategy="nvml"))["flags"]
    shared = settings(args(sharing=Sharing(replicas=4)))["sharing"]["timeSlicing"]
    assert shared["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert (shared["renameByDefault"], shared["failRequestsGreaterThanOne"]) == (False, True)


@pytest.mark.parametrize(
    ("sharing", "resource"),
    [
        (Sharing(), "nvidia.com/gpu"),
        (Sharing(rename=True), "nvidia.com/gpu"),
        (Sharing(replicas=2), "nvidia.com/gpu"),
        (Sharing(replicas=2, rename=True), "nvidia.com/gpu.shared"),
    ],
)
def test_name_under_which_gpus_are_offered(sharing: Sharing, resource: str) -> None:
    assert sharing.resource == resource


BEYOND: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "another folder": (
        "no_host_access",
        lambda m: pod(m)["volumes"].append({"name": "r", "hostPath": {"path": "/sys"}}),
    ),
    "kubelet": (
        "no_host_access",
        lambda m: pod(m)["volumes"].append({"name": "k", "hostPath": {"path": "/var/lib/kubelet"}}),
    ),
    "processes": ("no_host_access", lambda m: pod(m).update(hostPID=True)),
    "network": ("no_host_access", lambda m: pod(m).update(hostNetwork=True)),
    "privileged": ("restricted", lambda m: main(m)["securityContext"].update(privileged=True)),
    "privileged as a reader": (
        "restricted",
        lambda m: (
            main(m)["securityContext"].update(privileged=True),
            m["metadata"]["annotations"].update({labels.ASKED_BY: "ros2bench:spec.machineReaders.allowFaults"}),
        ),
    ),
    "as a deployment": ("no_host_access", lambda m: m.update(kind="Deployment")),
    "in a ROS domain": ("no_host_access", lambda m: m["metadata"]["labels"].update({labels.DOMAIN: "42"})),
    "token": ("no_cluster_token", lambda m: pod(m).pop("automountServiceAccountToken")),
}


@pytest.mark.parametrize("change", BEYOND, ids=str)
def test_what_goes_beyond_the_exception_is_refused(change: str) -> None:
    rule, apply = BEYOND[change]
    manifest = daemon_set()
    apply(manifest)
    assert rule in {found.split(":")[0] for found in guardrails.violations(manifest)}


def test_it_is_alone_in_a_closed_namespace_that_says_why() -> None:
    namespace = namespace_manifest("platform", "g", machine_access=True, why_machine_access="for device plugins")
    assert namespace["metadata"]["annotations"][labels.WHY_PRIVILEGED] == "for device plugins"
    assert guardrails.violations(namespace) == ()
    closed = policies.policy_manifest(
        {"name": "d", "namespace": "g", "labels": labels.common("platform")},
        {"podSelector": policies.EVERYONE, "policyTypes": policies.BOTH_WAYS},
    )
    assert guardrails.violations_together([namespace, closed, daemon_set()]) == ()
    (found,) = guardrails.violations_together([namespace, daemon_set()])
    assert found.startswith("closed_namespace")


def test_runtime_class_and_quota_pass_the_guardrails() -> None:
    made = runtime_class.runtime_class_manifest("platform", "nvidia", "nvidia")
    assert guardrails.violations(made) == ()
    assert (made["handler"], made["metadata"]["name"]) == ("nvidia", "nvidia")
    assert quota.hard({"nvidia.com/gpu": 2, "a.b/c": 0}) == {"requests.a.b/c": "0", "requests.nvidia.com/gpu": "2"}


NODE = {
    "metadata": {"name": "edge", "labels": {"nvidia.com/gpu.memory": "7620"}},
    "status": {
        "allocatable": {"cpu": "6", "memory": "7Gi", "nvidia.com/gpu": "2", "hugepages-2Mi": "0", "x.y/z": "1k"}
    },
}


def test_a_machine_is_read_from_what_the_api_server_shows() -> None:
    assert machine(NODE) == Machine(
        name="edge", labels={"nvidia.com/gpu.memory": "7620"}, devices={"nvidia.com/gpu": 2}
    )
    assert machine({"metadata": {"name": "new"}, "status": {}}) == Machine(name="new")


def test_machines_and_runtime_classes_are_asked_of_the_api_server() -> None:
    classes = [
        {"metadata": {"name": "nvidia", "labels": {labels.STACK: "platform"}}},
        {"metadata": {"name": "runc"}},
    ]
    api = ApiServerStandIn(
        {"/api/v1/nodes": {"items": [NODE]}, "/apis/node.k8s.io/v1/runtimeclasses": {"items": classes}}
    )
    assert [each.name for each in machines(api)] == ["edge"]
    assert runtime_classes(api) == {"nvidia": "platform", "runc": None}
