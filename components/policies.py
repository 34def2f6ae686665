"""NetworkPolicies of an experiment: nothing in or out of its pods but what its participants need.

They hold where the cluster's network enforces them, and only for pods with an address of their own: a pod on its
machine's network is not bound by any, so that none is made for it.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pulumi

from components import labels, manifest
from components.namespace import RECORDER_PORT, Namespace
from components.needs import Port

DISCOVERY_SERVER_PORT = 11811
MASTER_PORT = 11311
DDS_BASE_PORT = 7400
DDS_PORTS_PER_DOMAIN = 250
DDS_MULTICAST_BLOCK = "239.255.0.1/32"
FAST_DDS_FLOW_PORTS = (7000, 7399)
"""Where Fast DDS receives the data of subscriptions: the 400 ports below the base port, whatever the domain."""
EPHEMERAL_PORTS = (32768, 65535)
"""From Linux's own first ephemeral port to the last of all: where ROS 1 nodes listen for one another."""
NODE_LOCAL_NAME_SERVER = "169.254.20.10/32"
"""Default address of NodeLocal DNSCache, which runs on the machine's network, where no pod selector finds it."""

OF_SERVICE = re.compile(r"[a-z0-9-]+\.(?P<namespace>[a-z0-9-]+)\.svc(\..+)?")
"""Name of a Service of the cluster, as seen from another namespace."""

Spec = manifest.Manifest
METRICS = "metrics"
"""Name of a declared port on which an application's pod serves metrics."""
EVERYONE: dict[str, Any] = {}
SAME_NAMESPACE: Spec = {"podSelector": EVERYONE}
BOTH_WAYS = ["Ingress", "Egress"]
OUR_NAMESPACES: Spec = {"namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": labels.PART_OF}}}
SCRAPERS: tuple[Spec, ...] = (
    {**OUR_NAMESPACES, "podSelector": {"matchLabels": {labels.COMPONENT: "prometheus"}}},
    {"namespaceSelector": {"matchLabels": {labels.SCRAPER: "yes"}}},
)
"""Who reads metrics: a Prometheus of ours, and whoever is in a namespace that was labelled for it."""


@dataclass(frozen=True, kw_only=True)
class Openings:
    """What must be able to pass, besides names and probes.

    `domain_id` is none where there is no DDS participant. `ports` are those that the application's pods declare for
    traffic that is not DDS, by the pod's name. `further` are policies that a part of the stack brings, by name.
    """

    domain_id: int | None
    multicast: bool = False
    discovery_server: bool = False
    master: bool = False
    ports: Mapping[str, Sequence[Port]] = field(default_factory=dict[str, Sequence[Port]])
    further: Mapping[str, Spec] = field(default_factory=dict[str, manifest.Manifest])


@dataclass(frozen=True, kw_only=True)
class NetworkPoliciesArgs:
    """Where the policies hold, and what they let pass."""

    namespace: Namespace
    openings: Openings


