"""Static peers: a name for every pod of an experiment, by which the others find it where nothing is multicast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import labels, manifest
from components.namespace import Namespace

OWN_ADDRESS = "127.0.0.1"
"""How the processes of one pod find one another, without waiting for their own name to be known."""


@dataclass(frozen=True, kw_only=True)
class PeersArgs:
    """Whose names are needed: for each logical name the labels that select its pods."""

    namespace: Namespace
    selectors: Mapping[str, labels.Labels]


class Peers(pulumi.ComponentResource):
    """One headless Service per pod. It translates nothing: its name is the address of the pod itself."""

    def __init__(self, name: str, args: PeersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Peers", name, None, opts)
        self.resources = {
            pod: manifest.create(
                pod,
                service_manifest(args.namespace.metadata(name=pod, component="network"), selector),
                args.namespace.options(self),
            )
            for pod, selector in args.selectors.items()
        }
        self.names = {pod: manifest.created_name(service) for pod, service in self.resources.items()}
        self.register_outputs({"names": self.names})


def service_manifest(
    metadata: manifest.Manifest, selector: labels.Labels, ports: Sequence[manifest.Manifest] = ()
) -> manifest.Manifest:
    """Headless Service: its name resolves to the pod's own address, also before the pod is ready.

    Args:
        metadata: Metadata of the Service; it is marked so that nothing waits for it.
        selector: Labels of the pod.
        ports: What the pod serves, for people; a name alone needs none.
    """
    spec: manifest.Manifest = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": dict(selector),
    }
    if ports:
        spec["ports"] = [dict(port) for port in ports]
    # The provider waits a fixed 10 s for a Service to settle; what must be ready is the pod behind it.
    annotations = {**metadata.get("annotations", {}), **manifest.SKIP_AWAIT}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata | {"annotations": annotations}, "spec": spec}


def peers_of(
    pod: str, names: Mapping[str, pulumi.Input[str]], *, others: Sequence[str]
) -> tuple[pulumi.Input[str], ...]:
    """Peers of one pod: itself, then every other one by name.

    Args:
        pod: Whose.
        names: Name of every pod's Service.
        others: Pods that must exist before this one starts; itself among them is left out.
    """
    return (OWN_ADDRESS, *(names[other] for other in others if other != pod))
