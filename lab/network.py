"""The lab's addresses and links: chosen after reading the host's routes, one veth into the lab, nothing else changed.

host .1 ──veth── hub .2 (bridge; registry, object store) ──veth── cloud .10
                                                         └─veth── edge  .11
"""

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from lab.commands import run
from lab.errors import LabError, MachineUnfitError

# Documentation and benchmark ranges (RFC 5737, RFC 2544); private ranges come last. Routes do not show who sits behind
# the default one: sandboxes have been seen with their package mirrors in 203.0.113.0/24, which is therefore left out.
CANDIDATES = tuple(
    IPv4Network(text)
    for text in (
        "198.51.100.0/24",
        "198.18.77.0/24",
        "198.19.77.0/24",
        "172.31.213.0/24",
        "10.213.77.0/24",
    )
)
POD_NETWORK = IPv4Network("10.244.0.0/16")
SERVICE_NETWORK = IPv4Network("10.96.0.0/16")
MACHINES = ("cloud", "edge")


@dataclass(frozen=True)
class LabNetwork:
    """The addresses of one lab, all derived from its subnet."""

    subnet: IPv4Network

    @property
    def host(self) -> IPv4Address:
        """The host's end of the link."""
        return self.subnet[1]

    @property
    def hub(self) -> IPv4Address:
        """Registry and object store."""
        return self.subnet[2]

    def machine(self, name: str) -> IPv4Address:
        """Address of a Kubernetes machine."""
        return self.subnet[10 + MACHINES.index(name)]

    def pods(self, name: str) -> IPv4Network:
        """Addresses of the pods on a machine."""
        return list(POD_NETWORK.subnets(new_prefix=24))[MACHINES.index(name)]


def routed_networks(routes_json: str) -> list[IPv4Network]:
    """Return the networks in `ip -json route show table all`, the default route excluded."""
    networks: list[IPv4Network] = []
    for route in json.loads(routes_json):
        destination = str(route.get("dst", "default"))
        if destination != "default" and ":" not in destination:
            networks.append(IPv4Network(destination, strict=False))
    return networks


def host_networks(own_link: str) -> list[IPv4Network]:
    """Read the host's routes, without those of the lab's own link."""
    text = run(["ip", "-json", "-4", "route", "show", "table", "all"], doing="Reading the host's routes")
    foreign = [route for route in json.loads(text) if route.get("dev") != own_link]
    return routed_networks(json.dumps(foreign))


def choose_subnet(taken: Iterable[IPv4Network], wanted: str | None) -> IPv4Network:
    """Return a /24 that overlaps none of the host's networks.

    Raises:
        MachineUnfitError: the wanted subnet is not one, or overlaps; or no candidate is free.
    """
    taken = list(taken)
    if wanted is not None:
        try:
            subnet = IPv4Network(wanted)
        except ValueError as error:
            raise MachineUnfitError(
                f"--subnet {wanted!r}: {error}.", advice="Give a network such as 198.51.100.0/24."
            ) from error
        if subnet.prefixlen > 24:
            raise MachineUnfitError(f"--subnet {wanted} is too small.", advice="Give a /24 or larger.")
        clash = [n for n in (*taken, POD_NETWORK, SERVICE_NETWORK) if n.overlaps(subnet)]
        if clash:
            raise MachineUnfitError(
                f"--subnet {subnet} overlaps {clash[0]}, which this host already routes or the cluster uses.",
                advice="Leave --subnet out: the lab then picks a free one. `ip route` shows what is taken.",
            )
        return subnet
    for subnet in CANDIDATES:
        if not any(network.overlaps(subnet) for network in taken):
            return subnet
    tried = ", ".join(map(str, CANDIDATES))
    raise MachineUnfitError(
        f"Every subnet that the lab would take is routed by this host already: {tried}.",
        advice="Choose a free one yourself: python -m lab up --subnet 10.99.0.0/24",
    )


def link_name(lab: str) -> str:
    """Name of the host's end of the link: at most 15 characters, one per lab."""
    return "r2b-" + hashlib.sha256(lab.encode()).hexdigest()[:8]


def inside(pid: int, *command: str) -> list[str]:
    """Return `command` as it runs in the namespaces of process `pid`."""
    return ["nsenter", "-t", str(pid), "--mount", "--net", "--uts", "--ipc", "--pid", "--", *command]


def in_network(pid: int, *command: str) -> list[str]:
    """Return `command` as it runs in the network of process `pid` with the host's files."""
    return ["nsenter", "-t", str(pid), "--net", "--", *command]


def link_host(lab: str, network: LabNetwork, hub: int) -> None:
    """Connect the host to the hub's bridge, replacing a link left by an interrupted start."""
    name, doing = link_name(lab), "Linking the host to the lab"
    length = network.subnet.prefixlen
    unlink_host(lab)
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "link", "add", "lab0", "type", "bridge"]):
        run(in_network(hub, *command), doing=doing)
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", str(hub)], doing=doing)
    run(["ip", "address", "add", f"{network.host}/{length}", "dev", name], doing=doing)
    run(["ip", "link", "set", name, "up"], doing=doing)
    for command in (
        ["ip", "link", "set", "host0", "master", "lab0", "up"],
        ["ip", "address", "add", f"{network.hub}/{length}", "dev", "lab0"],
        ["ip", "link", "set", "lab0", "up"],
    ):
        run(in_network(hub, *command), doing=doing)


def link_machine(name: str, network: LabNetwork, hub: int, machine: int) -> None:
    """Connect a machine to the hub's bridge; give it routes to the other machine's pods and no way out of the lab."""
    doing, length = f"Linking machine {name}", network.subnet.prefixlen
    run(
        in_network(hub, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(machine)),
        doing=doing,
    )
    run(in_network(hub, "ip", "link", "set", name, "master", "lab0", "up"), doing=doing)
    others = [other for other in MACHINES if other != name]
    commands = [
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{network.machine(name)}/{length}", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
        ["ip", "route", "add", "default", "via", str(network.hub)],
        *(["ip", "route", "add", str(network.pods(o)), "via", str(network.machine(o))] for o in others),
        # Pods keep their own addresses among themselves (DDS announces them); only traffic that leaves is translated.
        [
            "iptables",
            "-t",
            "nat",
            "-A",
            "POSTROUTING",
            "-s",
            str(POD_NETWORK),
            "!",
            "-d",
            str(POD_NETWORK),
            "-j",
            "MASQUERADE",
        ],
        ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"],
    ]
    for command in commands:
        run(inside(machine, *command), doing=doing)


def _has_link(lab: str) -> bool:
    """Whether the host's end of the link exists."""
    links = json.loads(run(["ip", "-json", "link"], doing="Reading the host's links"))
    return any(link["ifname"] == link_name(lab) for link in links)


def unlink_host(lab: str) -> None:
    """Remove the host's end of the link where the hub's end has not taken it along."""
    if _has_link(lab):
        try:
            run(["ip", "link", "delete", link_name(lab)], doing="Removing the host's link")
        except LabError:
            # The kernel removes the pair together with the hub's namespace, a moment after its last process.
            if _has_link(lab):
                raise


def parse_network(subnet: str) -> LabNetwork:
    """Return the network that a lab chose earlier."""
    return LabNetwork(ipaddress.IPv4Network(subnet))
