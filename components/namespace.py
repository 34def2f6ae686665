"""Namespace that a stack owns: Pod Security enforced, network closed but for what an experiment needs."""

from dataclasses import dataclass
from typing import Any

import pulumi

from components import labels, manifest

RECORDER_PORT = 8080
DISCOVERY_SERVER_PORT = 11811
DDS_BASE_PORT = 7400
DDS_PORTS_PER_DOMAIN = 250
DDS_MULTICAST_BLOCK = "239.255.0.1/32"


@dataclass(frozen=True, kw_only=True)
class NamespaceArgs:
    """What a namespace is for."""

    stack: str
    name: str


class Namespace(pulumi.ComponentResource):
    """A stack's namespace. The only object with a name of our choosing, because people type it."""

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Namespace", name, None, opts)
        self.stack = args.stack
        self.name = args.name
        self.resource = manifest.create(
            name, namespace_manifest(args.stack, args.name), pulumi.ResourceOptions(parent=self)
        )
        self.created_name = manifest.created_name(self.resource)
        self.register_outputs({"name": args.name})

    def metadata(self, *, name: str, component: str, **more: Any) -> dict[str, Any]:
        """Metadata of an object in this namespace; the object waits for the namespace."""
        return {
            "namespace": self.created_name,
            "labels": labels.labels(self.stack, name=name, component=component),
            **more,
        }

    def options(
        self, parent: pulumi.Resource, *, depends_on: list[pulumi.Resource] | None = None
    ) -> pulumi.ResourceOptions:
        """Options of a resource in this namespace: deleting the namespace deletes it."""
        return pulumi.ResourceOptions(parent=parent, deleted_with=self.resource, depends_on=depends_on)


def namespace_manifest(stack: str, name: str) -> manifest.Manifest:
    """Namespace whose pods must pass the Pod Security Standard "restricted"."""
    modes = ("enforce", "audit", "warn")
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                **labels.labels(stack, name=name, component="namespace"),
                **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes},
            },
        },
    }


@dataclass(frozen=True, kw_only=True)
class NetworkPoliciesArgs:
    """What may pass between the pods of an experiment."""

    namespace: Namespace
    domain_id: int
    multicast: bool


class NetworkPolicies(pulumi.ComponentResource):
    """Nothing in or out, except DDS inside the namespace, name look-ups, and probes to the recorder."""

    def __init__(self, name: str, args: NetworkPoliciesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:NetworkPolicies", name, None, opts)
        specs = policy_specs(args.namespace.stack, domain_id=args.domain_id, multicast=args.multicast)
        self.resources = [
            manifest.create(
                policy,
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "NetworkPolicy",
                    "metadata": args.namespace.metadata(name=policy, component="network"),
                    "spec": spec,
                },
                args.namespace.options(self),
            )
            for policy, spec in specs.items()
        ]
        self.register_outputs({"policies": sorted(specs)})


def policy_specs(stack: str, *, domain_id: int, multicast: bool) -> dict[str, manifest.Manifest]:
    """Specifications of the NetworkPolicies by name.

    The port range of a domain is that of the RTPS specification: 7400 + 250 x domain and the 249 above it.
    """
    first = DDS_BASE_PORT + DDS_PORTS_PER_DOMAIN * domain_id
    dds_ports = [
        {"protocol": "UDP", "port": first, "endPort": first + DDS_PORTS_PER_DOMAIN - 1},
        {"protocol": "UDP", "port": DISCOVERY_SERVER_PORT},
    ]
    everyone: dict[str, Any] = {}
    same_namespace = {"podSelector": everyone}
    groups = [{"ipBlock": {"cidr": DDS_MULTICAST_BLOCK}}] if multicast else []
    of_ours = {"namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": labels.PART_OF}}}
    name_server = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return {
        "default-deny": {"podSelector": everyone, "policyTypes": ["Ingress", "Egress"]},
        "allow-dds": {
            "podSelector": everyone,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [same_namespace], "ports": dds_ports}],
            "egress": [{"to": [same_namespace, *groups], "ports": dds_ports}],
        },
        "allow-name-look-ups": {
            "podSelector": everyone,
            "policyTypes": ["Egress"],
            "egress": [{"to": [name_server], "ports": [{"protocol": p, "port": 53} for p in ("UDP", "TCP")]}],
        },
        "allow-probes": {
            "podSelector": {"matchLabels": labels.selector(stack, component="recorder")},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [of_ours], "ports": [{"protocol": "TCP", "port": RECORDER_PORT}]}],
        },
    }
