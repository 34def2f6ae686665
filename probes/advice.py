"""What pods ask of their machines, what they use, and what the recommender says that they should ask for. Values.

The recommendation is that of the Vertical Pod Autoscaler: quantiles of what was used in the last days, with a margin
(kubernetes/autoscaler, `vertical-pod-autoscaler/docs/components.md`). Nothing here is a measurement of a run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from probes.errors import ProbeError
from probes.quantity import parse_quantity
from probes.world import Cluster
from stacks.outputs import StackOutputs

NAME = "app.kubernetes.io/name"
UNITS: Mapping[str, str] = {"cpu": "1", "memory": "B"}
NONE_YET = "no_recommendation_yet"
NO_OBJECT = "no_recommender_object"
Usage = Mapping[tuple[str, str, str], float]
"""Largest use among the copies, by name of the pod in the placement, container and resource; cores and bytes."""


@dataclass(frozen=True)
class Advice:
    """One resource of one container.

    Args:
        pod: Name of the pod in the placement.
        container: Name of the container.
        resource: cpu or memory.
        unit: 1 (cores) or B.
        asked: What the container asks for; None for nothing.
        used: What the busiest copy uses now; None where nobody was asked.
        lower: Less than this is too little.
        target: What is recommended.
        upper: More than this is wasted.
        missing: Why nothing is recommended; None where something is.
    """

    pod: str
    container: str
    resource: str
    unit: str
    asked: float | None
    used: float | None
    lower: float | None = None
    target: float | None = None
    upper: float | None = None
    missing: str | None = None


def is_asked_for(outputs: StackOutputs) -> bool:
    """Tell whether the stack asks for recommendations."""
    return bool(outputs.spec.get("autoscaling", {}).get("recommendations", False))


def advised(
    pods: Iterable[Mapping[str, Any]], scalers: Sequence[Mapping[str, Any]], usage: Usage | None = None
) -> tuple[Advice, ...]:
    """Put together what is asked, used and recommended, pod by pod.

    Args:
        pods: Pods of the application, as the API server gives them; of copies the first counts.
        scalers: VerticalPodAutoscaler objects of the namespace.
        usage: What is used, where somebody was asked.
    """
    recommended = {_name(each): each.get("status", {}).get("recommendation") for each in scalers}
    first: dict[str, Mapping[str, Any]] = {}
    for pod in pods:
        first.setdefault(_name(pod), pod)
    return tuple(
        _advice(name, container, resource, recommended, usage or {})
        for name, pod in sorted(first.items())
        for container in pod["spec"]["containers"]
        for resource in UNITS
    )


def usage_of(pod_metrics: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], float]:
    """Read PodMetrics of `metrics.k8s.io`."""
    found: dict[tuple[str, str, str], float] = {}
    for pod in pod_metrics:
        for container in pod.get("containers", []):
            for resource, text in container.get("usage", {}).items():
                value, key = parse_quantity(text), (_name(pod), str(container["name"]), str(resource))
                if value is not None:
                    found[key] = max(found.get(key, 0.0), value)
    return found


async def recorded(cluster: Cluster, outputs: StackOutputs) -> Mapping[str, Any] | None:
    """Ask for recommendations after a window, for the record; None where the stack asks for none.

    A recommender that is gone costs a run nothing but its advice.
    """
    if not is_asked_for(outputs) or outputs.application is None:
        return None
    try:
        pods = await cluster.pods(outputs.namespace, outputs.application.labels)
        found = advised(pods, await cluster.recommendations(outputs.namespace))
    except ProbeError as error:
        return {"containers": [], "missing": error.reason}
    return {"containers": [asdict(each) for each in found], "missing": None}


def _advice(
    pod: str,
    container: Mapping[str, Any],
    resource: str,
    recommended: Mapping[str, Mapping[str, Any] | None],
    usage: Usage,
) -> Advice:
    name = str(container["name"])
    asked = parse_quantity(container.get("resources", {}).get("requests", {}).get(resource))
    said = recommended.get(pod) or {}
    lines = [line for line in said.get("containerRecommendations", []) if line.get("containerName") == name]
    bounds = [parse_quantity(lines[0].get(key, {}).get(resource)) for key in BOUNDS] if lines else [None, None, None]
    lower, target, upper = bounds
    missing = None if target is not None else (NONE_YET if pod in recommended else NO_OBJECT)
    used = usage.get((pod, name, resource))
    return Advice(pod, name, resource, UNITS[resource], asked, used, lower, target, upper, missing)


BOUNDS = ("lowerBound", "target", "upperBound")


def _name(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    return str((metadata.get("labels") or {}).get(NAME, metadata.get("name", "")))
