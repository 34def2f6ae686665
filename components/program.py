"""One hardened program that is not ours: a pod of a third-party image on a read-only root, as nobody.

The program is the image's entry point, upstream's or another builder's of the same, so that manifests give `args` and
never a command.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from components import labels
from components.graph import Resources
from components.manifest import SKIP_AWAIT, Manifest
from components.namespace import Namespace

NOBODY = 65534
METRICS = "metrics"
"""Name of the container port on which a pod of ours serves metrics."""
SCRAPED = "prometheus.io/scrape"
GRACE_S = 10
PROGRESS_DEADLINE_S = 300
STARTUP_LIMIT_S = 120
TIMEOUT_S = 3
FAILURES = 3

Scheme = Literal["HTTP", "HTTPS"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """Paths by which the cluster asks whether the program works, and the name of the port that serves them."""

    port: str
    ready: str
    alive: str
    scheme: Scheme = "HTTP"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program and what it asks of its pod.

    Attributes:
        name: Role of the pod: its component label and the name of its container.
        image: Reference by digest.
        args: Arguments of the entry point.
        ports: TCP ports by name; the one named `metrics` is read by Prometheus.
        health: How the cluster asks whether it works.
        resources: What it asks of its machine.
        metrics_path: Path on the port `metrics`.
        environment: Variables as Kubernetes wants them.
        volumes: Volumes as Kubernetes wants them.
        mounts: Where they are in the container.
        tolerates_everything: Whether it also runs on machines that are tainted.
    """

    name: str
    image: str
    args: Sequence[str]
    ports: Mapping[str, int]
    health: Health
    resources: Resources
    metrics_path: str = "/metrics"
    environment: Sequence[Manifest] = ()
    volumes: Sequence[Manifest] = ()
    mounts: Sequence[Manifest] = ()
    tolerates_everything: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Account of a program that reads the cluster: its pod holds a token; `components/cluster_access.py` knows it."""

    account: pulumi.Input[str]


def scrape_annotations(port: int, path: str = "/metrics") -> dict[str, str]:
    """Annotations of pods that serve metrics (contract 17), for our Prometheus and for anybody's."""
    return {SCRAPED: "true", "prometheus.io/port": str(port), "prometheus.io/path": path}


def deployment_manifest(
    metadata: Mapping[str, Any], stack: str, program: Program, reading: Reading | None = None
) -> Manifest:
    """One pod, replaced rather than doubled: two would write to one volume, or tell one alert twice.

    Args:
        metadata: Metadata of the Deployment.
        stack: Name of the stack.
        program: What runs.
        reading: Its account, where it reads the cluster.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": dict(metadata),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_S,
            "strategy": {"type": "Recreate"},
            **_selected(stack, program, reading),
        },
    }


def daemon_set_manifest(metadata: Mapping[str, Any], stack: str, program: Program) -> Manifest:
    """One pod on every machine.

    Args:
        metadata: Metadata of the DaemonSet.
        stack: Name of the stack.
        program: What runs.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": dict(metadata),
        "spec": {
            "revisionHistoryLimit": 1,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            **_selected(stack, program, None),
        },
    }


def service_manifest(namespace: Namespace, program: Program) -> Manifest:
    """Headless Service: a name for the pod, which other programs of the platform and people type.

    Args:
        namespace: Where it lives.
        program: Who answers.
    """
    # The provider waits a fixed 10 s for a Service to settle; what must be ready is the pod behind it.
    annotations = dict(SKIP_AWAIT)
    metadata = namespace.metadata(name=program.name, component=program.name, annotations=annotations)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata | {"name": program.name},
        "spec": {
            "clusterIP": "None",
            "selector": labels.selector(namespace.stack, component=program.name),
            "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in program.ports.items()],
        },
    }


def account_manifest(metadata: Mapping[str, Any]) -> Manifest:
    """Account of one program, so that nobody's rights become its own; only its own pod mounts the token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": dict(metadata),
        "automountServiceAccountToken": False,
    }


def _selected(stack: str, program: Program, reading: Reading | None) -> Manifest:
    found = labels.labels(stack, name=program.name, component=program.name)
    annotations = {}
    if METRICS in program.ports:
        annotations = {"annotations": scrape_annotations(program.ports[METRICS], program.metrics_path)}
    return {
        "selector": {"matchLabels": labels.selector(stack, component=program.name)},
        "template": {"metadata": {"labels": found, **annotations}, "spec": _pod_spec(program, reading)},
    }


def _pod_spec(program: Program, reading: Reading | None) -> Manifest:
    spec: Manifest = {
        "automountServiceAccountToken": reading is not None,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(program)],
    }
    if program.volumes:
        spec["volumes"] = list(program.volumes)
    if program.tolerates_everything:
        spec["tolerations"] = [{"operator": "Exists"}]
    if reading is not None:
        spec["serviceAccountName"] = reading.account
    return spec


def _container(program: Program) -> Manifest:
    rendered: Manifest = {
        "name": program.name,
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(program.args),
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in program.ports.items()],
        "resources": {
            "requests": {
                "cpu": f"{program.resources.cpu_request_millicores}m",
                "memory": f"{program.resources.memory_request_mebibytes}Mi",
            },
            "limits": {"memory": f"{program.resources.memory_limit_mebibytes}Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": _probe(program.health, program.health.alive, period_s=1, failures=STARTUP_LIMIT_S),
        "readinessProbe": _probe(program.health, program.health.ready, period_s=10),
        "livenessProbe": _probe(program.health, program.health.alive, period_s=20),
    }
    if program.environment:
        rendered["env"] = [dict(variable) for variable in program.environment]
    if program.mounts:
        rendered["volumeMounts"] = [dict(mount) for mount in program.mounts]
    return rendered


def _probe(health: Health, path: str, *, period_s: int, failures: int = FAILURES) -> Manifest:
    asked = {"path": path, "port": health.port, "scheme": health.scheme}
    return {"httpGet": asked, "periodSeconds": period_s, "timeoutSeconds": TIMEOUT_S, "failureThreshold": failures}
