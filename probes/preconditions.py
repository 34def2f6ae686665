"""What must hold before a run touches anything: small functions, each of which returns findings.

A blocking finding ends the command before the first change; a warning is shown and recorded.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from probes.cluster import Machine, Permission
from probes.errors import StoreUnavailable, TargetError
from probes.spool import LEAST_FREE_BYTES
from stacks.outputs import Application, Network, StackOutputs

STACK_LABEL = "ros2bench/stack"
BUSY_RATIO = 0.7
RECEIVE_LIMIT_FILE = Path("/proc/sys/net/core/rmem_max")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    check: str
    severity: Literal["warning", "blocking"]
    message: str
    next_step: str = ""

    def as_record(self) -> dict[str, object]:
        """Give the entry of the manifest."""
        return asdict(self)


def refuse_blocking(findings: Sequence[Finding]) -> None:
    """Raise the blocking findings as one error."""
    blocking = [finding for finding in findings if finding.severity == "blocking"]
    if blocking:
        raise TargetError(
            "\n".join(f"{finding.check}: {finding.message}" for finding in blocking),
            next_step="; ".join(dict.fromkeys(item.next_step for item in blocking if item.next_step)),
            reason=blocking[0].check,
        )


def cluster_is_the_stacks(outputs: StackOutputs, uid: str, context: str) -> list[Finding]:
    """The kubeconfig must lead to the cluster that the stack was deployed to."""
    if uid == outputs.cluster_uid:
        return []
    return [
        Finding(
            "wrong_cluster",
            "blocking",
            f"stack {outputs.stack} is deployed to the cluster {outputs.cluster_uid} (UID of kube-system), but the "
            f"kubeconfig context {context!r} leads to {uid}.",
            "kubectl config get-contexts, then kubectl config use-context NAME (or correct KUBECONFIG)",
        )
    ]


def permissions_granted(refused: Sequence[Permission]) -> list[Finding]:
    """The kubeconfig's user must be allowed to do what the runner does."""
    return [
        Finding(
            "permission_missing",
            "blocking",
            f"your kubeconfig may not {permission}.",
            "ask for that permission, or use another context",
        )
        for permission in refused
    ]


def permissions_needed(outputs: StackOutputs) -> tuple[Permission, ...]:
    """List what the runner does in the namespace of a stack."""
    own = outputs.namespace
    return (
        Permission("list", "nodes"),
        Permission("list", "pods"),
        Permission("list", "pods", namespace=own),
        Permission("watch", "pods", namespace=own),
        Permission("list", "events", namespace=own),
        Permission("create", "pods", "portforward", namespace=own),
    )


def volume_permissions(namespace: str) -> tuple[Permission, ...]:
    """List what the runner does to make the volumes of an application anew."""
    return tuple(Permission(verb, "persistentvolumeclaims", namespace=namespace) for verb in ("list", "delete"))


def reader_permissions(namespace: str) -> tuple[Permission, ...]:
    """List what the runner does in the namespace of machine readers."""
    return (
        Permission("list", "pods", namespace=namespace),
        Permission("create", "pods", "portforward", namespace=namespace),
    )


def role_labels(application: Application, stack: str) -> dict[str, str]:
    """Give the labels that every experiment's application pods carry: those that do not name this stack."""
    return {key: value for key, value in application.labels.items() if value != stack}


def no_other_experiment(pods: Sequence[Mapping[str, Any]], measured: Sequence[str]) -> list[Finding]:
    """Exactly one experiment may run while one is measured; the campaign's own stacks are parked by it."""
    running = sorted(
        {
            pod["metadata"]["labels"][STACK_LABEL]
            for pod in pods
            if pod["metadata"].get("labels", {}).get(STACK_LABEL) not in {None, *measured}
        }
    )
    return [
        Finding(
            "other_experiment",
            "blocking",
            f"the application of stack {stack} runs too and would be measured with this one.",
            f"ROS2BENCH_STATE=parked pulumi up -s {stack}",
        )
        for stack in running
    ]


