"""The Secret of a stack: values of its encrypted configuration that nodes read as environment variables."""

from collections.abc import Mapping

import pulumi

from components import manifest
from components.namespace import Namespace

NAME = "secrets"
COMPONENT = "secrets"


class Secrets(pulumi.ComponentResource):
    """One immutable Secret: a changed value makes a new one, so that the pods that read it start again."""

    def __init__(
        self,
        name: str,
        values: Mapping[str, pulumi.Input[str]],
        namespace: Namespace,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("ros2bench:components:Secrets", name, None, opts)
        rendered: manifest.Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": namespace.metadata(name=NAME, component=COMPONENT),
            "immutable": True,
            "stringData": {key: pulumi.Output.secret(value) for key, value in values.items()},
        }
        self.created_name = manifest.created_name(manifest.create(NAME, rendered, namespace.options(self)))
        self.register_outputs({"keys": sorted(values)})
