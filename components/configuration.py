"""Immutable ConfigMap under /etc/ros2bench: a change makes a new one, so that the pods roll with it."""

from collections.abc import Mapping

import pulumi

from components import manifest
from components.namespace import Namespace


def configuration(
    name: str, files: Mapping[str, str], *, namespace: Namespace, component: str, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Create the ConfigMap of one kind of pod.

    Args:
        name: Name of the pod that reads it.
        files: Text by file name.
        namespace: Where it lives.
        component: Role of the pod.
        parent: Component that owns it.

    Returns:
        The ConfigMap's name in the cluster.
    """
    rendered = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": namespace.metadata(name=name, component=component),
        "immutable": True,
        "data": dict(files),
    }
    return manifest.created_name(manifest.create(name, rendered, namespace.options(parent)))
