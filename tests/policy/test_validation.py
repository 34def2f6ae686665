"""The policy pack sees resources as the engine shows them, and says what the guardrails say."""

from typing import Any

import pytest

from components import labels
from policy import validation

FOUND = labels.common("s")
DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def service(port: float) -> dict[str, Any]:
    annotations = {labels.ASKED_BY: "ros2bench:spec.application.nodes.web.ports"}
    spec = {"ports": [{"port": port, "protocol": "UDP"}]}
    return {"metadata": {"labels": FOUND, "annotations": annotations}, "spec": spec}


def deployment(namespace: str, **spec: Any) -> validation.Resource:
    metadata = {"name": "camera", "namespace": namespace, "labels": FOUND}
    template = {"spec": {"template": {"spec": {"containers": []} | spec}}}
    return ("kubernetes:apps/v1:Deployment", {"metadata": metadata} | template)


def policy(namespace: str, spec: dict[str, Any]) -> validation.Resource:
    kind = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    return (kind, {"metadata": {"namespace": namespace, "labels": FOUND}, "spec": spec})


def test_the_type_of_a_resource_says_what_it_is() -> None:
    manifest = validation.as_manifest("kubernetes:core/v1:ConfigMap", {"data": {}, "__defaults": []})
    assert manifest == {"apiVersion": "v1", "kind": "ConfigMap", "data": {}}


@pytest.mark.parametrize("kind", ["random:index/randomPet:RandomPet", "pulumi:providers:kubernetes", "kubernetes:x"])
def test_what_is_no_object_of_kubernetes_is_left_alone(kind: str) -> None:
    assert validation.of_resource(kind, {"metadata": {}}) == ()


def test_a_rule_of_the_guardrails_is_said_in_its_own_words() -> None:
    (found,) = validation.of_resource("kubernetes:core/v1:Service", service(11811))
    assert found.startswith("untranslated_discovery: port 11811 is for DDS or discovery")


def test_whole_numbers_arrive_as_floating_ones_and_are_still_ports() -> None:
    assert validation.of_resource("kubernetes:core/v1:Service", service(11811.0)) == validation.of_resource(
        "kubernetes:core/v1:Service", service(11811)
    )
    assert validation.of_resource("kubernetes:core/v1:Service", service(80.0)) == ()


def test_a_pod_in_an_open_namespace_is_refused() -> None:
    assert validation.of_stack([deployment("n"), policy("n", DENY)]) == ()
    (found,) = validation.of_stack([deployment("n"), policy("elsewhere", DENY)])
    assert found == ("closed_namespace: Deployment camera is in namespace n, which denies no traffic by default")
    opened = DENY | {"ingress": [{}]}
    assert validation.of_stack([deployment("n"), policy("n", opened)]) != ()


def test_the_machines_network_needs_a_namespace_that_is_made_for_it() -> None:
    namespace = {"metadata": {"name": "n", "labels": FOUND | {labels.NETWORK: "host"}}}
    made = ("kubernetes:core/v1:Namespace", namespace)
    assert validation.of_stack([made, deployment("n", hostNetwork=True)]) == ()
    (found,) = validation.of_stack([deployment("n", hostNetwork=True)])
    assert "namespace n is not made for it" in found