class NetworkPolicies(pulumi.ComponentResource):
    """Every NetworkPolicy of an experiment."""

    def __init__(self, name: str, args: NetworkPoliciesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:NetworkPolicies", name, None, opts)
        specs = policy_specs(args.namespace.stack, args.openings)
        self.resources = create(specs, args.namespace, self)
        self.register_outputs({"policies": sorted(specs)})


def create(
    specs: Mapping[str, Spec], namespace: Namespace, parent: pulumi.Resource, *, prefix: str = ""
) -> list[pulumi.Resource]:
    """Register policies, for who waits for them.

    Args:
        specs: Specifications by name.
        namespace: Where they hold.
        parent: The component that needs them.
        prefix: Of the logical names, where other namespaces of the stack have policies of these names.
    """
    return [
        manifest.create(
            f"{prefix}{name}",
            policy_manifest(namespace.metadata(name=name, component="network"), spec),
            namespace.options(parent),
        )
        for name, spec in specs.items()
    ]


def policy_manifest(metadata: Mapping[str, Any], spec: Spec) -> manifest.Manifest:
    """One NetworkPolicy."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": dict(metadata),
        "spec": spec,
    }


def policy_specs(stack: str, openings: Openings) -> dict[str, Spec]:
    """Specifications of the NetworkPolicies by name.

    Args:
        stack: Name of the stack, for the labels of its pods.
        openings: What must pass.
    """
    specs = {
        "default-deny": {"podSelector": EVERYONE, "policyTypes": BOTH_WAYS},
        "allow-name-look-ups": name_look_ups(),
        "allow-probes": _probes(stack),
    }
    if openings.domain_id is not None:
        specs["allow-dds"] = _dds(openings.domain_id, multicast=openings.multicast)
    if openings.discovery_server:
        discovery = [{"protocol": "UDP", "port": DISCOVERY_SERVER_PORT}]
        specs |= _to_one_role(stack, "discovery", "allow-discovery", discovery)
    if openings.master:
        specs |= _to_one_role(stack, "master", "allow-master", [{"protocol": "TCP", "port": MASTER_PORT}])
        specs["allow-ros1"] = _among_pods([_range("TCP", *EPHEMERAL_PORTS)])
    for pod, ports in openings.ports.items():
        if any(port.expose != "pod" for port in ports):
            specs |= _declared(stack, pod, ports)
        if served := [port for port in ports if port.name == METRICS and port.protocol == "TCP"]:
            pods = labels.selector(stack, component="application", name=pod)
            specs[f"allow-metrics-{pod}"] = scraped(pods, [port.port for port in served])
    return specs | dict(openings.further)


def scraped(pods: Mapping[str, str], ports: Sequence[int]) -> Spec:
    """Policy that lets metrics be read.

    Args:
        pods: Labels of the pods that serve them.
        ports: TCP ports on which they do.
    """
    return {
        "podSelector": {"matchLabels": dict(pods)},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": list(SCRAPERS), "ports": [{"protocol": "TCP", "port": port} for port in ports]}],
    }


def machine_reader_specs(stack: str, port: int, network_port: int) -> dict[str, Spec]:
    """Policies of the machine readers: their metrics are read, they probe one another, no more.

    Args:
        stack: Name of the stack, for the labels of its pods.
        port: TCP port on which they serve; the runner comes in through the API server.
        network_port: UDP port on which they answer one another.
    """
    readers = {"podSelector": {"matchLabels": labels.selector(stack, component=labels.MACHINE_READER)}}
    probing = [{"protocol": "UDP", "port": network_port}]
    return {
        "default-deny": {"podSelector": EVERYONE, "policyTypes": BOTH_WAYS},
        "allow-probes": scraped(labels.selector(stack, component=labels.MACHINE_READER), [port]),
        "allow-network-probes": {
            **readers,
            "policyTypes": BOTH_WAYS,
            "ingress": [{"from": [readers], "ports": probing}],
            "egress": [{"to": [readers], "ports": probing}],
        },
    }


def port_of(url: str) -> int:
    """TCP port of an address, as its scheme says where it names none."""
    split = urlsplit(url)
    return split.port or (80 if split.scheme == "http" else 443)


def called(url: str) -> Spec:
    """What the pods of a program that calls an address may reach, as narrowly as the address tells.

    A Service of the cluster is known by its namespace, or by one word in the caller's own; the pods behind it may
    listen on another port than it, and policies are about pods. An address is known by itself. Behind another name
    there may be any address, which no policy can follow: then the port alone is opened.
    """
    ports = [{"protocol": "TCP", "port": port_of(url)}]
    host = urlsplit(url).hostname or ""
    if found := OF_SERVICE.fullmatch(host):
        own = {"matchLabels": {"kubernetes.io/metadata.name": found["namespace"]}}
        return {"to": [{"namespaceSelector": own}], "ports": [{"protocol": "TCP"}]}
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {"ports": ports} if "." in host else {"to": [SAME_NAMESPACE], "ports": [{"protocol": "TCP"}]}
    return {"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}], "ports": ports}


def dds_ports(domain_id: int) -> tuple[int, int]:
    """First and last UDP port of a domain by the RTPS specification: 7400 + 250 x domain and the 249 above it."""
    first = DDS_BASE_PORT + DDS_PORTS_PER_DOMAIN * domain_id
    return first, first + DDS_PORTS_PER_DOMAIN - 1


def _range(protocol: str, first: int, last: int) -> Spec:
    return {"protocol": protocol, "port": first, "endPort": last}


def _dds(domain_id: int, *, multicast: bool) -> Spec:
    ports = [_range("UDP", *dds_ports(domain_id)), _range("UDP", *FAST_DDS_FLOW_PORTS)]
    spec = _among_pods(ports)
    if multicast:
        spec["egress"][0]["to"].append({"ipBlock": {"cidr": DDS_MULTICAST_BLOCK}})
    return spec


def _among_pods(ports: Sequence[Spec]) -> Spec:
    """Ports that every pod of the namespace may use with every other."""
    return {
        "podSelector": EVERYONE,
        "policyTypes": BOTH_WAYS,
        "ingress": [{"from": [SAME_NAMESPACE], "ports": list(ports)}],
        "egress": [{"to": [SAME_NAMESPACE], "ports": list(ports)}],
    }


def _to_one_role(stack: str, component: str, name: str, ports: Sequence[Spec]) -> dict[str, Spec]:
    """Ports on which the pods of one role serve the rest of the namespace."""
    served = {"podSelector": {"matchLabels": labels.selector(stack, component=component)}}
    return {
        name: {**served, "policyTypes": ["Ingress"], "ingress": [{"from": [SAME_NAMESPACE], "ports": list(ports)}]},
        f"{name}-use": {
            "podSelector": EVERYONE,
            "policyTypes": ["Egress"],
            "egress": [{"to": [served], "ports": list(ports)}],
        },
    }


def name_look_ups() -> Spec:
    """Names of the cluster, asked of its name server or of the machine's own cache of it."""
    name_server = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    to = [name_server, {"ipBlock": {"cidr": NODE_LOCAL_NAME_SERVER}}]
    return {"podSelector": EVERYONE, "policyTypes": ["Egress"], "egress": [{"to": to, "ports": ports}]}


def _probes(stack: str) -> Spec:
    """The recorder's metrics are read by a Prometheus; the runner comes in through the API server."""
    return scraped(labels.selector(stack, component="recorder"), [RECORDER_PORT])


def _declared(stack: str, pod: str, ports: Sequence[Port]) -> dict[str, Spec]:
    """Ports that a pod opens: for every pod of the cluster, or for everybody, as the stack file says."""
    served = {"podSelector": {"matchLabels": labels.selector(stack, component="application", name=pod)}}
    inside = [port for port in ports if port.expose == "cluster"]
    outside = [port for port in ports if port.expose in ("load-balancer", "ingress")]
    ingress: list[Spec] = []
    if inside:
        ingress.append({"from": [{"namespaceSelector": EVERYONE}], "ports": _numbers(inside)})
    if outside:
        # A rule without `from` is for everybody: who comes through a load balancer has no label.
        ingress.append({"ports": _numbers(outside)})
    return {
        f"allow-ports-{pod}": {**served, "policyTypes": ["Ingress"], "ingress": ingress},
        f"allow-ports-{pod}-use": {
            "podSelector": EVERYONE,
            "policyTypes": ["Egress"],
            "egress": [{"to": [served], "ports": _numbers([*inside, *outside])}],
        },
    }


def _numbers(ports: Sequence[Port]) -> list[Spec]:
    return [{"protocol": port.protocol, "port": port.port} for port in ports]
