"""Faults of the network between machines: injected, proved by a probe, held, removed whatever happens, proved again."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from probes.errors import TargetError
from probes.evidence import Fault
from probes.fault_order import FaultOrder, problems_after, problems_during, tolerances_of
from probes.measurements.network import ONE_MACHINE
from probes.network_links import LinkProbe
from probes.network_probe import ProbeSettings, both_ways, probe_links
from probes.readers import ReaderSet

CALL_LIMIT_S = 60.0
REMOVE_ATTEMPTS = 3
REMOVE_PAUSE_S = 1.0
PROBE = ProbeSettings(count=600, interval_s=0.005, bandwidth_s=0.0)
RATE_PROBE_S = 3.0
SPARE_S = 120.0
FAULTS_PATH = "/v1/network/faults"


class FaultRefused(TargetError):  # noqa: N818 - named after the event
    """A machine reader could not make a fault, or there are not two machines to put one between."""

    default_reason = "fault_refused"


class FaultNotRemoved(TargetError):  # noqa: N818 - named after the event
    """A fault is still there: nothing that follows would measure what it says."""

    default_reason = "fault_not_removed"


@dataclass(frozen=True)
class Injection:
    """A fault that is there.

    Args:
        fault: Its name at the machine readers.
        means: By machine, `netem` or `relay`.
        order: What was asked for.
        started_ns: When it was there on every machine, in the runner's clock.
        before: Probes without it.
        during: Probes under it, before it counts.
        problems: What these show otherwise than was asked for; nothing if it is proved.
    """

    fault: str
    means: Mapping[str, str]
    order: FaultOrder
    started_ns: int
    before: tuple[LinkProbe, ...]
    during: tuple[LinkProbe, ...]
    problems: tuple[str, ...]

    def evidence(self, stopped_ns: int | None = None) -> Fault:
        """Give the entry of the evidence; `stopped_ns` is None while it is held."""
        return Fault(
            fault=self.fault,
            means=", ".join(sorted(set(self.means.values()))),
            started_ns=self.started_ns,
            stopped_ns=stopped_ns,
            settings=self.order.settings(),
            verified=not self.problems,
        )


class _Made(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    means: str


def pod_networks(pods: Sequence[Mapping[str, Any]], readers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Give the addresses between which a fault acts, by machine, as networks of one address each.

    Args:
        pods: The application's pods, as the API server has them.
        readers: Addresses of the machine readers of the machines that may get a fault, which prove it; a machine
            without a pod of the application gets none.
    """
    found: dict[str, set[str]] = {}
    for pod in pods:
        machine, address = pod["spec"].get("nodeName"), pod.get("status", {}).get("podIP")
        if machine in readers and address:
            found.setdefault(machine, {f"{readers[machine]}/32"}).add(f"{address}/32")
    return {machine: tuple(sorted(networks)) for machine, networks in sorted(found.items())}


async def reader_addresses(readers: ReaderSet, limit_s: float = CALL_LIMIT_S) -> dict[str, str]:
    """Ask the connected machine readers for their addresses; one that does not answer is left out."""
    found: dict[str, str] = {}
    for machine, client in readers.clients.items():
        status = await readers.attempt(machine, client.status(), limit_s)
        if not isinstance(status, str):
            found[machine] = status.address
    return found


@asynccontextmanager
async def injected_between(
    readers: ReaderSet,
    order: FaultOrder | None,
    pods: Sequence[Mapping[str, Any]],
    hold_s: float,
    note: Callable[[str], None],
) -> AsyncGenerator[Injection | None]:
    """Hold a fault between the machines of some pods; nothing where none is ordered.

    Args:
        readers: Connected machine readers.
        order: Which fault, if any.
        pods: The application's pods, as the API server has them.
        hold_s: Longest time that it is needed.
        note: Shows a sentence to the user.

    Raises:
        FaultRefused: It cannot be made; nothing of it is left.
        FaultNotRemoved: It was held, but is still there.
    """
    if order is None:
        yield None
        return
    networks = pod_networks(pods, await reader_addresses(readers))
    async with injected(readers, order, networks, hold_s, note) as injection:
        yield injection