def no_leftovers(pods: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Pods that are still ending take time from what is measured."""
    ending = sorted(pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"])
    if not ending:
        return []
    return [Finding("leftovers", "warning", f"pods of an earlier run are still ending: {', '.join(ending)}.")]


def little_stray_load(load: float, cpus: int | None = None) -> list[Finding]:
    """Work of others on the runner's machine is noise; in a lab it is the same machine."""
    cores = cpus or os.cpu_count() or 1
    if load <= BUSY_RATIO * cores:
        return []
    return [Finding("stray_load", "warning", f"load average {load:.1f} on {cores} cores: other work disturbs the run.")]


def space_for_the_run(free_bytes: int, root: Path) -> list[Finding]:
    """The spool must hold the run."""
    if free_bytes >= LEAST_FREE_BYTES:
        return []
    return [
        Finding(
            "spool_space",
            "blocking",
            f"the disk of {root} has {free_bytes / 1e6:.0f} MB free; a run needs {LEAST_FREE_BYTES / 1e6:.0f} MB.",
            "free space, or set XDG_DATA_HOME to a folder on another disk",
        )
    ]


def store_answers(problem: StoreUnavailable | None) -> list[Finding]:
    """Without the store the run is kept on this machine only."""
    if problem is None:
        return []
    message = f"{problem.message} The run will be kept on this machine until it can be uploaded."
    return [Finding(problem.reason, "warning", message, problem.next_step)]


def socket_buffers_allowed(wanted_bytes: int, machines: Sequence[Machine], own_boot_id: str) -> list[Finding]:
    """Large frames need large socket buffers, which the kernel limits.

    The limit can be read here only for machines that share this kernel; others are named as unchecked.
    """
    shared = [machine for machine in machines if machine.boot_id == own_boot_id]
    findings: list[Finding] = []
    if shared and RECEIVE_LIMIT_FILE.exists():
        limit = int(RECEIVE_LIMIT_FILE.read_text(encoding="ascii"))
        if limit < wanted_bytes:
            findings.append(
                Finding(
                    "socket_limit",
                    "warning",
                    f"the transport asks for socket buffers of {wanted_bytes} B, but net.core.rmem_max is {limit} B: "
                    "large best-effort frames will be lost.",
                    f"sysctl -w net.core.rmem_max={wanted_bytes} net.core.wmem_max={wanted_bytes}",
                )
            )
    unchecked = sorted(machine.name for machine in machines if machine not in shared)
    if unchecked:
        findings.append(
            Finding(
                "socket_limit",
                "warning",
                f"net.core.rmem_max of {', '.join(unchecked)} cannot be read from here; it should be at least "
                f"{wanted_bytes} B.",
            )
        )
    return findings


def network_carries(network: Network, machines: int) -> list[Finding]:
    """What a way of meeting takes for granted and nobody here can see; said before, so that silence is no riddle.

    Args:
        network: The stack's network.
        machines: How many machines the cluster has.
    """
    if network.mode == "host":
        return [
            Finding(
                "host_network",
                "warning",
                "the pods are on their machines' network: no NetworkPolicy binds them, and everybody in domain "
                f"{network.domain_id} on that network is heard and measured too.",
                "choose a domain that nobody else uses: ros2bench:spec.network.domainId",
            )
        ]
    if network.discovery == "multicast" and machines > 1:
        return [
            Finding(
                "multicast",
                "warning",
                f"participants meet by multicast, which most pod networks do not carry between their {machines} "
                "machines.",
                "if nothing is heard: ros2bench:spec.network.discovery: server",
            )
        ]
    return []


def application_runs(outputs: StackOutputs, ready: int, expected: int) -> list[Finding]:
    """Without a cycle the application must be there already."""
    if ready >= expected:
        return []
    return [
        Finding(
            "application_not_running",
            "blocking",
            f"{ready} of {expected} application pods of stack {outputs.stack} are Ready in namespace "
            f"{outputs.namespace}.",
            f"pulumi up -s {outputs.stack}, or measure its start too: python -m probes.run -s {outputs.stack} "
            "--cycles install",
        )
    ]


def images_exist(absent: Sequence[str]) -> list[Finding]:
    """An image that the registry does not have cannot be deployed."""
    return [
        Finding(
            "image_not_in_registry",
            "blocking",
            f"the registry has no image {reference}.",
            "build and push the images again, then pulumi up",
        )
        for reference in absent
    ]
