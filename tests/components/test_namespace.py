"""A namespace enforces Pod Security, or says why it cannot."""

from components import guardrails, labels
from components.namespace import namespace_manifest


def levels(manifest: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    prefix = "pod-security.kubernetes.io/"
    found = manifest["metadata"]["labels"]
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


def test_a_namespace_of_pods_with_their_own_addresses_is_restricted_in_every_way() -> None:
    manifest = namespace_manifest("s", "n")
    assert levels(manifest) == {"enforce": "restricted", "audit": "restricted", "warn": "restricted"}
    assert "annotations" not in manifest["metadata"]


def test_a_namespace_for_the_machines_network_says_why_it_enforces_nothing() -> None:
    manifest = namespace_manifest("s", "n", network="host")
    assert levels(manifest) == {"enforce": "privileged", "audit": "restricted", "warn": "privileged"}
    assert "network.discovery is host-network" in manifest["metadata"]["annotations"][labels.WHY_PRIVILEGED]
    assert guardrails.violations(manifest) == ()
