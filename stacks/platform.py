"""Program of the platform: what all experiments of a cluster share. For now that is its namespace."""

import pulumi

from components.cluster import Cluster
from components.namespace import Namespace, NamespaceArgs
from stacks.outputs import Records, StackOutputs
from stacks.spec import StackSpec


def namespace_name(stack: str, *, shared: bool = False) -> str:
    """Name of the namespace that a stack owns; `shared` for the platform part of a dev stack."""
    return f"ros2bench-{stack}-platform" if shared else f"ros2bench-{stack}"


def deploy(stack: str, name: str, cluster: Cluster) -> Namespace:
    """Register the platform's resources.

    Args:
        stack: The stack that owns them.
        name: The platform's namespace.
        cluster: Where.
    """
    return Namespace(
        "platform", NamespaceArgs(stack=stack, name=name), pulumi.ResourceOptions(provider=cluster.provider)
    )


def outputs(stack: str, spec: StackSpec, *, cluster_uid: str) -> StackOutputs:
    """The contract of a platform stack: where it is, and nothing to measure."""
    return StackOutputs(
        contract=1,
        kind="platform",
        stack=stack,
        cluster_uid=cluster_uid,
        namespace=namespace_name(stack),
        pattern=None,
        state=None,
        application=None,
        recorder=None,
        network=None,
        records=Records(**spec.records.model_dump()),
        registry=None,
        platform=None,
        spec=spec.model_dump(by_alias=True),
    )
