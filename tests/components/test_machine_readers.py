"""Machine readers: what they are rendered as, and that the exception for them is as narrow as it says."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from components import guardrails, labels, policies
from components.graph import Resources
from components.machine_readers import MachineReadersArgs, Power, daemon_set_manifest, settings
from components.namespace import Namespace, namespace_manifest
from tests.support import values

Manifest = dict[str, Any]
SECTION = "ros2bench:spec.machineReaders"
EVERYTHING = tuple(f"{SECTION}.{key}" for key in ("enabled", "allowImageRemoval", "allowFaults", "power.tegrastats"))


class OfMachines(Namespace):
    """The namespace of machine readers, without an engine."""

    def __init__(self) -> None:
        self.stack = "platform"


def args(**changed: Any) -> MachineReadersArgs:
    resources = Resources(cpu_request_millicores=50, memory_request_mebibytes=64, memory_limit_mebibytes=256)
    fields: dict[str, Any] = {
        "namespace": OfMachines(),
        "image": f"registry.example/machine-reader@{values.DIGEST}",
        "operator": values.OPERATOR,
        "resources": resources,
        "asked_by": (f"{SECTION}.enabled",),
    }
    return MachineReadersArgs(**(fields | changed))


def daemon_set(**changed: Any) -> Manifest:
    found = labels.labels("platform", name="machine-reader", component="machine-reader")
    metadata = {"name": "machine-reader", "namespace": "m", "labels": found | {labels.MACHINE_ACCESS: "yes"}}
    return copy.deepcopy(daemon_set_manifest(metadata, args(**changed), "configuration", "machine-reader"))


def pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]


def main(manifest: Manifest) -> Manifest:
    return pod(manifest)["containers"][0]


def test_by_itself_it_reads_as_root_without_capabilities_and_passes() -> None:
    manifest = daemon_set()
    assert guardrails.violations(manifest) == ()
    assert main(manifest)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod(manifest)["tolerations"] == [{"operator": "Exists"}]
    assert pod(manifest)["automountServiceAccountToken"] is False
    host = {volume["hostPath"]["path"] for volume in pod(manifest)["volumes"] if "hostPath" in volume}
    assert host == {"/sys", "/sys/fs/cgroup"}


def test_what_the_stack_file_asks_for_is_mounted_and_allowed() -> None:
    manifest = daemon_set(
        containerd="/run/k3s/containerd/containerd.sock",
        faults=True,
        power=Power(tegrastats="/usr/bin/tegrastats"),
        asked_by=EVERYTHING,
    )
    assert guardrails.violations(manifest) == ()
    mounts = {mount["name"]: mount for mount in main(manifest)["volumeMounts"]}
    assert mounts["containerd"]["mountPath"] == "/host/run/k3s/containerd"
    assert mounts["tegrastats"]["mountPath"] == "/usr/bin/tegrastats"
    assert all(mounts[name]["readOnly"] for name in ("sys", "cgroups", "containerd", "tegrastats"))
    assert main(manifest)["securityContext"]["privileged"] is True


def test_its_settings_name_what_it_finds_in_its_pod() -> None:
    found = settings(args(containerd="/run/containerd/containerd.sock"))
    mounts = {
        mount["mountPath"] for mount in main(daemon_set(containerd="/run/containerd/containerd.sock"))["volumeMounts"]
    }
    assert {found["cgroup_root"], found["sys_root"], found["captures"]["folder"]} <= mounts
    assert found["containerd"].rpartition("/")[0] in mounts
    assert found["allow"] == {"image_removal": True, "faults": False}
    assert "containerd" not in settings(args())
    assert json.dumps(found)


def test_a_gpu_runtime_is_asked_for_its_library_alone() -> None:
    manifest = daemon_set(runtime_class="nvidia")
    variables = {each["name"]: each.get("value") for each in main(manifest)["env"]}
    assert pod(manifest)["runtimeClassName"] == "nvidia"
    assert variables["NVIDIA_DRIVER_CAPABILITIES"] == "utility"


def test_the_runtime_s_folder_is_mounted_read_only_where_the_stack_file_asks() -> None:
    path = "/run/containerd/runc/k8s.io"
    mounts = {mount["name"]: mount for mount in main(daemon_set(runtime_state=path))["volumeMounts"]}
    assert settings(args(runtime_state=path))["runtime_state"] == mounts["runtime-state"]["mountPath"] == f"/host{path}"
    assert mounts["runtime-state"]["readOnly"] is True
    assert "runtime_state" not in settings(args())
    assert "runtime-state" not in {mount["name"] for mount in main(daemon_set())["volumeMounts"]}


BEYOND: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "containerd unasked": (
        "no_host_access",
        lambda m: pod(m)["volumes"].append({"name": "containerd", "hostPath": {"path": "/run/containerd"}}),
    ),
    "runtime's folder unasked": (
        "no_host_access",
        lambda m: pod(m)["volumes"].append({"name": "runtime-state", "hostPath": {"path": "/run/containerd/runc"}}),
    ),
    "whole disk": ("no_host_access", lambda m: pod(m)["volumes"].append({"name": "r", "hostPath": {"path": "/"}})),
    "secrets of the kubelet": (
        "no_host_access",
        lambda m: pod(m)["volumes"].append({"name": "k", "hostPath": {"path": "/var/lib/kubelet"}}),
    ),
    "writable": ("no_host_access", lambda m: main(m)["volumeMounts"][3].pop("readOnly")),
    "host memory": ("no_host_access", lambda m: pod(m).update(hostIPC=True)),
    "host network": ("no_host_access", lambda m: pod(m).update(hostNetwork=True)),
    "host port": ("no_host_access", lambda m: main(m)["ports"].append({"containerPort": 1, "hostPort": 1})),
    "privileged unasked": ("restricted", lambda m: main(m)["securityContext"].update(privileged=True)),
    "capability": ("restricted", lambda m: main(m)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])),
    "kept capabilities": ("restricted", lambda m: main(m)["securityContext"].pop("capabilities")),
    "writable root": ("restricted", lambda m: main(m)["securityContext"].pop("readOnlyRootFilesystem")),
    "escalation": ("restricted", lambda m: main(m)["securityContext"].pop("allowPrivilegeEscalation")),
    "unconfined": ("restricted", lambda m: pod(m)["securityContext"].pop("seccompProfile")),
    "kernel settings": (
        "restricted",
        lambda m: pod(m)["securityContext"].update(sysctls=[{"name": "a", "value": "1"}]),
    ),
    "token": ("no_cluster_token", lambda m: pod(m).pop("automountServiceAccountToken")),
    "tag": ("images_by_digest", lambda m: main(m).update(image="registry.example/machine-reader:1")),
    "no limit": ("resources_stated", lambda m: main(m)["resources"].pop("limits")),
    # From here on it is no machine reader, so that nothing of what it has is allowed.
    "a Deployment": ("no_host_access", lambda m: m.update(kind="Deployment")),
    "another component": (
        "no_host_access",
        lambda m: m["metadata"]["labels"].update({labels.COMPONENT: "application"}),
    ),
    "another component's pods": (
        "no_host_access",
        lambda m: m["spec"]["template"]["metadata"]["labels"].update({labels.COMPONENT: "application"}),
    ),
    "an ordinary namespace": ("no_host_access", lambda m: m["metadata"]["labels"].pop(labels.MACHINE_ACCESS)),
    "an experiment": ("no_host_access", lambda m: m["metadata"]["labels"].update({labels.DOMAIN: "42"})),
}


@pytest.mark.parametrize("change", BEYOND, ids=str)
def test_what_goes_beyond_the_exception_is_refused(change: str) -> None:
    rule, apply = BEYOND[change]
    manifest = daemon_set()
    apply(manifest)
    assert rule in {found.split(":")[0] for found in guardrails.violations(manifest)}


def namespace() -> Manifest:
    return namespace_manifest("platform", "m", machine_access=True)


def denied(where: str) -> Manifest:
    spec = policies.machine_reader_specs("platform", 8090, 8091)["default-deny"]
    return policies.policy_manifest({"name": "d", "namespace": where, "labels": labels.common("platform")}, spec)


def test_its_namespace_says_why_it_enforces_nothing() -> None:
    assert guardrails.violations(namespace()) == ()
    assert "machineReaders.enabled" in namespace()["metadata"]["annotations"][labels.WHY_PRIVILEGED]
    silent = namespace()
    del silent["metadata"]["annotations"]
    assert "why-privileged" in guardrails.violations(silent)[0]


def test_machine_readers_are_alone_in_a_namespace_of_their_own() -> None:
    other = daemon_set()
    other["kind"] = "Deployment"
    assert guardrails.violations_together([namespace(), denied("m"), daemon_set()]) == ()
    (found,) = guardrails.violations_together([namespace_manifest("s", "m"), denied("m"), daemon_set()])
    assert found.startswith("machine_readers_alone: DaemonSet machine-reader")
    (found,) = guardrails.violations_together([namespace(), denied("m"), other])
    assert found.startswith("machine_readers_alone: Deployment machine-reader")
    (found,) = guardrails.violations_together([namespace(), daemon_set()])
    assert found.startswith("closed_namespace")


def test_only_machine_readers_and_our_own_namespaces_reach_them() -> None:
    specs = policies.machine_reader_specs("platform", 8090, 8091)
    among = specs["allow-network-probes"]
    assert among["ingress"][0]["ports"] == [{"protocol": "UDP", "port": 8091}]
    assert among["ingress"][0]["from"] == among["egress"][0]["to"] == [{"podSelector": among["podSelector"]}]
    assert specs["allow-probes"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 8090}]
    assert "egress" not in specs["allow-probes"]
