"""Which ways between machines a repetition probes, and when: idle while parked, under load in the window and after it.

In the window there are only a few small datagrams per second; what fills the network comes when the window is over and
its counters are fetched, while the application still runs.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from probes.measurements.network import ONE_MACHINE, TOO_MANY_MACHINES
from probes.metrics import NO_PLATFORM, NOT_REQUESTED, READER_UNREACHABLE
from probes.network_links import Bandwidth, LinkProbe, Links
from probes.network_probe import ProbeSettings, both_ways, probe_links
from probes.readers import ReaderSet
from probes.run_state import Bench, Run

IDLE = ProbeSettings(count=300, interval_s=0.002, bandwidth_s=2.0)
AFTER = ProbeSettings(count=0, bandwidth_s=2.0)
LOAD_INTERVAL_S = 0.05
LOAD_SHARE = 0.8
"""Of its part of the window that the probe of one way takes: the calls need time, too."""
LONGEST_CALL_S = 10.0
"""A call of a machine reader is given up after 15 s."""
SPARE_S = 3.0
MOST_MACHINES = 4
"""Of five machines there are twenty ways, whose probes take more than a minute."""


def machines_to_probe(wanted: bool | None, readers: ReaderSet, known: Collection[str] | None) -> tuple[str, ...] | str:
    """Name the machines between which the network is probed, or say why none.

    Args:
        wanted: True: all machines with a reader. False: none. None: those that the application and its recorder use.
        readers: Connected machine readers.
        known: Machines of the application and of its recorder; None while they are not known.
    """
    if wanted is False:
        return NOT_REQUESTED
    if not readers.clients:
        return next(iter(readers.reasons.values()), NO_PLATFORM)
    names = sorted(readers.clients if wanted or known is None else {*known} & {*readers.names()})
    if len(names) < 2:
        return ONE_MACHINE
    return TOO_MANY_MACHINES if wanted is None and len(names) > MOST_MACHINES else tuple(names)


async def probe_idle(bench: Bench, run: Run, head: str) -> Links:
    """Probe while the stack is parked, with nothing else on the way."""
    known = None
    if run.context is not None:
        known = {machine.name for machine in run.context.application_machines}
        known.add((await run.recorder.status()).machine)
    machines = machines_to_probe(bench.plan.network, bench.readers, known)
    if isinstance(machines, str):
        return machines
    bench.world.screen.step(f"{head}: probe the network between {', '.join(machines)}")
    return await probe_links(bench.readers, both_ways(machines), "idle", IDLE)


@asynccontextmanager
async def probing_meanwhile(
    readers: ReaderSet, machines: Sequence[str], window_s: float
) -> AsyncGenerator[list[LinkProbe]]:
    """Probe round trips of every way meanwhile, one after the other; the list is whole once the context has ended."""
    pairs = both_ways(machines)
    found: list[LinkProbe] = []
    task = asyncio.create_task(_round_trips(readers, pairs, window_s, found))
    try:
        yield found
        await asyncio.wait({task}, timeout=SPARE_S)
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
    found += [LinkProbe(*pair, "load", READER_UNREACHABLE, NOT_REQUESTED) for pair in pairs[len(found) :]]


async def with_bandwidth(readers: ReaderSet, links: Sequence[LinkProbe]) -> tuple[LinkProbe, ...]:
    """Add the bandwidth that is left beside the application; a way that did not answer is not asked again."""
    return tuple(
        [
            replace(link, bandwidth=link.trips)
            if isinstance(link.trips, str)
            else replace(link, bandwidth=await _bandwidth(readers, link))
            for link in links
        ]
    )


def joined(idle: Links, load: Links) -> Links:
    """Put together what was probed; a reason only where nothing was."""
    found = [links for links in (idle, load) if not isinstance(links, str)]
    return tuple(link for links in found for link in links) if found else load


def load_settings(window_s: float, ways: int) -> ProbeSettings:
    """Spread a few round trips over a part of the window."""
    lasts_s = min(LONGEST_CALL_S, LOAD_SHARE * window_s / ways)
    return ProbeSettings(count=max(1, int(lasts_s / LOAD_INTERVAL_S)), interval_s=LOAD_INTERVAL_S, bandwidth_s=0.0)


async def _round_trips(
    readers: ReaderSet, pairs: Sequence[tuple[str, str]], window_s: float, found: list[LinkProbe]
) -> None:
    began_s = asyncio.get_running_loop().time()
    for number, pair in enumerate(pairs):
        due_s = began_s + number * window_s / len(pairs)
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        found += await probe_links(readers, [pair], "load", load_settings(window_s, len(pairs)))


async def _bandwidth(readers: ReaderSet, link: LinkProbe) -> Bandwidth | str:
    (probed,) = await probe_links(readers, [(link.machine, link.peer)], "load", AFTER)
    return probed.bandwidth
