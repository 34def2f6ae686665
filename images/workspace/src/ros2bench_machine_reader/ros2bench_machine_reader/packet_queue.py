"""What the relay does with a packet: when it goes on, or that it is lost. Pure: time is given."""

import heapq
import random
from dataclasses import dataclass

from ros2bench_machine_reader.fault_plan import FaultPlan

LONGEST_BACKLOG_BYTES = 8 << 20
MOST_HELD_BYTES = 256 << 20
NANOSECONDS_PER_SECOND = 1e9


@dataclass
class Counts:
    """What became of packets since the fault began.

    Attributes:
        overflowed: more than a limited rate or the memory could take.
        failed: the machine refused to take the packet back.
        latest_ns: longest time by which a packet went on later than planned.
    """

    seen: int = 0
    sent: int = 0
    lost: int = 0
    reordered: int = 0
    overflowed: int = 0
    failed: int = 0
    seen_bytes: int = 0
    sent_bytes: int = 0
    latest_ns: int = 0


class PacketQueue:
    """Holds packets until they are due, like a link of a given rate, length and reliability.

    Each packet draws three numbers whatever the plan says, so that the packets lost at 10 % with a
    seed include those lost at 1 %, and the true number of losses can be computed again.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self.counts = Counts()
        self._random = random.Random(plan.seed).random  # noqa: S311 (it repeats, it hides nothing)
        self._loss = plan.loss_ratio
        self._reorder = plan.reorder_ratio
        self._delay_ns = plan.delay_s * NANOSECONDS_PER_SECOND
        self._jitter_ns = plan.jitter_s * NANOSECONDS_PER_SECOND
        rate = plan.rate_bytes_per_s
        self._ns_per_byte = NANOSECONDS_PER_SECOND / rate if rate else 0.0
        self._free_ns = 0.0
        self._held: list[tuple[int, int, bytes]] = []
        self._held_bytes = 0

    def add(self, packet: bytes, arrived_ns: int) -> None:
        """Take a packet that has just arrived."""
        counts, size = self.counts, len(packet)
        counts.seen += 1
        counts.seen_bytes += size
        chance, place, overtaking = self._random(), self._random(), self._random()
        if chance < self._loss:
            counts.lost += 1
            return
        begins_ns = max(float(arrived_ns), self._free_ns)
        backlog_bytes = (begins_ns - arrived_ns) / self._ns_per_byte if self._ns_per_byte else 0
        if backlog_bytes > LONGEST_BACKLOG_BYTES or self._held_bytes + size > MOST_HELD_BYTES:
            counts.overflowed += 1
            return
        self._free_ns = begins_ns + size * self._ns_per_byte
        wait_ns = self._delay_ns + (2 * place - 1) * self._jitter_ns
        if overtaking < self._reorder:
            counts.reordered += 1
            wait_ns = 0.0
        heapq.heappush(self._held, (int(self._free_ns + wait_ns), counts.seen, packet))
        self._held_bytes += size

    @property
    def due_ns(self) -> int | None:
        """When the next packet goes on; None if there is none."""
        return self._held[0][0] if self._held else None

    def pop(self, now_ns: int) -> bytes | None:
        """Next packet that is due, or None; whoever sends it counts it."""
        if not self._held or self._held[0][0] > now_ns:
            return None
        due_ns, _, packet = heapq.heappop(self._held)
        self._held_bytes -= len(packet)
        self.counts.latest_ns = max(self.counts.latest_ns, now_ns - due_ns)
        return packet

    def pop_all(self) -> list[bytes]:
        """All packets in the order of their times, for a fault that ends."""
        held, self._held, self._held_bytes = sorted(self._held), [], 0
        return [packet for _, _, packet in held]


def lost_among(plan: FaultPlan, packets: int) -> int:
    """How many of the first packets of a fault are lost: the true number for a measurement."""
    draw = random.Random(plan.seed).random  # noqa: S311 (it repeats, it hides nothing)
    drawn = [(draw(), draw(), draw()) for _ in range(packets)]
    return sum(chance < plan.loss_ratio for chance, _, _ in drawn)
