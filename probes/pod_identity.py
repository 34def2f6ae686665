"""Pure: who a pod is, from its object in the API."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from probes.evidence import ContainerIdentity, PodIdentity
from probes.quantity import parse_quantity

NAME_LABEL = "app.kubernetes.io/name"


def pod_identities(pods: Sequence[Mapping[str, Any]]) -> tuple[PodIdentity, ...]:
    """Read the identities of pods that are not being deleted; copies of one pod are numbered by their names."""
    alive = sorted(
        (pod for pod in pods if "deletionTimestamp" not in pod["metadata"]), key=lambda pod: pod["metadata"]["name"]
    )
    counts, seen = Counter(map(_placed_as, alive)), Counter[str]()
    found: list[PodIdentity] = []
    for pod in alive:
        placed = _placed_as(pod)
        seen[placed] += 1
        found.append(_identity(pod, placed if counts[placed] == 1 else f"{placed}-{seen[placed]}"))
    return tuple(found)


def _placed_as(pod: Mapping[str, Any]) -> str:
    return pod["metadata"].get("labels", {}).get(NAME_LABEL) or pod["metadata"]["name"]


def _identity(pod: Mapping[str, Any], label: str) -> PodIdentity:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    limits = {item.get("name", ""): item.get("resources", {}).get("limits", {}) for item in spec.get("containers", [])}
    return PodIdentity(
        name=pod["metadata"]["name"],
        uid=pod["metadata"]["uid"],
        machine=spec.get("nodeName", ""),
        label=label,
        containers=tuple(
            _container(item, limits.get(item.get("name", ""), {})) for item in status.get("containerStatuses", [])
        ),
        init_containers=len(spec.get("initContainers", [])),
        has_startup_probe=any(item.get("startupProbe") for item in spec.get("containers", [])),
    )


def _container(status: Mapping[str, Any], limits: Mapping[str, Any]) -> ContainerIdentity:
    return ContainerIdentity(
        status.get("name", ""),
        (status.get("containerID") or "").partition("://")[2],
        parse_quantity(limits["cpu"]) if "cpu" in limits else None,
        parse_quantity(limits["memory"]) if "memory" in limits else None,
    )
