"""The RuntimeClass by which a pod asks for NVIDIA's container runtime."""

from typing import Any

import pulumi

from components import labels, manifest

COMPONENT = "runtime-class"


class RuntimeClass(pulumi.ComponentResource):
    """One RuntimeClass. It belongs to the whole cluster, and its name is what pods type."""

    def __init__(
        self, name: str, *, stack: str, class_name: str, handler: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ros2bench:components:RuntimeClass", name, None, opts)
        rendered = runtime_class_manifest(stack, class_name, handler)
        self.runtime_class = manifest.create(name, rendered, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"name": class_name})


def runtime_class_manifest(stack: str, class_name: str, handler: str) -> dict[str, Any]:
    """The object.

    Args:
        stack: The stack that owns it.
        class_name: What pods write in `runtimeClassName`.
        handler: Name of the runtime in containerd's configuration.
    """
    found = labels.labels(stack, name=class_name, component=COMPONENT)
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": class_name, "labels": found},
        "handler": handler,
    }
