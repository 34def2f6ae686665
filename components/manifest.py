"""The one door from rendered manifests to the cluster: guardrails first, then the resource."""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

from components import guardrails

Manifest = dict[str, Any]

RESOURCES: Mapping[tuple[str, str], Callable[..., pulumi.CustomResource]] = {
    ("v1", "Namespace"): kubernetes.core.v1.Namespace,
    ("v1", "ConfigMap"): kubernetes.core.v1.ConfigMap,
    ("v1", "PersistentVolumeClaim"): kubernetes.core.v1.PersistentVolumeClaim,
    ("v1", "Secret"): kubernetes.core.v1.Secret,
    ("v1", "Service"): kubernetes.core.v1.Service,
    ("v1", "ServiceAccount"): kubernetes.core.v1.ServiceAccount,
    ("apps/v1", "DaemonSet"): kubernetes.apps.v1.DaemonSet,
    ("apps/v1", "Deployment"): kubernetes.apps.v1.Deployment,
    ("networking.k8s.io/v1", "Ingress"): kubernetes.networking.v1.Ingress,
    ("networking.k8s.io/v1", "NetworkPolicy"): kubernetes.networking.v1.NetworkPolicy,
}


def create(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register a manifest as a resource.

    Args:
        name: Logical name; the cluster's name is this and a suffix unless the manifest sets one.
        manifest: The object as YAML would hold it; values may be outputs.
        opts: Must name the parent.

    Raises:
        Refusal: The manifest breaks a guardrail.
    """
    guardrails.enforce(name, manifest)
    body = {_snake(key): value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    return RESOURCES[manifest["apiVersion"], manifest["kind"]](name, **body, opts=opts)


def created_name(resource: pulumi.CustomResource) -> pulumi.Output[str]:
    """Name that an object has in the cluster; whatever uses it waits for the object."""
    metadata = cast("pulumi.Output[Mapping[str, Any]]", cast("Any", resource).metadata)
    return metadata.apply(lambda found: cast("str", found["name"]))


def _snake(key: str) -> str:
    """Name of a top-level field as the provider's Python names it; below it, fields keep their names."""
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key)
