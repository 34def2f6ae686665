"""One hardened Deployment: everything that the pods of an experiment have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.graph import Resources
from components.labels import Labels
from components.manifest import Manifest
from components.participant import CONFIGURATION_DIRECTORY

USER_ID = 10001
SHARED_MEMORY_MEBIBYTES = 64
TEMPORARY_MEBIBYTES = 256
PROGRESS_DEADLINE_S = 300
READINESS_PERIOD_S = 1
LIVENESS_PERIOD_S = 10
LIVENESS_DELAY_S = 30
PROBE_TIMEOUT_S = 3


@dataclass(frozen=True, kw_only=True)
class Scheduling:
    """On which machine a pod should run.

    `near` prefers the machine of the pods with these labels; `node_selector` demands a machine with those.
    """

    near: Mapping[str, str] = field(default_factory=dict[str, str])
    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class PodTemplate:
    """What differs between the pods of an experiment."""

    labels: Labels
    selector: Labels
    containers: Sequence[Manifest]
    configuration: pulumi.Input[str]
    scheduling: Scheduling
    grace_s: int
    replicas: int = 1
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


def deployment_manifest(metadata: Mapping[str, Any], template: PodTemplate) -> Manifest:
    """Deployment of one kind of pod.

    Pods are replaced, never doubled: a second publisher would be measured as if it were the first.

    Args:
        metadata: Metadata of the Deployment.
        template: Its pods.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": dict(metadata),
        "spec": {
            "replicas": template.replicas,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_S,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": dict(template.selector)},
            "template": {
                "metadata": {"labels": dict(template.labels), "annotations": dict(template.annotations)},
                "spec": _pod_spec(template),
            },
        },
    }


def container(
    *,
    name: str,
    image: str,
    command: Sequence[str],
    environment: Sequence[Mapping[str, Any]],
    resources: Resources,
    health_port: int | None,
) -> Manifest:
    """One container that may write to /tmp and /dev/shm only and holds no privilege.

    Args:
        name: Name of the container.
        image: Reference by digest.
        command: Program and arguments; the image's entry point, which sets up its workspaces, stays in front.
        environment: Variables as Kubernetes wants them.
        resources: Requests and limits.
        health_port: Port that serves /healthz and /readyz; none for a program without it.
    """
    rendered: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(command),
        "env": [dict(variable) for variable in environment],
        "resources": _resources(resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION_DIRECTORY, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - the mount itself
        ],
    }
    if health_port is None:
        return rendered
    return rendered | {
        "ports": [{"name": "health", "containerPort": health_port, "protocol": "TCP"}],
        "readinessProbe": _http_probe("/readyz", period_s=READINESS_PERIOD_S, delay_s=0),
        "livenessProbe": _http_probe("/healthz", period_s=LIVENESS_PERIOD_S, delay_s=LIVENESS_DELAY_S),
    }


def _pod_spec(template: PodTemplate) -> Manifest:
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": template.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(template.containers),
        "volumes": [
            {"name": "configuration", "configMap": {"name": template.configuration}},
            {"name": "temporary", "emptyDir": {"sizeLimit": f"{TEMPORARY_MEBIBYTES}Mi"}},
            {
                "name": "shared-memory",
                "emptyDir": {"medium": "Memory", "sizeLimit": f"{SHARED_MEMORY_MEBIBYTES}Mi"},
            },
        ],
    }
    if template.scheduling.node_selector:
        spec["nodeSelector"] = dict(template.scheduling.node_selector)
    if template.scheduling.near:
        term = {
            "labelSelector": {"matchLabels": dict(template.scheduling.near)},
            "topologyKey": "kubernetes.io/hostname",
        }
        preferred = [{"weight": 100, "podAffinityTerm": term}]
        spec["affinity"] = {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    return spec


def _resources(resources: Resources) -> Manifest:
    limits = {"memory": f"{resources.memory_limit_mebibytes}Mi"}
    if resources.cpu_limit_millicores is not None:
        limits["cpu"] = f"{resources.cpu_limit_millicores}m"
    return {
        "requests": {
            "cpu": f"{resources.cpu_request_millicores}m",
            "memory": f"{resources.memory_request_mebibytes}Mi",
        },
        "limits": limits,
    }


def _http_probe(path: str, *, period_s: int, delay_s: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "health"},
        "initialDelaySeconds": delay_s,
        "periodSeconds": period_s,
        "timeoutSeconds": PROBE_TIMEOUT_S,
        "failureThreshold": 3,
    }
