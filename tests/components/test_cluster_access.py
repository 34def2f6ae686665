"""Who may talk to the API server, and what roles may say: as narrow as components/cluster_access.py says."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components import guardrails, labels
from components.graph import Resources
from components.observability import kube_state_metrics
from components.program import Health, Program, Reading, deployment_manifest
from tests.support import values

Manifest = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"


def metadata(component: str) -> Manifest:
    return {"labels": labels.labels("platform", name=component, component=component)}


def deployment(component: str = "prometheus") -> Manifest:
    program = Program(
        name=component,
        image=f"registry.example/x@{values.DIGEST}",
        args=("--flag",),
        ports={"metrics": 9090},
        health=Health(port="metrics", ready="/-/ready", alive="/-/healthy"),
        resources=Resources(cpu_request_millicores=1, memory_request_mebibytes=1, memory_limit_mebibytes=2),
    )
    return deployment_manifest(metadata(component), "platform", program, Reading(account="account"))


def role(component: str = "kube-state-metrics") -> Manifest:
    rules = copy.deepcopy(kube_state_metrics.role_rules())
    return {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": metadata(component), "rules": rules}


def binding(component: str, name: str, kind: str = "ClusterRole") -> Manifest:
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": metadata(component),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "account", "namespace": "ros2bench-platform"}],
    }


def broken(manifest: Manifest) -> set[str]:
    return {sentence.partition(":")[0] for sentence in guardrails.violations(manifest)}


def test_a_program_that_reads_the_cluster_has_a_token_and_is_restricted_otherwise() -> None:
    assert broken(deployment()) == set()
    spec = deployment()["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is True
    assert spec["securityContext"]["runAsUser"] == 65534
    assert "command" not in spec["containers"][0]


def test_anybody_else_has_none() -> None:
    assert broken(deployment("grafana")) == {"no_cluster_token"}
    participant = deployment()
    participant["metadata"]["labels"][labels.DOMAIN] = "42"
    assert broken(participant) == {"no_cluster_token"}
    disguised = deployment()
    disguised["spec"]["template"]["metadata"]["labels"][labels.COMPONENT] = "application"
    assert broken(disguised) == {"no_cluster_token"}


BEYOND: dict[str, Callable[[Manifest], object]] = {
    "every verb": lambda m: m["rules"][0].update(verbs=["*"]),
    "every resource": lambda m: m["rules"][0].update(resources=["*"]),
    "every group": lambda m: m["rules"][0].update(apiGroups=["*"]),
    "secrets": lambda m: m["rules"][0]["resources"].append("secrets"),
    "kubelets' own API": lambda m: m["rules"][0]["resources"].append("nodes/proxy"),
    "tokens": lambda m: m["rules"][0]["resources"].append("serviceaccounts/token"),
    "writing": lambda m: m["rules"][0]["verbs"].append("patch"),
    "impersonation": lambda m: m["rules"][0]["verbs"].append("impersonate"),
    "aggregation": lambda m: m.update(aggregationRule={}),
    "another component": lambda m: m["metadata"]["labels"].update({labels.COMPONENT: "application"}),
}


@pytest.mark.parametrize("change", BEYOND)
def test_a_role_reads_what_it_names_and_no_more(change: str) -> None:
    manifest = role()
    assert broken(manifest) == set()
    BEYOND[change](manifest)
    assert broken(manifest) == {"least_roles"}


def test_only_roles_of_the_stack_and_two_of_kubernetes_itself_are_bound() -> None:
    assert broken(binding("prometheus", "prometheus-1a2b3c4d")) == set()
    assert broken(binding("metrics-server", "system:auth-delegator")) == set()
    assert broken(binding("prometheus", "system:auth-delegator")) == {"least_roles"}
    assert broken(binding("prometheus", "cluster-admin")) == {"least_roles"}
    assert broken(binding("application", "view")) == {"least_roles"}
    person = binding("prometheus", "prometheus-1a2b3c4d")
    person["subjects"] = [{"kind": "Group", "name": "system:authenticated"}]
    assert broken(person) == {"least_roles"}
