"""kube-state-metrics: what the API server says of pods, machines and workloads, as series.

Limited twice: to the kinds of objects and to the series that queries use; Prometheus keeps those of our namespaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import labels, manifest, policies
from components.autoscaling.reading_program import ReadingArgs, ReadingProgram
from components.graph import Resources
from components.namespace import Namespace
from components.program import METRICS, Health, Program

COMPONENT = "kube-state-metrics"
IMAGE = "kube-state-metrics"
PORT = 8080
OWN_PORT = 8081
RESOURCES = Resources(cpu_request_millicores=10, memory_request_mebibytes=48, memory_limit_mebibytes=256)
KINDS: dict[str, tuple[str, ...]] = {
    "": ("namespaces", "nodes", "persistentvolumeclaims", "pods", "resourcequotas"),
    "apps": ("daemonsets", "deployments", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
}
"""Resources that it watches, by API group; its role gives these and no others."""
SERIES = (
    "kube_cronjob_.+",
    "kube_daemonset_status_.+",
    "kube_deployment_(created|deletion_timestamp|labels|spec_replicas|status_.+)",
    "kube_horizontalpodautoscaler_.+",
    "kube_job_(complete|failed|owner|status_.+)",
    "kube_namespace_(labels|status_phase)",
    "kube_node_(info|labels|status_.+)",
    "kube_persistentvolumeclaim_.+",
    "kube_pod_(created|deletion_timestamp|info|labels|owner|start_time|status_.+)",
    "kube_pod_container_(info|resource_.+|state_started|status_.+)",
    "kube_pod_init_container_status_.+",
    "kube_resourcequota",
    "kube_statefulset_(replicas|status_.+)",
)
"""Series that it gives, as patterns of whole names."""
POD_LABELS = (labels.STACK, labels.PATTERN, "app.kubernetes.io/name", labels.COMPONENT)
"""Labels of pods that become labels of `kube_pod_labels`."""
DEPLOYMENT_LABELS = (labels.COMPONENT,)
"""Labels of Deployments that become labels of `kube_deployment_labels`: what the application's are told by."""


@dataclass(frozen=True, kw_only=True)
class KubeStateMetricsArgs:
    """Where it runs. `api_server_ports` are the ports of the API server, whose address no policy can name."""

    namespace: Namespace
    image: str
    api_server_ports: Sequence[int]


class KubeStateMetrics(pulumi.ComponentResource):
    """One pod of it, with an account that may list what it shows."""

    def __init__(self, name: str, args: KubeStateMetricsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:KubeStateMetrics", name, None, opts)
        namespace = args.namespace
        scraped = policies.scraped(labels.selector(namespace.stack, component=COMPONENT), [PORT])
        made = policies.create({f"allow-{COMPONENT}-metrics": scraped}, namespace, self)
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=namespace,
                program=program(args.image),
                rules=role_rules(),
                api_server_ports=args.api_server_ports,
                depends_on=made,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"deployment": manifest.created_name(running.deployment)})


def role_rules() -> list[manifest.Manifest]:
    """What it may ask the API server."""
    return [
        {"apiGroups": [group], "resources": list(kinds), "verbs": ["list", "watch"]} for group, kinds in KINDS.items()
    ]


def program(image: str) -> Program:
    """kube-state-metrics as a program."""
    return Program(
        name=COMPONENT,
        image=image,
        args=(
            f"--port={PORT}",
            f"--telemetry-port={OWN_PORT}",
            f"--resources={','.join(sorted(kind for kinds in KINDS.values() for kind in kinds))}",
            f"--metric-allowlist={','.join(f'^{pattern}$' for pattern in SERIES)}",
            f"--metric-labels-allowlist=pods=[{','.join(POD_LABELS)}],deployments=[{','.join(DEPLOYMENT_LABELS)}]",
        ),
        ports={METRICS: PORT, "telemetry": OWN_PORT},
        health=Health(port=METRICS, ready="/healthz", alive="/livez"),
        resources=RESOURCES,
    )
