"""Machine readers that probe one another over a model of a network: delays, losses and rates as they are told."""
# ruff: noqa: D102 - methods and parameters are those of the protocol in probes/readers.py

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from probes.errors import TargetError
from probes.readers import ReaderSet
from tests.probes.fake_readers import NO_STARTS, FakeReader, FakeStatus

PORT = 8091
RTT_S = 0.0002
OWN_RATE = 2e8


@dataclass
class FakeNetwork:
    """The network between some machines.

    Args:
        rtt_s: Round trip without any fault.
        carries: Bytes per second between two machines; the probe reaches 200 MB/s.
        effect: What a fault really does of what it is asked for.
        answers: Whether datagrams are answered at all.
        removable: Whether a fault can be removed.
    """

    rtt_s: float = RTT_S
    carries: float = 1e9
    effect: float = 1.0
    answers: bool = True
    removable: bool = True
    faults: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    announced: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass
class FakeNetworkReader(FakeReader):
    """The reader of one machine of a network."""

    name: str = ""
    address: str = ""
    network: FakeNetwork = field(default_factory=FakeNetwork)
    may_fault: bool = True

    async def status(self) -> FakeStatus:
        self._check()
        return FakeStatus("boot", frozenset(), self.address)

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        self._check()
        if path == "/v1/starts":
            return NO_STARTS
        self.network.log.append((method, f"{self.name}{path}"))
        content = body or {}
        if path == "/v1/network/partner":
            self.network.announced.setdefault(self.address, set()).add(content["nonce"])
            return {"nonce": content["nonce"], "port": PORT}
        if path == "/v1/network/probe":
            return self._probe(content)
        if method == "DELETE":
            if not self.network.removable:
                raise TargetError("it hangs", reason="machine_reader_unreachable")
            return {"fault": self.network.faults.pop(self.address, {}).get("fault"), "counts": None}
        if not self.may_fault:
            raise TargetError("not allowed here", reason="machine_reader_refused")
        self.network.faults[self.address] = content
        return {"fault": content["fault"], "means": "relay", "seeded": True}

    def _probe(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        network, peer = self.network, asked["peer"]
        known = asked["nonce"] in network.announced.get(peer, set()) and asked["port"] == PORT and network.answers
        ways = [network.faults.get(self.address), network.faults.get(peer)]
        there = [
            fault
            for fault, (near, far) in zip(ways, ((self.address, peer), (peer, self.address)), strict=True)
            if fault and f"{near}/32" in fault["from"] and f"{far}/32" in fault["to"]
        ]
        answer: dict[str, Any] = {"rtt_ns": [], "sent": 0, "received": 0, "started_ns": 1, "stopped_ns": 2}
        if asked["mode"] == "bandwidth":
            rates = [
                fault["rate_bytes_per_s"] * network.effect
                for fault in there
                if fault["rate_bytes_per_s"] and network.effect
            ]
            found = min([network.carries, OWN_RATE, *rates])
            answer |= {
                "bytes_per_s": found if known else None,
                "limited_by": "sender" if found == OWN_RATE else "network",
            }
            return answer
        generator = np.random.default_rng(5)
        kept = generator.random(asked["count"]) > 0 if known else np.zeros(asked["count"], bool)
        trips = np.full(asked["count"], network.rtt_s) * generator.uniform(0.9, 1.1, asked["count"])
        for fault in there:
            kept &= generator.random(asked["count"]) >= fault["loss_ratio"] * network.effect
            trips += fault["delay_s"] * network.effect
            trips += generator.uniform(-1, 1, asked["count"]) * fault["jitter_s"]
        rtt_ns = (trips[kept] * 1e9).astype(int).tolist()
        return answer | {"rtt_ns": rtt_ns, "sent": asked["count"], "received": len(rtt_ns)}


def fake_readers(network: FakeNetwork, *names: str) -> tuple[ReaderSet, dict[str, FakeNetworkReader], list[str]]:
    """Readers of machines at 198.51.100.1 and upwards, and the notes that are shown."""
    notes: list[str] = []
    clients = {
        name: FakeNetworkReader(name=name, address=f"198.51.100.{number}", network=network)
        for number, name in enumerate(names, 1)
    }
    return ReaderSet(clients, {"far": "no_machine_reader"}, "boot", notes.append), clients, notes
