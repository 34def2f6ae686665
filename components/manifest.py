"""The one door from rendered manifests to the cluster: guardrails first, then the resource."""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

from components import guardrails

Manifest = dict[str, Any]


def _later(module: str, kind: str) -> Callable[..., pulumi.CustomResource]:
    """Constructor whose module is loaded when the first such resource is made: an experiment has none of them."""

    def made(name: str, **body: Any) -> pulumi.CustomResource:
        return getattr(attrgetter(module)(kubernetes), kind)(name, **body)

    return made


def _custom(api_version: str, kind: str) -> Callable[..., pulumi.CustomResource]:
    """Constructor of a resource whose definition is the cluster's own."""

    def made(name: str, *, opts: pulumi.ResourceOptions, **body: Any) -> pulumi.CustomResource:
        return kubernetes.apiextensions.CustomResource(name, api_version=api_version, kind=kind, opts=opts, **body)

    return made


MONITORING = "monitoring.coreos.com/v1"
RBAC = "rbac.authorization.k8s.io/v1"
RESOURCES: Mapping[tuple[str, str], Callable[..., pulumi.CustomResource]] = {
    ("v1", "Namespace"): kubernetes.core.v1.Namespace,
    ("v1", "ConfigMap"): kubernetes.core.v1.ConfigMap,
    ("v1", "PersistentVolumeClaim"): kubernetes.core.v1.PersistentVolumeClaim,
    ("v1", "Secret"): kubernetes.core.v1.Secret,
    ("v1", "Service"): kubernetes.core.v1.Service,
    ("v1", "ServiceAccount"): kubernetes.core.v1.ServiceAccount,
    ("v1", "ResourceQuota"): _later("core.v1", "ResourceQuota"),
    ("apiregistration.k8s.io/v1", "APIService"): _later("apiregistration.v1", "APIService"),
    ("apps/v1", "DaemonSet"): kubernetes.apps.v1.DaemonSet,
    ("apps/v1", "Deployment"): kubernetes.apps.v1.Deployment,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _later("autoscaling.v2", "HorizontalPodAutoscaler"),
    ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"): _custom("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"),
    (MONITORING, "PodMonitor"): _custom(MONITORING, "PodMonitor"),
    (MONITORING, "PrometheusRule"): _custom(MONITORING, "PrometheusRule"),
    (MONITORING, "ServiceMonitor"): _custom(MONITORING, "ServiceMonitor"),
    ("networking.k8s.io/v1", "Ingress"): kubernetes.networking.v1.Ingress,
    ("networking.k8s.io/v1", "NetworkPolicy"): kubernetes.networking.v1.NetworkPolicy,
    ("node.k8s.io/v1", "RuntimeClass"): _later("node.v1", "RuntimeClass"),
    (RBAC, "ClusterRole"): _later("rbac.v1", "ClusterRole"),
    (RBAC, "ClusterRoleBinding"): _later("rbac.v1", "ClusterRoleBinding"),
    (RBAC, "Role"): _later("rbac.v1", "Role"),
    (RBAC, "RoleBinding"): _later("rbac.v1", "RoleBinding"),
}

GONE_AT_ONCE = frozenset(
    {
        "APIService", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "HorizontalPodAutoscaler", "NetworkPolicy",
        "PodMonitor", "PrometheusRule", "ResourceQuota", "Role", "RoleBinding", "RuntimeClass", "Secret",
        "ServiceAccount", "ServiceMonitor", "VerticalPodAutoscaler",
    }
)  # fmt: skip
"""Kinds that own nothing. The provider deletes in the foreground, where an object lives on for a moment, and watches it
go; now and then it begins to watch when it has gone, and waits ten minutes (pulumi-kubernetes issues 3317 and 4580)."""
IN_THE_BACKGROUND: Mapping[str, str] = {"pulumi.com/deletionPropagationPolicy": "background"}
"""Annotation by which an object is gone when the API server has answered."""
SKIP_AWAIT: Mapping[str, str] = {"pulumi.com/skipAwait": "true"}
"""Annotation by which the engine does not wait until an object is ready."""


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
    if manifest["kind"] in GONE_AT_ONCE:
        metadata = manifest["metadata"]
        manifest = manifest | {
            "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **IN_THE_BACKGROUND}}
        }
    body = {python_name(key): value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    return RESOURCES[manifest["apiVersion"], manifest["kind"]](name, **body, opts=opts)


def created_name(resource: pulumi.CustomResource) -> pulumi.Output[str]:
    """Name that an object has in the cluster; whatever uses it waits for the object."""
    metadata = cast("pulumi.Output[Mapping[str, Any]]", cast("Any", resource).metadata)
    return metadata.apply(lambda found: cast("str", found["name"]))


def python_name(key: str) -> str:
    """Name of a field as the provider's Python spells it: of an object's own arguments and of its outputs."""
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key)
