"""Namespace that a stack owns: the cluster itself enforces Pod Security there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

from components import labels, manifest
from components.labels import NetworkMode

RECORDER_PORT = 8080
WHY_HOST_NETWORK = (
    "network.discovery is host-network: its pods share the network of their machine, which the Pod Security Standards "
    "baseline and restricted both forbid. components/guardrails.py still demands everything else of restricted."
)
WHY_MACHINE_ACCESS = (
    "machineReaders.enabled: its pods read the counters of their machine as root, through read-only mounts of its "
    "folders and in its process space, which the Pod Security Standards baseline and restricted both forbid. "
    "components/guardrails.py lists what they may do, and admits nothing else here."
)

# The provider (4.18) may miss that an object is gone, waits for as long as it may, and only then looks again.
DELETE_LIMIT = "120s"


@dataclass(frozen=True, kw_only=True)
class NamespaceArgs:
    """What a namespace is for.

    `domain_id` is none where no participant lives in it. `machine_access` is for pods that see their machine and for
    nothing else; `why_machine_access` says why they do. `pattern` is none where no application is placed.
    """

    stack: str
    name: str
    network: NetworkMode = "pod"
    domain_id: int | None = None
    machine_access: bool = False
    why_machine_access: str = WHY_MACHINE_ACCESS
    pattern: str | None = None


class Namespace(pulumi.ComponentResource):
    """A stack's namespace. The only object with a name of our choosing, because people type it."""

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Namespace", name, None, opts)
        self.stack = args.stack
        self.name = args.name
        self.pattern = args.pattern
        self.deployments: list[kubernetes.apps.v1.Deployment] = []
        self.network_labels = labels.network(args.network, args.domain_id)
        if args.machine_access:
            self.network_labels |= {labels.MACHINE_ACCESS: "yes"}
        rendered = namespace_manifest(
            args.stack,
            args.name,
            network=args.network,
            machine_access=args.machine_access,
            why_machine_access=args.why_machine_access,
        )
        self.resource = manifest.create(name, rendered, pulumi.ResourceOptions(parent=self))
        self.created_name = manifest.created_name(self.resource)
        self.register_outputs({"name": args.name})

    def metadata(self, *, name: str, component: str, **more: Any) -> dict[str, Any]:
        """Metadata of an object in this namespace; the object waits for the namespace."""
        return {
            "namespace": self.created_name,
            "labels": labels.labels(self.stack, name=name, component=component) | self.network_labels,
            **more,
        }

    def pod_labels(self, *, name: str, component: str) -> labels.Labels:
        """Labels of the pods of one role: those of an object, and the pattern, by which their series are told apart."""
        placed = {} if self.pattern is None else {labels.PATTERN: self.pattern}
        return {**labels.labels(self.stack, name=name, component=component), **placed}

    def deploy(
        self,
        name: str,
        rendered: manifest.Manifest,
        parent: pulumi.Resource,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> pulumi.CustomResource:
        """Register a Deployment in this namespace, whose new pods the stack waits for (`components.rollout`)."""
        deployment = manifest.create(name, rendered, self.options(parent, depends_on=list(depends_on)))
        self.deployments.append(cast("kubernetes.apps.v1.Deployment", deployment))
        return deployment

    def options(
        self, parent: pulumi.Resource, *, depends_on: list[pulumi.Resource] | None = None
    ) -> pulumi.ResourceOptions:
        """Options of a resource in this namespace: deleting the namespace deletes it."""
        limits = pulumi.CustomTimeouts(delete=DELETE_LIMIT)
        return pulumi.ResourceOptions(
            parent=parent, deleted_with=self.resource, depends_on=depends_on, custom_timeouts=limits
        )


def namespace_manifest(
    stack: str,
    name: str,
    *,
    network: NetworkMode = "pod",
    machine_access: bool = False,
    why_machine_access: str = WHY_MACHINE_ACCESS,
) -> manifest.Manifest:
    """Namespace whose pods must pass the Pod Security Standard "restricted".

    Pods on their machine's network and machine readers pass neither restricted nor baseline; their namespace says why,
    and still lets the API server write what is beyond restricted into its audit log.
    """
    levels = {"enforce": "restricted", "audit": "restricted", "warn": "restricted"}
    annotations: dict[str, str] = {}
    if network == "host" or machine_access:
        levels |= {"enforce": "privileged", "warn": "privileged"}
        why = why_machine_access if machine_access else WHY_HOST_NETWORK
        annotations = {labels.WHY_PRIVILEGED: why}
    metadata: manifest.Manifest = {
        "name": name,
        "labels": {
            **labels.labels(stack, name=name, component="namespace"),
            labels.NETWORK: network,
            **({labels.MACHINE_ACCESS: "yes"} if machine_access else dict[str, str]()),
            **{f"pod-security.kubernetes.io/{mode}": level for mode, level in levels.items()},
        },
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
