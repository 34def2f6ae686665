"""Claims of the application. They outlive its pods, so they are there while a stack is parked, too."""

from collections.abc import Iterable, Mapping

import pulumi

from components import manifest
from components.graph import Node
from components.namespace import Namespace
from components.needs import PersistentVolume
from components.refusal import Refusal

COMPONENT = "storage"


class Storage(pulumi.ComponentResource):
    """One PersistentVolumeClaim for each name; nodes that use one name share it."""

    def __init__(
        self,
        name: str,
        wanted: Mapping[str, PersistentVolume],
        namespace: Namespace,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ros2bench:components:Storage", name, None, opts)
        # A parked stack has no pod with which a claim could bind.
        self.claims: dict[str, pulumi.Input[str]] = {
            volume.name: claim(volume, namespace, name=volume.name, component=COMPONENT, parent=self)
            for volume in wanted.values()
        }
        self.register_outputs({"claims": sorted(wanted)})


def claim(
    volume: PersistentVolume, namespace: Namespace, *, name: str, component: str, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Register a claim and give its name in the cluster; nobody waits for it, as it may bind when its first pod starts.

    Args:
        volume: What is claimed.
        namespace: Where.
        name: Logical name, and value of the label.
        component: Value of the label.
        parent: The component that needs it.
    """
    rendered: manifest.Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": namespace.metadata(name=name, component=component, annotations=dict(manifest.SKIP_AWAIT)),
        "spec": claim_spec(volume),
    }
    return manifest.created_name(manifest.create(name, rendered, namespace.options(parent)))


def claim_spec(volume: PersistentVolume) -> manifest.Manifest:
    """Specification of a claim; without a class the cluster's default one is taken."""
    spec: manifest.Manifest = {
        "accessModes": [volume.access_mode],
        "resources": {"requests": {"storage": f"{volume.size_mebibytes}Mi"}},
    }
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    return spec


def wanted_claims(nodes: Iterable[Node]) -> dict[str, PersistentVolume]:
    """Claims that the stack must make, by name; the path at which a node mounts one is its own affair.

    Raises:
        Refusal: Two nodes want one name to be different things.
    """
    found: dict[str, tuple[str, PersistentVolume]] = {}
    for node in nodes:
        for volume in node.needs.persistent_volumes:
            if volume.claim is not None:
                continue
            first, known = found.setdefault(volume.name, (node.name, volume))
            if claim_spec(known) != claim_spec(volume):
                raise Refusal(
                    f"persistent volume {volume.name}: nodes {first} and {node.name} share it by its name, but ask for "
                    "different sizes, classes or modes. Make them equal in ros2bench:spec.application.nodes, or "
                    "choose another name"
                )
    return {name: volume for name, (_, volume) in found.items()}
