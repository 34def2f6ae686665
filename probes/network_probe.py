"""Asks the machine readers to probe the network between their machines (docs/contracts.md, section 13)."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from probes.metrics import NOT_REQUESTED, READER_GARBLED
from probes.network_links import Bandwidth, LinkProbe, Part, RoundTrips, seconds
from probes.readers import ReaderSet

SPARE_S = 8.0
"""Longest that a call takes beyond its probe: late answers and the reports of the partner."""
NO_ANSWER = "network_probe_unanswered"


@dataclass(frozen=True)
class ProbeSettings:
    """How the network is probed.

    Args:
        count: Round trips; 1 % of them must hold ten for a p99 that means something. 0 leaves them out.
        interval_s: Time between two, on an absolute schedule.
        size_bytes: UDP payload of each.
        bandwidth_s: How long the bandwidth is searched for; 0 leaves it out.
        bandwidth_size_bytes: UDP payload of each datagram then; 1400 fits into one packet everywhere.
    """

    count: int = 1000
    interval_s: float = 0.005
    size_bytes: int = 128
    bandwidth_s: float = 4.0
    bandwidth_size_bytes: int = 1400


class _Partner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    port: int


class _ProbeAnswer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    sent: int = Field(ge=0)
    received: int = Field(ge=0)
    rtt_ns: list[int]
    bytes_per_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    limited_by: str | None = None
    started_ns: int
    stopped_ns: int


async def probe_links(
    readers: ReaderSet, pairs: Sequence[tuple[str, str]], part: Part, settings: ProbeSettings
) -> tuple[LinkProbe, ...]:
    """Probe from the first to the second machine of each pair, one pair after the other.

    Args:
        readers: Connected machine readers.
        pairs: Names of machines; `both_ways` makes them.
        part: Whether the application is parked (`idle`) or runs (`load`).
        settings: How.
    """
    return tuple([await _probe_link(readers, pair, part, settings) for pair in pairs])


def both_ways(machines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pair every machine with every other one."""
    return tuple((one, other) for one in machines for other in machines if one != other)


async def _probe_link(readers: ReaderSet, pair: tuple[str, str], part: Part, settings: ProbeSettings) -> LinkProbe:
    trips = await _round_trips(readers, pair, settings) if settings.count else NOT_REQUESTED
    bandwidth = await _bandwidth(readers, pair, settings) if settings.bandwidth_s else NOT_REQUESTED
    return LinkProbe(*pair, part, trips, bandwidth)


async def _round_trips(readers: ReaderSet, pair: tuple[str, str], settings: ProbeSettings) -> RoundTrips | str:
    lasts_s = settings.count * settings.interval_s
    how = {"mode": "rtt", "count": settings.count, "interval_s": settings.interval_s, "bytes": settings.size_bytes}
    answer = await _probe(readers, pair, how, lasts_s)
    if isinstance(answer, str):
        return answer
    if answer.received != len(answer.rtt_ns) or not 0 < answer.received <= answer.sent or min(answer.rtt_ns) < 0:
        return READER_GARBLED if answer.received else NO_ANSWER
    return RoundTrips(answer.sent, seconds(answer.rtt_ns), (answer.started_ns, answer.stopped_ns))


async def _bandwidth(readers: ReaderSet, pair: tuple[str, str], settings: ProbeSettings) -> Bandwidth | str:
    how = {"mode": "bandwidth", "seconds": settings.bandwidth_s, "bytes": settings.bandwidth_size_bytes}
    answer = await _probe(readers, pair, how, settings.bandwidth_s)
    if isinstance(answer, str):
        return answer
    if answer.bytes_per_s is None or answer.limited_by is None:
        return NO_ANSWER
    return Bandwidth(answer.bytes_per_s, answer.limited_by)


async def _probe(
    readers: ReaderSet, pair: tuple[str, str], how: Mapping[str, Any], lasts_s: float
) -> _ProbeAnswer | str:
    """Tell the partner a number, then let the other machine send it; gives a reason where that fails."""
    for name in pair:
        if name not in readers.clients:
            return readers.reason(name)
    near, far = (readers.clients[name] for name in pair)

    async def announced() -> tuple[str, int, str]:
        nonce = secrets.token_hex(16)
        address = (await far.status()).address
        told = await far.call("POST", "/v1/network/partner", {"nonce": nonce, "seconds": lasts_s + SPARE_S})
        return address, _Partner.model_validate(told).port, nonce

    partner = await readers.attempt(pair[1], announced(), SPARE_S)
    if isinstance(partner, str):
        return partner
    address, port, nonce = partner

    async def probed() -> _ProbeAnswer:
        body = {"peer": address, "port": port, "nonce": nonce, **how}
        return _ProbeAnswer.model_validate(await near.call("POST", "/v1/network/probe", body))

    return await readers.attempt(pair[0], probed(), lasts_s + SPARE_S)
