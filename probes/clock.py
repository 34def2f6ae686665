"""How the real-time clock of a server in the cluster relates to ours: a recorder's, or a machine reader's."""

import time
from dataclasses import dataclass
from typing import Literal

from probes.signed_http import CLOCK_PATH, SignedHttp

EXCHANGES = 16


@dataclass(frozen=True)
class ClockOffset:
    """How a server's real-time clock relates to the runner's: server = runner + offset, within ± bound."""

    offset_ns: int
    bound_ns: int
    method: Literal["one_kernel", "four_timestamps"]

    def to_runner(self, recorder_ns: int) -> int:
        """Convert a time of the recorder to the runner's clock."""
        return recorder_ns - self.offset_ns

    def to_recorder(self, runner_ns: int) -> int:
        """Convert a time of the runner to the recorder's clock."""
        return runner_ns + self.offset_ns

    def as_record(self) -> dict[str, object]:
        """Give the entry of the manifest."""
        return {"offset_ns": self.offset_ns, "bound_ns": self.bound_ns, "method": self.method}


@dataclass(frozen=True)
class Exchange:
    """Four times of one request: sent and answered by the runner's clock, received and sent by the recorder's."""

    asked_ns: int
    received_ns: int
    sent_ns: int
    answered_ns: int

    @property
    def delay_ns(self) -> int:
        """Time on the way, both directions."""
        return (self.answered_ns - self.asked_ns) - (self.sent_ns - self.received_ns)

    @property
    def offset_ns(self) -> int:
        """Offset if both directions took the same time; wrong by at most half the delay."""
        return ((self.received_ns - self.asked_ns) + (self.sent_ns - self.answered_ns)) // 2


def best_offset(exchanges: list[Exchange]) -> ClockOffset:
    """Take the exchange that spent the least time on the way: its bound is the narrowest."""
    best = min(exchanges, key=lambda exchange: exchange.delay_ns)
    return ClockOffset(best.offset_ns, max(0, -(-best.delay_ns // 2)), "four_timestamps")


async def clock_offset(http: SignedHttp, own_boot_id: str, server_boot_id: str) -> ClockOffset:
    """Relate a server's clock to ours: the same kernel has the same clock, else it is measured."""
    if own_boot_id and own_boot_id == server_boot_id:
        return ClockOffset(0, 0, "one_kernel")
    exchanges: list[Exchange] = []
    for _ in range(EXCHANGES):
        asked_ns = time.time_ns()
        answer = (await http.ask(CLOCK_PATH)).json()
        exchanges.append(Exchange(asked_ns, answer["received_ns"], answer["sent_ns"], time.time_ns()))
    return best_offset(exchanges)
