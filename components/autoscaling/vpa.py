"""Recommendations for what pods should ask of their machine: the recommender, and one object per pod that it looks at.

Nothing is ever changed by it: the objects have `updateMode: Off`, and neither updater nor admission controller is
deployed. Sources: kubernetes/autoscaler `vertical-pod-autoscaler/deploy/` of v1.4.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import manifest
from components.autoscaling.reading_program import ReadingArgs, ReadingProgram
from components.graph import Resources
from components.namespace import Namespace
from components.program import Health, Program

API = "autoscaling.k8s.io/v1"
GROUP = "autoscaling.k8s.io"
COMPONENT = "vpa-recommender"
IMAGE = "vpa-recommender"
PORT = 8942
LEAST_CPU_MILLICORES = 5
LEAST_MEMORY_MEGABYTES = 32
"""Below it nothing is recommended; upstream's 25 m and 250 MB are above what a small node uses."""
READ: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("namespaces", "nodes", "pods", "events", "replicationcontrollers")),
    ("apps", ("daemonsets", "deployments", "replicasets", "statefulsets")),
    ("apps", ("deployments/scale", "replicasets/scale", "statefulsets/scale")),
    ("batch", ("cronjobs", "jobs")),
    ("metrics.k8s.io", ("pods",)),
    (GROUP, ("verticalpodautoscalers", "verticalpodautoscalercheckpoints")),
)
WRITTEN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("verticalpodautoscalers/status", ("get", "patch")),
    ("verticalpodautoscalercheckpoints", ("create", "patch", "delete")),
)


@dataclass(frozen=True, kw_only=True)
class RecommenderArgs:
    """What the recommender needs.

    Attributes:
        namespace: Where it runs.
        image: Reference by digest.
        resources: What it asks of its machine.
        interval_s: How often it looks at what was used.
        api_server_ports: Ports of the API server.
    """

    namespace: Namespace
    image: str
    resources: Resources
    interval_s: int
    api_server_ports: Sequence[int]


class Recommender(pulumi.ComponentResource):
    """The recommender as a Deployment, with a role that reads pods and writes recommendations."""

    def __init__(self, name: str, args: RecommenderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Recommender", name, None, opts)
        running = ReadingProgram(
            COMPONENT,
            ReadingArgs(
                namespace=args.namespace,
                program=Program(
                    name=COMPONENT,
                    image=args.image,
                    args=arguments(args.interval_s),
                    ports={"http": PORT},
                    health=Health(port="http", ready="/health-check", alive="/health-check"),
                    resources=args.resources,
                ),
                rules=role_rules(),
                api_server_ports=args.api_server_ports,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"deployment": manifest.created_name(running.deployment)})


def arguments(interval_s: int) -> tuple[str, ...]:
    """Arguments of the recommender."""
    return (
        f"--address=:{PORT}",
        f"--recommender-interval={interval_s}s",
        # Only pods that somebody wants a recommendation for.
        "--memory-saver=true",
        f"--pod-recommendation-min-cpu-millicores={LEAST_CPU_MILLICORES}",
        f"--pod-recommendation-min-memory-mb={LEAST_MEMORY_MEGABYTES}",
    )


def role_rules() -> list[manifest.Manifest]:
    """What the recommender may read, and the two things that it writes."""
    read = [
        {"apiGroups": [group], "resources": list(names), "verbs": ["get", "list", "watch"]} for group, names in READ
    ]
    written = [{"apiGroups": [GROUP], "resources": [name], "verbs": list(verbs)} for name, verbs in WRITTEN]
    return [*read, *written]


def vpa_manifest(metadata: Mapping[str, Any], deployment: pulumi.Input[str]) -> manifest.Manifest:
    """Object that asks for recommendations for a Deployment, and for nothing else."""
    return {
        "apiVersion": API,
        "kind": "VerticalPodAutoscaler",
        "metadata": dict(metadata),
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "updatePolicy": {"updateMode": "Off"},
            "resourcePolicy": {"containerPolicies": [{"containerName": "*", "controlledResources": ["cpu", "memory"]}]},
        },
    }
