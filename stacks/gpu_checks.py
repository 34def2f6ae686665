"""Whether the pods of an application can get the devices that they ask for: plain values in, sentences out; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.gpu import matching, node_affinity, taints
from components.gpu.machines import Machine
from components.gpu.matching import GpuNeed
from components.refusal import Refusal
from stacks import spec_gpu

SECTION = "ros2bench:spec.gpu"
NODES = "ros2bench:spec.application.nodes"
TIME_SLICING = "time-slicing"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Devices of one resource that one kind of pod asks for, and where its pods may go.

    Attributes:
        pod: Name of the pod.
        resource: Name of the resource.
        count: Devices of one pod.
        replicas: Copies of the pod that are there at the start.
        need: What the GPUs have to be.
        most_replicas: Copies that an autoscaler may make of it.
        selector: Labels that the machine must have.
        tolerations: Taints that the pod accepts, in the words of Kubernetes.
        affinity: What the pod says of machines itself, in the words of Kubernetes.
    """

    pod: str
    resource: str
    count: int
    replicas: int
    need: GpuNeed
    most_replicas: int = 0
    selector: Mapping[str, str] = field(default_factory=dict[str, str])
    tolerations: Sequence[Mapping[str, Any]] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def total(self) -> int:
        """Devices of all copies that are there at the start."""
        return self.count * self.replicas

    @property
    def most(self) -> int:
        """Devices of all copies that there may ever be."""
        return self.count * max(self.replicas, self.most_replicas)

    def shut_out(self, machine: Machine) -> str | None:
        """Why its pods may not go to a machine, whatever that has; none if they may."""
        reason = taints.shut_out(machine, self.selector, self.tolerations)
        if reason is None and not node_affinity.demands(machine, self.affinity):
            return "is none of those that affinity.nodeAffinity demands"
        return reason

    def fits(self, machine: Machine) -> bool:
        """Whether its pods may go to a machine whose GPUs are what they have to be."""
        return self.shut_out(machine) is None and self.need.unmet(machine.labels) is None


