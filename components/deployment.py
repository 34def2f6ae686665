"""One hardened Deployment: everything that the pods of an experiment have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import readiness
from components.gpu import matching, taints
from components.graph import Resources
from components.labels import Labels
from components.manifest import Manifest
from components.needs import NOTHING, Needs, Security, Toleration, Update
from components.participant import CONFIGURATION_DIRECTORY

USER_ID = 10001
SHARED_MEMORY_MEBIBYTES = 64
TEMPORARY_MEBIBYTES = 256
PROGRESS_DEADLINE_S = 300
TIER = "ros2bench/tier"


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
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    needs: Needs = NOTHING
    volumes: Sequence[Manifest] = ()
    init_containers: Sequence[Manifest] = ()
    service_account: pulumi.Input[str] | None = None
    network: Mapping[str, Any] = field(default_factory=dict[str, Any])


def deployment_manifest(metadata: Mapping[str, Any], template: PodTemplate) -> Manifest:
    """Deployment of one kind of pod.

    Pods are replaced, never doubled, unless asked for: a second publisher would be measured as if it were the first.

    Args:
        metadata: Metadata of the Deployment.
        template: Its pods.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": dict(metadata),
        "spec": {
            # Where an autoscaler sets the number of copies, stating one here would set it back with every `up`.
            **({} if template.needs.autoscaling else {"replicas": template.needs.replicas}),
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_S,
            "strategy": _strategy(template.needs.update),
            "selector": {"matchLabels": dict(template.selector)},
            "template": {
                "metadata": {
                    "labels": {**template.needs.labels, **template.labels},
                    "annotations": {**template.needs.annotations, **template.annotations},
                },
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
    probes: Mapping[str, readiness.Probe] | None = None,
    extended_resources: Mapping[str, int] | None = None,
    ports: Sequence[Manifest] = (),
    mounts: Sequence[Manifest] = (),
) -> Manifest:
    """One container that may write to /tmp and /dev/shm only and holds no privilege.

    Args:
        name: Name of the container.
        image: Reference by digest.
        command: Program and arguments; the image's entry point, which sets up its workspaces, stays in front.
        environment: Variables as Kubernetes wants them.
        resources: Requests and limits.
        health_port: Port that serves /healthz and /readyz; none for a program without it.
        probes: Probes by their key; none means readiness and liveness on the health port, if there is one.
        extended_resources: Devices by resource name, for example nvidia.com/gpu.
        ports: Ports beside the health port.
        mounts: Mounts beside configuration, /tmp and /dev/shm.
    """
    rendered: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(command),
        "env": [dict(variable) for variable in environment],
        "resources": _resources(resources, extended_resources or {}),
        "securityContext": restricted_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION_DIRECTORY, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the mount itself
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - the mount itself
            *mounts,
        ],
    }
    health = [{"name": readiness.HEALTH, "containerPort": health_port, "protocol": "TCP"}] if health_port else []
    if health or ports:
        rendered["ports"] = [*health, *ports]
    default = readiness.ready_and_alive() if health_port else {}
    return rendered | {key: dict(probe) for key, probe in (default if probes is None else probes).items()}


def restricted_context() -> Manifest:
    """Security context of every container: no privilege, nothing to raise one with, nothing to write to."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _pod_spec(template: PodTemplate) -> Manifest:
    needs = template.needs
    shared_memory_mebibytes = max(needs.shared_memory_mebibytes, SHARED_MEMORY_MEBIBYTES)
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": template.grace_s,
        "securityContext": _security_context(needs.security),
        "containers": list(template.containers),
        "volumes": [
            {"name": "configuration", "configMap": {"name": template.configuration}},
            {"name": "temporary", "emptyDir": {"sizeLimit": f"{TEMPORARY_MEBIBYTES}Mi"}},
            {
                "name": "shared-memory",
                "emptyDir": {"medium": "Memory", "sizeLimit": f"{shared_memory_mebibytes}Mi"},
            },
            *template.volumes,
        ],
        **template.network,
    }
    if template.init_containers:
        spec["initContainers"] = list(template.init_containers)
    if template.service_account is not None:
        spec["serviceAccountName"] = template.service_account
    if needs.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in needs.image_pull_secrets]
    if tolerated := taints.accepted(needs):
        spec["tolerations"] = [toleration(each) for each in tolerated]
    if selector := node_selector(template.scheduling, needs):
        spec["nodeSelector"] = selector
    if affinity := matching.with_terms(_affinity(template.scheduling, needs.affinity), needs.gpu_need.terms()):
        spec["affinity"] = affinity
    if needs.runtime_class is not None:
        spec["runtimeClassName"] = needs.runtime_class
    return spec


def node_selector(scheduling: Scheduling, needs: Needs) -> dict[str, str]:
    """Labels that the machine of a pod must have; a node's own come last."""
    tier = {TIER: needs.tier} if needs.tier else {}
    return {**scheduling.node_selector, **tier, **needs.node_selector}


def _affinity(scheduling: Scheduling, own: Mapping[str, Any]) -> Manifest:
    """The wish to be near a pod; a node's own affinity replaces it where both speak of the same thing."""
    if not scheduling.near:
        return dict(own)
    term = {
        "labelSelector": {"matchLabels": dict(scheduling.near)},
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}, **own}


def _strategy(update: Update | None) -> Manifest:
    if update is None or update.strategy == "recreate":
        return {"type": "Recreate"}
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": update.max_surge, "maxUnavailable": update.max_unavailable},
    }


def _security_context(security: Security) -> Manifest:
    user = USER_ID if security.run_as_user is None else security.run_as_user
    context: Manifest = {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": USER_ID if security.run_as_group is None else security.run_as_group,
        "fsGroup": USER_ID if security.fs_group is None else security.fs_group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if security.supplemental_groups:
        context["supplementalGroups"] = list(security.supplemental_groups)
    return context


def toleration(toleration: Toleration) -> Manifest:
    """A toleration in the words of Kubernetes."""
    stated = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
        "tolerationSeconds": toleration.toleration_seconds,
    }
    return {key: value for key, value in stated.items() if value is not None}


def _resources(resources: Resources, extended: Mapping[str, int]) -> Manifest:
    limits: dict[str, str] = {"memory": f"{resources.memory_limit_mebibytes}Mi"}
    if resources.cpu_limit_millicores is not None:
        limits["cpu"] = f"{resources.cpu_limit_millicores}m"
    limits |= {name: str(count) for name, count in extended.items()}
    return {
        "requests": {
            "cpu": f"{resources.cpu_request_millicores}m",
            "memory": f"{resources.memory_request_mebibytes}Mi",
        },
        "limits": limits,
    }
