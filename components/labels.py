"""Labels and annotations by which people, policies and probes find what a stack created, and why it is as it is."""

from typing import Literal

PART_OF = "ros2bench"
STACK = "ros2bench/stack"
COMPONENT = "app.kubernetes.io/component"
PATTERN = "ros2bench/pattern"
"""Label of the pods of an experiment: how its nodes are placed."""
NETWORK = "ros2bench/network"
DOMAIN = "ros2bench/domain-id"

MACHINE_READER = "machine-reader"
"""Component of the pods that read their machine's counters."""
DEVICE_PLUGIN = "nvidia-device-plugin"
"""Component of the pods that tell the kubelet which GPUs its machine has."""
LOG_SHIPPER = "promtail"
"""Component of the pods that bring the lines of pods from their machine to whoever keeps them."""
MACHINE_ACCESS = "ros2bench/machine-access"
"""Label of a namespace of pods that see their machine, and of nothing else: `yes`."""

SCRAPER = "ros2bench/scraper"
"""Label that somebody else's namespace is given, so that its Prometheus may read metrics of ours: `yes`."""

WHY_PRIVILEGED = "ros2bench/why-privileged"
"""Annotation of a namespace that cannot enforce the restricted Pod Security Standard: the reason."""
ASKED_BY = "ros2bench/asked-by"
"""Annotation of an object that opens a pod to others: the keys of the stack file that ask for it."""

Labels = dict[str, str]
NetworkMode = Literal["pod", "host"]


def common(stack: str) -> Labels:
    """Labels of every object of a stack, its namespace included."""
    return {
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
        "app.kubernetes.io/instance": stack,
        STACK: stack,
    }


def labels(stack: str, *, name: str, component: str) -> Labels:
    """Labels of one object.

    Args:
        stack: Name of the stack.
        name: What it is, for example the pod's name in the placement.
        component: Its role: application, recorder, discovery, master, machine-reader, network or namespace.
    """
    return {**common(stack), "app.kubernetes.io/name": name, COMPONENT: component}


def network(mode: NetworkMode, domain_id: int | None) -> Labels:
    """Labels by which the guardrails know the network of an object without its stack file.

    Args:
        mode: `host` where the pods share their machine's network.
        domain_id: ROS domain, whose ports no Service may translate; none where nothing is in a domain.
    """
    return {NETWORK: mode} | ({} if domain_id is None else {DOMAIN: str(domain_id)})


def selector(stack: str, *, component: str, name: str | None = None) -> Labels:
    """Labels that select the pods of one role, or of one name in it; never changed after creation."""
    by_role = {STACK: stack, COMPONENT: component}
    return by_role if name is None else {**by_role, "app.kubernetes.io/name": name}
