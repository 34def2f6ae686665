"""Each rule refuses what it is there to refuse, and what we render passes all of them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components import guardrails, labels
from components.deployment import PodTemplate, Scheduling, container, deployment_manifest
from components.graph import Resources
from components.namespace import namespace_manifest
from components.refusal import Refusal
from tests.support import values

Manifest = dict[str, Any]


def deployment() -> Manifest:
    found = labels.labels("s", name="x", component="application")
    metadata = {"name": "x", "labels": dict(found)}
    rendered = container(
        name="main",
        image=f"registry.example/x@{values.DIGEST}",
        command=("run",),
        environment=({"name": "ROS_DOMAIN_ID", "value": "1"},),
        resources=Resources(cpu_request_millicores=1, memory_request_mebibytes=1, memory_limit_mebibytes=1),
        health_port=8080,
    )
    template = PodTemplate(
        labels=found,
        selector=labels.selector("s", component="application"),
        containers=[rendered],
        configuration="c",
        scheduling=Scheduling(),
        grace_s=5,
    )
    return copy.deepcopy(deployment_manifest(metadata, template))


def pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]


def main(manifest: Manifest) -> Manifest:
    return pod(manifest)["containers"][0]


def participant(name: str) -> Manifest:
    return copy.deepcopy(main(deployment())) | {"name": name}


def service(spec: Manifest, *, asked: bool = False, domain: str | None = None) -> Manifest:
    found = labels.common("s") | ({labels.DOMAIN: domain} if domain else {})
    annotations = {labels.ASKED_BY: "ros2bench:spec.application.nodes.web.ports"} if asked else {}
    return {"kind": "Service", "metadata": {"labels": found, "annotations": annotations}, "spec": spec}


CHANGES: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "no stack label": ("labelled", lambda m: m["metadata"]["labels"].pop("ros2bench/stack")),
    "no part-of label": ("labelled", lambda m: m["metadata"]["labels"].pop("app.kubernetes.io/part-of")),
    "image by tag": ("images_by_digest", lambda m: main(m).update(image="registry.example/x:latest")),
    "short digest": ("images_by_digest", lambda m: main(m).update(image="x@sha256:abc")),
    "host network": ("host_network_declared", lambda m: pod(m).update(hostNetwork=True)),
    "image volume by tag": (
        "images_by_digest",
        lambda m: pod(m)["volumes"].append({"name": "o", "image": {"reference": "registry.example/o:1"}}),
    ),
    "latest by digest": (
        "images_by_digest",
        lambda m: main(m).update(image=f"registry.example/x:latest@{values.DIGEST}"),
    ),
    "kernel settings": (
        "restricted",
        lambda m: pod(m)["securityContext"].update(sysctls=[{"name": "a", "value": "1"}]),
    ),
    "unconfined": (
        "restricted",
        lambda m: main(m)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    ),
    "unmasked proc": ("restricted", lambda m: main(m)["securityContext"].update(procMount="Unmasked")),
    "no AppArmor": ("restricted", lambda m: pod(m)["securityContext"].update(appArmorProfile={"type": "Unconfined"})),
    "SELinux user": ("restricted", lambda m: main(m)["securityContext"].update(seLinuxOptions={"user": "u"})),
    "two participants": ("one_ros_container", lambda m: pod(m)["containers"].append(participant("other"))),
    "lasting init participant": (
        "one_ros_container",
        lambda m: pod(m).update(initContainers=[participant("other") | {"restartPolicy": "Always"}]),
    ),
    "secret in a variable": (
        "no_secret_in_plain_config",
        lambda m: main(m).update(env=[{"name": "DB_PASSWORD", "value": "hunter2"}]),
    ),
    "projected token": (
        "no_cluster_token",
        lambda m: pod(m)["volumes"].append(
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
        ),
    ),
    "host processes": ("no_host_access", lambda m: pod(m).update(hostPID=True)),
    "host memory": ("no_host_access", lambda m: pod(m).update(hostIPC=True)),
    "host folder": ("no_host_access", lambda m: pod(m)["volumes"].append({"name": "h", "hostPath": {"path": "/"}})),
    "host port": ("no_host_access", lambda m: main(m)["ports"].append({"containerPort": 1, "hostPort": 1})),
    "root user": ("restricted", lambda m: pod(m)["securityContext"].update(runAsNonRoot=False)),
    "user zero": ("restricted", lambda m: pod(m)["securityContext"].update(runAsUser=0)),
    "no seccomp": ("restricted", lambda m: pod(m)["securityContext"].pop("seccompProfile")),
    "container as root": ("restricted", lambda m: main(m)["securityContext"].update(runAsUser=0)),
    "privileged": ("restricted", lambda m: main(m)["securityContext"].update(privileged=True)),
    "escalation": ("restricted", lambda m: main(m)["securityContext"].pop("allowPrivilegeEscalation")),
    "writable root": ("restricted", lambda m: main(m)["securityContext"].pop("readOnlyRootFilesystem")),
    "kept capabilities": ("restricted", lambda m: main(m)["securityContext"].pop("capabilities")),
    "added capability": ("restricted", lambda m: main(m)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])),
    "no cpu request": ("resources_stated", lambda m: main(m)["resources"]["requests"].pop("cpu")),
    "no memory limit": ("resources_stated", lambda m: main(m)["resources"]["limits"].pop("memory")),
    "no resources": ("resources_stated", lambda m: main(m).pop("resources")),
    "cluster token": ("no_cluster_token", lambda m: pod(m).pop("automountServiceAccountToken")),
    "silent failure": ("failures_explained", lambda m: main(m).pop("terminationMessagePolicy")),
    "bad init container": ("images_by_digest", lambda m: pod(m).update(initContainers=[{"name": "i"}])),
}


def test_what_we_render_passes() -> None:
    assert guardrails.violations(deployment()) == ()
    assert guardrails.violations(namespace_manifest("s", "ros2bench-s")) == ()


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_broken_rule_is_named_with_the_object(change: str) -> None:
    rule, apply = CHANGES[change]
    manifest = deployment()
    apply(manifest)
    with pytest.raises(Refusal, match=rf"^Deployment broken is not sent[\s\S]*\n  {rule}: "):
        guardrails.enforce("broken", manifest)


def test_every_rule_has_a_change_that_breaks_it() -> None:
    elsewhere = {"exposed_as_asked", "untranslated_discovery", "namespace_enforces", "least_roles"}
    assert {rule for rule, _ in CHANGES.values()} | elsewhere == {rule.__name__ for rule in guardrails.RULES}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "LoadBalancer"}, "exposed_as_asked: Service type LoadBalancer opens a pod"),
        ({}, "exposed_as_asked: Service type ClusterIP opens a pod"),
        ({"type": "NodePort"}, "exposed_as_asked: Service type NodePort opens a pod"),
    ],
)
def test_a_service_that_nobody_asked_for_is_refused(spec: Manifest, said: str) -> None:
    assert guardrails.violations(service(spec))[0].startswith(said)


def test_what_the_stack_file_asks_for_is_let_through_but_never_a_node_port() -> None:
    web = {"ports": [{"port": 80, "protocol": "TCP"}]}
    assert guardrails.violations(service(web | {"type": "LoadBalancer"}, asked=True)) == ()
    assert guardrails.violations(service(web, asked=True)) == ()
    (found,) = guardrails.violations(service(web | {"type": "NodePort"}, asked=True))
    assert "opens the same port on every machine" in found


def test_an_ingress_that_nobody_asked_for_is_refused() -> None:
    ingress = {"kind": "Ingress", "metadata": {"labels": labels.common("s")}, "spec": {}}
    assert [found.split(":")[0] for found in guardrails.violations(ingress)] == ["exposed_as_asked"]


@pytest.mark.parametrize(
    ("port", "domain", "refused"),
    [
        ({"port": 11811, "protocol": "UDP"}, "42", True),
        ({"port": 11311}, "42", True),
        ({"port": 17911, "protocol": "UDP"}, "42", True),
        ({"port": 7001, "protocol": "UDP"}, "42", True),
        ({"port": 80, "targetPort": 17911, "protocol": "UDP"}, "42", True),
        ({"port": 14550, "protocol": "UDP"}, "42", False),
        ({"port": 14550, "protocol": "UDP"}, None, True),
        ({"port": 17911, "protocol": "TCP"}, "42", False),
        ({"port": 80, "targetPort": "http"}, "42", False),
    ],
)
def test_no_address_is_put_in_front_of_dds(port: Manifest, domain: str | None, *, refused: bool) -> None:
    found = guardrails.violations(service({"ports": [port]}, asked=True, domain=domain))
    assert [sentence.split(":")[0] for sentence in found] == (["untranslated_discovery"] if refused else [])
    assert guardrails.violations(service({"clusterIP": "None", "ports": [port]}, domain=domain)) == ()


def test_a_pod_on_the_machines_network_needs_the_label_and_the_clusters_names() -> None:
    manifest = deployment()
    pod(manifest).update(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet")
    main(manifest)["ports"] = [{"containerPort": 18080, "hostPort": 18080}]
    (found,) = guardrails.violations(manifest)
    assert found.startswith("host_network_declared: hostNetwork is set without the label ros2bench/network=host")
    manifest["metadata"]["labels"][labels.NETWORK] = "host"
    assert guardrails.violations(manifest) == ()
    del pod(manifest)["dnsPolicy"]
    assert "no name of the cluster is known" in guardrails.violations(manifest)[0]


def test_a_secret_in_a_configuration_file_is_refused_and_not_repeated() -> None:
    data = {"settings.yaml": "camera:\n  stream_password: hunter2\n"}
    manifest = {"kind": "ConfigMap", "metadata": {"labels": labels.common("s")}, "data": data}
    (found,) = guardrails.violations(manifest)
    assert "data settings.yaml has the entry stream_password" in found
    assert "hunter2" not in found


def test_a_namespace_that_enforces_nothing_is_refused() -> None:
    manifest = namespace_manifest("s", "n")
    del manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert guardrails.violations(manifest) == ("namespace_enforces: Pod Security restricted is not enforced",)


def test_a_namespace_that_enforces_nothing_must_say_why() -> None:
    manifest = namespace_manifest("s", "n", network="host")
    del manifest["metadata"]["annotations"]
    assert (
        "needs label ros2bench/network=host or ros2bench/machine-access=yes, and annotation"
        in guardrails.violations(manifest)[0]
    )
