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
        environment=(),
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


CHANGES: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "no stack label": ("labelled", lambda m: m["metadata"]["labels"].pop("ros2bench/stack")),
    "no part-of label": ("labelled", lambda m: m["metadata"]["labels"].pop("app.kubernetes.io/part-of")),
    "image by tag": ("images_by_digest", lambda m: main(m).update(image="registry.example/x:latest")),
    "short digest": ("images_by_digest", lambda m: main(m).update(image="x@sha256:abc")),
    "host network": ("no_host_access", lambda m: pod(m).update(hostNetwork=True)),
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
    elsewhere = {"not_exposed", "namespace_restricted"}
    assert {rule for rule, _ in CHANGES.values()} | elsewhere == {rule.__name__ for rule in guardrails.RULES}


def test_a_service_that_is_reachable_from_outside_is_refused() -> None:
    metadata = {"labels": labels.common("s")}
    exposed = {"kind": "Service", "metadata": metadata, "spec": {"type": "NodePort"}}
    assert guardrails.violations(exposed) == (
        "not_exposed: Service type NodePort is reachable from outside the cluster",
    )


def test_a_namespace_that_enforces_nothing_is_refused() -> None:
    manifest = namespace_manifest("s", "n")
    del manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert guardrails.violations(manifest) == ("namespace_restricted: Pod Security restricted is not enforced",)
