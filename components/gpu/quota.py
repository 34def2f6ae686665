"""How many devices the pods of an experiment may hold together: a ResourceQuota of its namespace."""

from collections.abc import Mapping

import pulumi

from components import manifest
from components.namespace import Namespace

COMPONENT = "quota"


class DeviceQuota(pulumi.ComponentResource):
    """ResourceQuota on devices; the API server refuses the pod that would exceed it."""

    def __init__(
        self, name: str, limits: Mapping[str, int], namespace: Namespace, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ros2bench:components:DeviceQuota", name, None, opts)
        rendered: manifest.Manifest = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": namespace.metadata(name="devices", component=COMPONENT),
            "spec": {"hard": hard(limits)},
        }
        self.quota = manifest.create(name, rendered, namespace.options(self))
        self.register_outputs({"quota": manifest.created_name(self.quota)})


def hard(limits: Mapping[str, int]) -> dict[str, str]:
    """Limits in the words of Kubernetes, which knows a quota of requests for devices and no other."""
    return {f"requests.{resource}": str(count) for resource, count in sorted(limits.items())}
