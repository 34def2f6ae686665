"""What was measured of the network between two machines: plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from probes.stats import FloatArray

Part = Literal["idle", "load"]


@dataclass(frozen=True)
class RoundTrips:
    """Round trips of a probe, in order of sending; a datagram that was not answered gives none.

    `machine_clock_ns` are begin and end of the probe in the clock of the machine that sent it.
    """

    sent: int
    rtt_s: FloatArray
    machine_clock_ns: tuple[int, int]

    @property
    def lost_ratio(self) -> float:
        """Share of the datagrams that were not answered."""
        return 1 - self.rtt_s.size / self.sent


@dataclass(frozen=True)
class Bandwidth:
    """Highest rate of UDP payload that arrived, and what ended the search.

    `limited_by` is `network`, or `sender`, `receiver` or `time`: then the network may carry more.
    """

    bytes_per_s: float
    limited_by: str

    @property
    def is_of_network(self) -> bool:
        """Whether the network was the limit, not the probe."""
        return self.limited_by == "network"


@dataclass(frozen=True)
class LinkProbe:
    """The way from one machine to another, while the application was parked (`idle`) or running (`load`).

    What could not be measured is the reason why.
    """

    machine: str
    peer: str
    part: Part
    trips: RoundTrips | str
    bandwidth: Bandwidth | str

    @property
    def labels(self) -> dict[str, str]:
        """Labels of its readings."""
        return {"machine": self.machine, "peer": self.peer, "part": self.part}


Links = tuple[LinkProbe, ...] | str
"""What was measured between machines, or the reason why nothing was."""


def seconds(nanoseconds: Sequence[int]) -> FloatArray:
    """Convert round trips as a machine reader gives them."""
    return np.asarray(nanoseconds, dtype=np.float64) / 1e9
