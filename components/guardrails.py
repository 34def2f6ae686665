"""Rules that every object must pass before it is sent to a cluster, as plain functions on rendered manifests.

They run in every preview, on every object, whatever pattern or user patch produced it. A rule reads a
manifest and yields one sentence for each violation; it never reads values that are known only after deployment.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.labels import PART_OF, STACK
from components.refusal import Refusal

Manifest = Mapping[str, Any]
Rule = Callable[[Manifest], Iterator[str]]

DIGEST_REFERENCE = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
VOLUME_TYPES = frozenset(
    {
        "configMap",
        "emptyDir",
        "secret",
        "projected",
        "downwardAPI",
        "csi",
        "ephemeral",
        "persistentVolumeClaim",
        "image",
    }
)


def labelled(manifest: Manifest) -> Iterator[str]:
    """Everything carries the labels by which it is found and cleaned up."""
    found: Manifest = manifest.get("metadata", {}).get("labels", {})
    if not found.get(STACK):
        yield f"has no label {STACK}"
    if found.get("app.kubernetes.io/part-of") != PART_OF:
        yield f"has no label app.kubernetes.io/part-of={PART_OF}"


def images_by_digest(manifest: Manifest) -> Iterator[str]:
    """A tag can move between two runs; a digest cannot."""
    for container in containers(manifest):
        if not DIGEST_REFERENCE.fullmatch(str(container.get("image", ""))):
            yield f"container {container['name']}: image {container.get('image')!r} is not named by digest"


def no_host_access(manifest: Manifest) -> Iterator[str]:
    """No namespace, port or folder of the machine."""
    spec = pod_spec(manifest)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is set"
    for volume in spec.get("volumes", []):
        if foreign := set(volume) - {"name"} - VOLUME_TYPES:
            yield f"volume {volume['name']}: type {', '.join(sorted(foreign))} is not allowed"
    for container in containers(manifest):
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"container {container['name']}: hostPort is set"


def restricted(manifest: Manifest) -> Iterator[str]:
    """Pod Security Standard "restricted", and a read-only root file system."""
    if pod_spec(manifest):
        pod: Manifest = pod_spec(manifest).get("securityContext", {})
        if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
            yield "securityContext does not name a user that is not root"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield "securityContext.seccompProfile is not RuntimeDefault"
    for container in containers(manifest):
        own: Manifest = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"container {container['name']}: privileges can be raised"
        if own.get("runAsNonRoot") is False or own.get("runAsUser") == 0:
            yield f"container {container['name']}: runs as root"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"container {container['name']}: root file system is writable"
        capabilities: Manifest = own.get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
            yield f"container {container['name']}: capabilities are not all dropped"


def resources_stated(manifest: Manifest) -> Iterator[str]:
    """Requests, so that the scheduler can place it; a memory limit, so that it cannot starve the machine."""
    for container in containers(manifest):
        resources: Manifest = container.get("resources", {})
        for kind, names in (("requests", ("cpu", "memory")), ("limits", ("memory",))):
            for name in names:
                if name not in resources.get(kind, {}):
                    yield f"container {container['name']}: resources.{kind}.{name} is missing"


def no_cluster_token(manifest: Manifest) -> Iterator[str]:
    """Nothing in an experiment talks to the API server."""
    if pod_spec(manifest) and pod_spec(manifest).get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false"


def failures_explained(manifest: Manifest) -> Iterator[str]:
    """The last lines of a failed container appear in the error of `pulumi up`."""
    for container in containers(manifest):
        if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            yield f"container {container['name']}: terminationMessagePolicy is not FallbackToLogsOnError"


def not_exposed(manifest: Manifest) -> Iterator[str]:
    """Probes come in through the API server; nothing listens outside the cluster."""
    if manifest.get("kind") == "Service" and manifest["spec"].get("type", "ClusterIP") != "ClusterIP":
        yield f"Service type {manifest['spec']['type']} is reachable from outside the cluster"


def namespace_restricted(manifest: Manifest) -> Iterator[str]:
    """The cluster enforces on its own what these rules check."""
    if manifest.get("kind") == "Namespace":
        found: Manifest = manifest.get("metadata", {}).get("labels", {})
        if found.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "Pod Security restricted is not enforced"


RULES: tuple[Rule, ...] = (
    labelled,
    images_by_digest,
    no_host_access,
    restricted,
    resources_stated,
    no_cluster_token,
    failures_explained,
    not_exposed,
    namespace_restricted,
)


def pod_spec(manifest: Manifest) -> Manifest:
    """Specification of the pods that an object makes; empty if it makes none."""
    if manifest.get("kind") == "Pod":
        return manifest.get("spec", {})
    return manifest.get("spec", {}).get("template", {}).get("spec", {})


def containers(manifest: Manifest) -> tuple[Manifest, ...]:
    """Every container of an object's pods, init containers first."""
    spec = pod_spec(manifest)
    return (*spec.get("initContainers", ()), *spec.get("containers", ()))


def violations(manifest: Manifest) -> tuple[str, ...]:
    """One sentence for each rule that a manifest breaks, the rule's name first."""
    return tuple(f"{rule.__name__}: {sentence}" for rule in RULES for sentence in rule(manifest))


def enforce(name: str, manifest: Manifest) -> None:
    """Refuse a manifest that breaks a rule.

    Raises:
        Refusal: Names the object and each broken rule.
    """
    if broken := violations(manifest):
        lines = "".join(f"\n  {sentence}" for sentence in broken)
        raise Refusal(
            f"{manifest.get('kind')} {name} is not sent to the cluster, because it breaks the rules of "
            f"components/guardrails.py:{lines}\nChange what renders it, then: pulumi preview"
        )
