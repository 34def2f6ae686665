"""Which machines a pod may go to, by their taints and labels, and which taints a pod with devices accepts; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from components.gpu.machines import Machine, Taint
from components.gpu.matching import NVIDIA
from components.needs import Needs, Toleration

CORDON = "node.kubernetes.io/unschedulable"
BARRING = ("NoSchedule", "NoExecute")
PASSING = frozenset(
    f"node.kubernetes.io/{state}"
    for state in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
)
"""Taints that the cluster sets and takes away again by itself: a pod waits for that, but not for ever."""


def accepted(needs: Needs) -> tuple[Toleration, ...]:
    """Taints that a pod accepts: those that it names, and those that keep others away from its devices."""
    keys = [key for resource in needs.gpus for key in _keys(resource)]
    of_devices = (Toleration(key=key, operator="Exists", effect="NoSchedule") for key in keys)
    return tuple(dict.fromkeys((*needs.tolerations, *of_devices)))


def _keys(resource: str) -> Iterable[str]:
    """Keys of the taints of machines with a device: its name; NVIDIA's machines have one key, whatever they offer."""
    vendor, _, _ = NVIDIA.partition("/")
    return (resource, NVIDIA) if resource.startswith(f"{vendor}/") else (resource,)


def shut_out(machine: Machine, selector: Mapping[str, str], tolerations: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a pod may not go to a machine; none if it may.

    Args:
        machine: The machine.
        selector: `nodeSelector` of the pod.
        tolerations: Its tolerations, in the words of Kubernetes.
    """
    cordon = Taint(key=CORDON, effect="NoSchedule")
    if machine.unschedulable and not _tolerated(cordon, tolerations):
        return f"is cordoned (kubectl uncordon {machine.name})"
    for taint in machine.taints:
        bars = taint.effect in BARRING and taint.key not in PASSING | {CORDON}
        if bars and not _tolerated(taint, tolerations):
            return f"has the taint {taint}, which the pod does not tolerate"
    for key, value in selector.items():
        if machine.labels.get(key) != value:
            return f"has no label {key}={value}, which nodeSelector asks for"
    return None


def _tolerated(taint: Taint, tolerations: Sequence[Mapping[str, Any]]) -> bool:
    return any(tolerates(each, taint) for each in tolerations)


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Whether one toleration, in the words of Kubernetes, accepts a taint."""
    if toleration.get("effect") not in (None, "", taint.effect):
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    return toleration["key"] == taint.key and (exists or (toleration.get("value") or "") == taint.value)