@asynccontextmanager
async def injected(
    readers: ReaderSet,
    order: FaultOrder,
    networks: Mapping[str, Sequence[str]],
    hold_s: float,
    note: Callable[[str], None],
) -> AsyncGenerator[Injection]:
    """Hold a fault on every way between some machines.

    Args:
        readers: Connected machine readers.
        order: Which fault.
        networks: Addresses between which it acts, by machine (`pod_networks`).
        hold_s: Longest time that it is needed; the machines end it by themselves a little later.
        note: Shows a sentence to the user.

    Raises:
        FaultRefused: It cannot be made; nothing of it is left.
        FaultNotRemoved: It was held, but is still there.
    """
    machines = sorted(networks)
    if len(machines) < 2:
        raise FaultRefused(
            f"A network fault acts between machines, but pods of the application with a machine reader beside them are "
            f"on {', '.join(machines) or 'none'}.",
            next_step="place the pods on different machines (their nodeSelector), or leave the fault out",
            reason=ONE_MACHINE,
        )
    pairs = both_ways(machines)
    settings = (
        PROBE if order.rate_bytes_per_s is None else ProbeSettings(PROBE.count, PROBE.interval_s, 128, RATE_PROBE_S)
    )
    before = await probe_links(readers, pairs, "load", PROBE)
    name = f"fault-{secrets.token_hex(6)}"
    try:
        means = await _make(readers, order, networks, name, hold_s + SPARE_S)
        started_ns = time.time_ns()
        during = await probe_links(readers, pairs, "load", settings)
        problems = tuple(problems_during(order, before, during, tolerances_of(means.values())))
        for problem in problems:
            note(f"network fault: {problem}")
        yield Injection(name, means, order, started_ns, before, during, problems)
    finally:
        await _to_the_end(_remove(readers, machines))
    left = problems_after(before, await probe_links(readers, pairs, "load", PROBE))
    if left:
        raise FaultNotRemoved(
            f"The network between machines is not as it was before the fault: {'; '.join(left)}.",
            next_step="wait and probe again; `ip rule` on the machines shows what leads packets astray (table 7250)",
        )


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish work even where somebody who has interrupted already does so again."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _make(
    readers: ReaderSet, order: FaultOrder, networks: Mapping[str, Sequence[str]], name: str, max_s: float
) -> dict[str, str]:
    means: dict[str, str] = {}
    for machine, own in networks.items():
        others = sorted({network for other, far in networks.items() if other != machine for network in far})
        body = {"fault": name, "from": list(own), "to": others, "max_s": max_s, **order.settings()}
        client = readers.clients[machine]
        answer = await readers.attempt(machine, client.call("POST", FAULTS_PATH, body), CALL_LIMIT_S)
        if isinstance(answer, str):
            raise FaultRefused(
                f"The machine reader of {machine} did not make the network fault: {answer}.",
                next_step="set machineReaders.allowFaults in the stack file of the platform, and deploy it again",
            )
        means[machine] = _Made.model_validate(answer).means
    return means


async def _remove(readers: ReaderSet, machines: Sequence[str]) -> None:
    """Remove faults from all machines; one that does not answer ends its fault by itself.

    Raises:
        FaultNotRemoved: A machine reader does not answer.
    """
    left = list(machines)
    for attempt in range(REMOVE_ATTEMPTS):
        if attempt:
            await asyncio.sleep(REMOVE_PAUSE_S)
        answers = [
            (name, await readers.attempt(name, readers.clients[name].call("DELETE", FAULTS_PATH), CALL_LIMIT_S))
            for name in left
        ]
        left = [name for name, answer in answers if isinstance(answer, str)]
        if not left:
            return
    raise FaultNotRemoved(
        f"The network fault could not be removed from {', '.join(left)}: the machine reader does not answer.",
        next_step="it ends by itself; `kubectl get pods -A -l app.kubernetes.io/component=machine-reader` shows why",
    )
