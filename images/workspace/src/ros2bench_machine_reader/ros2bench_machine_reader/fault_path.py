"""How packets get into a fault and out again: policy rules that lead them through a link of ours.

    priority 43  everything                                    goes on as always
    priority 41  what comes out of our link                    jumps to 43
    priority 42  what goes from the plan's sources to its destinations: looked up in table 7250,
                 whose only route leads into our link

The link is a TUN device whose reader is the relay, or a pair of virtual Ethernet ends with netem
between them. No queue, route, filter or address of the machine is touched. When the link vanishes
its route goes with it, the table is empty, and packets take their usual way: even a machine that
nobody cleans up passes traffic. All functions are pure: they give commands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePath
from typing import Any

from ros2bench_machine_reader.fault_plan import FaultPlan

OUT_PRIORITY, IN_PRIORITY, ON_PRIORITY = 41, 42, 43
TABLE = 7250
PROTOCOL = 217
"""Marks rules as ours; no number that rtnetlink or a routing program has reserved."""
LINK = 'r2bfault'
NETEM_END = 'r2bfault-out'
NETEM_GATEWAY = '169.254.72.50'
EXIT_ADDRESS = '169.254.72.49/32'
"""A link without any address takes no packets where sources are checked, however loosely."""
LARGEST_PACKET_BYTES = 65_535
QUEUED_PACKETS = 20_000
LOOSE = 2
"""`rp_filter`: the source of a packet must be reachable, through whatever device."""
STRICT = 1

Command = tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """A link of ours: where packets enter it, where they come out, and how they are sent in."""

    entrance: str
    exit: str
    route: Command


RELAY_LINK = Link(LINK, LINK, ('dev', LINK))
NETEM_LINK = Link(LINK, NETEM_END, ('via', NETEM_GATEWAY, 'dev', LINK, 'onlink'))


def relay_link_commands() -> list[Command]:
    """Commands that make a TUN device ready, which its reader has opened."""
    return [
        ('ip', 'link', 'set', LINK, 'mtu', f'{LARGEST_PACKET_BYTES}', 'txqueuelen',
         f'{QUEUED_PACKETS}', 'up'),
    ]  # fmt: skip


def netem_link_commands() -> list[Command]:
    """Commands that make the pair; the address of the far end is asked for afterwards."""
    mtu = ('mtu', f'{LARGEST_PACKET_BYTES}')
    return [
        ('ip', 'link', 'add', LINK, *mtu, 'type', 'veth', 'peer', 'name', NETEM_END, *mtu),
        ('ip', 'link', 'set', NETEM_END, 'up'),
        ('ip', 'link', 'set', LINK, 'up'),
    ]


def netem_neighbour_command(links: Sequence[dict[str, Any]]) -> Command:
    """Command that makes the far end of the pair the neighbour to which packets are sent.

    Args:
        links: answer of `ip -json link show dev r2bfault-out`.
    """
    address = str(links[0]['address'])
    return ('ip', 'neighbour', 'replace', NETEM_GATEWAY, 'lladdr', address, 'nud', 'permanent',
            'dev', LINK)  # fmt: skip


def netem_command(plan: FaultPlan, *, seeded: bool) -> Command:
    """Command that puts a plan into the link; only newer kernels and programs take a seed."""
    words: list[str] = ['tc', 'qdisc', 'replace', 'dev', LINK, 'root', 'netem']
    words += ['limit', f'{QUEUED_PACKETS}']
    if plan.delay_s:
        words += ['delay', f'{plan.delay_s * 1e6:.0f}us', f'{plan.jitter_s * 1e6:.0f}us']
    if plan.loss_ratio:
        words += ['loss', 'random', f'{plan.loss_ratio * 100:.6f}%']
    if plan.reorder_ratio:
        words += ['reorder', f'{plan.reorder_ratio * 100:.6f}%']
    if plan.rate_bytes_per_s:
        words += ['rate', f'{plan.rate_bytes_per_s * 8:.0f}bit']
    if seeded:
        words += ['seed', str(plan.seed)]
    return tuple(words)


def entry_commands(plan: FaultPlan, link: Link, own_address: str | None) -> list[Command]:
    """Commands that lead packets into the link; the last ones open the way.

    Args:
        plan: which packets.
        link: through which link.
        own_address: what the machine itself sends from to the destinations; where a source
            network holds it, its own packets are led through the link too (pods that use the
            machine's network have no other address).
    """
    mark = ('protocol', str(PROTOCOL))
    starts: list[Command] = [('from', source) for source in plan.sources]
    origin: Command = ()
    if own_address and any(IPv4Address(own_address) in IPv4Network(s) for s in plan.sources):
        starts.append(('iif', 'lo'))
        origin = ('src', own_address)
    return [
        ('ip', 'address', 'add', EXIT_ADDRESS, 'dev', link.exit, 'scope', 'link'),
        ('ip', 'rule', 'add', 'pref', f'{ON_PRIORITY}', 'nop', *mark),
        ('ip', 'rule', 'add', 'pref', f'{OUT_PRIORITY}', 'iif', link.exit, 'goto',
         f'{ON_PRIORITY}', *mark),
        ('ip', 'route', 'add', 'default', *link.route, 'table', f'{TABLE}', *origin),
        *(
            ('ip', 'rule', 'add', 'pref', f'{IN_PRIORITY}', *start, 'to', destination, 'lookup',
             f'{TABLE}', *mark)
            for destination in plan.destinations
            for start in starts
        ),
    ]  # fmt: skip


def rule_removals(rules: Sequence[dict[str, Any]]) -> list[Command]:
    """Commands that remove every rule of ours, those first that lead packets in.

    Args:
        rules: answer of `ip -json rule show`.
    """
    ours = [rule['priority'] for rule in rules if str(rule.get('protocol')) == str(PROTOCOL)]
    order = (IN_PRIORITY, OUT_PRIORITY, ON_PRIORITY)
    return [
        ('ip', 'rule', 'del', 'pref', str(priority), 'protocol', str(PROTOCOL))
        for priority in sorted(ours, key=lambda p: order.index(p) if p in order else len(order))
    ]


def link_removals(links: Sequence[dict[str, Any]]) -> list[Command]:
    """Commands that remove links of ours that are still there.

    Args:
        links: answer of `ip -json link show`.
    """
    names = {str(link['ifname']) for link in links}
    return [('ip', 'link', 'del', LINK)] if LINK in names else []


def device_settings(link: Link) -> list[tuple[PurePath, str]]:
    """Settings of the link's exit: packets with any source may come out of it, our own too."""
    folder = PurePath('/proc/sys/net/ipv4/conf', link.exit)
    return [(folder / 'rp_filter', f'{LOOSE}'), (folder / 'accept_local', '1')]


def own_address(routes: Sequence[dict[str, Any]]) -> str | None:
    """Address from which the machine itself sends there; None if the kernel names none.

    Args:
        routes: answers of `ip -json route get ADDRESS`.
    """
    named = [str(route['prefsrc']) for route in routes if 'prefsrc' in route]
    return named[0] if named else None


def ways_out(routes: Sequence[dict[str, Any]]) -> list[str]:
    """Devices through which the destinations are reached, and so their answers arrive.

    Args:
        routes: answers of `ip -json route get ADDRESS`.
    """
    return sorted({str(route['dev']) for route in routes if 'dev' in route} - {LINK, NETEM_END})