def check_runtime_classes(wanted: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse a RuntimeClass that does not exist: everything else would start, and the API server refuse the pod.

    Args:
        wanted: RuntimeClasses by the key that asks for each.
        known: Those of the cluster.

    Raises:
        Refusal: One does not exist.
    """
    there = sorted(known)
    for key, name in wanted.items():
        if name not in there:
            raise Refusal(
                f"{key}: is {name}, a RuntimeClass that the cluster does not have, so its pod would be refused. "
                f"RuntimeClasses: {', '.join(there) or 'none'}. Set {SECTION}.runtimeClass: {{enabled: true, name: "
                f"{name}}} in the platform's stack file and deploy it first (pulumi up -s platform), or leave the key "
                "out where NVIDIA's runtime is the machines' default"
            )


def check_quota(wanted: Sequence[Demand], quota: Mapping[str, int]) -> None:
    """Refuse what the stack's own quota would let wait for ever.

    Raises:
        Refusal: The pods ask for more than the quota.
    """
    for resource, most in quota.items():
        asking = [each for each in wanted if each.resource == resource]
        total = sum(each.total for each in asking)
        if total > most:
            raise Refusal(
                f"{SECTION}.quota.{resource}: is {most}, but the application's pods ask for {total} "
                f"({_listed(asking)}), so some would never be made. Set it to {total}, or ask for less in "
                f"{NODES}.NODE.gpu"
            )


def quota_growth(wanted: Sequence[Demand], quota: Mapping[str, int]) -> tuple[str, ...]:
    """Warnings about copies that an autoscaler would want and the stack's own quota refuse."""
    return tuple(
        f"{SECTION}.quota.{resource}: is {quota[resource]}, but with as many copies as their autoscaling allows the "
        f"application's pods ask for {most} ({_listed(asking, most=True)}), so the last copies would never be made. "
        f"Set it to {most}, or lower {NODES}.NODE.autoscaling.maxReplicas"
        for resource, asking, most in _growing(wanted)
        if most > quota.get(resource, most)
    )


def machine_growth(wanted: Sequence[Demand], found: Sequence[Machine]) -> tuple[str, ...]:
    """Warnings about copies that an autoscaler would want and no machine could take."""
    sentences: list[str] = []
    for resource, asking, most in _growing(wanted):
        fitting, there = _together(asking, found)
        # Where nothing is offered yet, that is said already.
        if 0 < there < most:
            sentences.append(
                f"{NODES}: with as many copies as their autoscaling allows the pods ask for {most} {resource} "
                f"({_listed(asking, most=True)}), and all machines that would do have {there} together "
                f"({_offers(fitting, resource)}), so the last copies would wait. Lower "
                f"{NODES}.NODE.autoscaling.maxReplicas, or share: {SECTION}.devicePlugin.sharing.replicas of the "
                "platform"
            )
    return tuple(sentences)


def _growing(wanted: Sequence[Demand]) -> Iterable[tuple[str, list[Demand], int]]:
    """Resources of which the pods may ask for more than at the start: name, who asks, and the most."""
    for resource in sorted({each.resource for each in wanted}):
        asking = [each for each in wanted if each.resource == resource]
        most = sum(each.most for each in asking)
        if most > sum(each.total for each in asking):
            yield resource, asking, most


def _together(asking: Sequence[Demand], found: Sequence[Machine]) -> tuple[list[Machine], int]:
    """Machines that would do for one of those who ask for a resource, and how many devices they have together."""
    fitting = [machine for machine in found if any(each.fits(machine) for each in asking)]
    return fitting, sum(each.devices.get(asking[0].resource, 0) for each in fitting)


def check_machines(wanted: Sequence[Demand], found: Sequence[Machine]) -> tuple[str, ...]:
    """Warnings about pods that will have to wait.

    Raises:
        Refusal: No machine has or could have what a pod asks for.
    """
    warnings = tuple(sentence for each in wanted if (sentence := _check_pod(each, found)))
    for resource in sorted({each.resource for each in wanted}):
        asking = [each for each in wanted if each.resource == resource]
        total = sum(each.total for each in asking)
        fitting, there = _together(asking, found)
        if not warnings and total > there:
            raise Refusal(
                f"{NODES}: the pods ask for {total} {resource} ({_listed(asking)}), and all "
                f"machines that would do have {there} together ({_offers(fitting, resource)}), so some would wait for "
                f"ever. Ask for less, or share: {SECTION}.devicePlugin.sharing.replicas of the platform"
            )
    return warnings


def _check_pod(wanted: Demand, found: Sequence[Machine]) -> str | None:
    """Why a pod will have to wait; none if a machine can take it when nobody else holds its devices."""
    shut = {each.name: reason for each in found if (reason := wanted.shut_out(each))}
    possible = [each for each in found if each.name not in shut]
    offering = [each for each in possible if each.devices.get(wanted.resource)]
    where = f"pod {wanted.pod} asks for {wanted.count} {wanted.resource}"
    if not offering:
        could = [each.name for each in possible if _has_gpu(each, wanted) and wanted.need.unmet(each.labels) is None]
        if could:
            return (
                f"{where}, which no machine offers yet. {', '.join(could)} would by label: the pod waits until a "
                f"device plugin runs there ({SECTION}.devicePlugin.enabled of the platform)"
            )
        barred = [each.name for each in found if each.name in shut and _promises(each, wanted)]
        if barred:
            why = "; ".join(f"{name} {shut[name]}" for name in barred)
            raise Refusal(
                f"{where}, and may go to no machine that has it: {why}. Change {NODES}.NODE.tolerations, "
                ".nodeSelector or .affinity of its nodes, ros2bench:spec.placement.nodeSelector, or the machine"
            )
        names = ", ".join(sorted(each.name for each in found)) or "none"
        raise Refusal(
            f"{where}, which no machine of the cluster offers, and none has a GPU by its labels, so it would wait for "
            f"ever. Machines: {names}. Let a device plugin offer it ({SECTION}.devicePlugin of the platform; "
            f"docs/jetson.md), or take gpu out of {NODES}"
        )
    unmet = {each.name: wanted.need.unmet(each.labels) for each in offering}
    fitting = [each for each in offering if unmet[each.name] is None]
    if not fitting:
        why = "; ".join(f"{name} {reason}" for name, reason in unmet.items())
        raise Refusal(
            f"{where} of {wanted.need}, which no machine has by its labels: {why}. GPU Feature Discovery sets them; by "
            "hand: kubectl label node MACHINE LABEL=VALUE; or ask for less in "
            f"{NODES}.NODE.gpu"
        )
    if wanted.count > max(each.devices[wanted.resource] for each in fitting):
        raise Refusal(
            f"{where} of one machine, and none has as many: {_offers(fitting, wanted.resource)}. Ask for less, or "
            "place the nodes apart (pattern: microservices)"
        )
    if wanted.count > 1 and all(each.labels.get(matching.SHARING_LABEL) == TIME_SLICING for each in fitting):
        raise Refusal(
            f"{where}, but they are slices of time ({matching.SHARING_LABEL}={TIME_SLICING}), of which a pod gets one: "
            "two are not faster. Set gpu.count to 1, or place the nodes apart (pattern: microservices)"
        )
    return None


def _promises(machine: Machine, wanted: Demand) -> bool:
    return bool(machine.devices.get(wanted.resource)) or _has_gpu(machine, wanted)


def _has_gpu(machine: Machine, wanted: Demand) -> bool:
    of_nvidia = wanted.resource in (matching.NVIDIA, f"{matching.NVIDIA}.shared")
    return of_nvidia and matching.has_labels(machine.labels, spec_gpu.MACHINES)


def _offers(found: Sequence[Machine], resource: str) -> str:
    return ", ".join(f"{each.name} {each.devices.get(resource, 0)}" for each in found) or "none"


def _listed(wanted: Sequence[Demand], *, most: bool = False) -> str:
    return ", ".join(f"{each.pod} {each.most if most else each.total}" for each in wanted)
