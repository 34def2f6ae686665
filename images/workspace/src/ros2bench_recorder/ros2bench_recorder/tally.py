"""Counts of one topic since the recorder started: messages, losses, latencies. Needs no ROS."""

from bisect import bisect_left

from ros2bench_recorder.cdr import MISSING

NANOSECONDS_PER_SECOND = 1_000_000_000
# 1-2-5 steps from 20 µs to 10 s.
LATENCY_BOUNDS_S = tuple(
    digit * 10.0**exponent for exponent in range(-5, 2) for digit in (1, 2, 5)
)[1:-2]
_LATENCY_BOUNDS_NS = tuple(round(bound * NANOSECONDS_PER_SECOND) for bound in LATENCY_BOUNDS_S)


STREAMS_KEPT = 64
NEVER_NS = 2**63


class SequenceGaps:
    """Counts lost messages from gaps in sequence numbers.

    The middleware does not say which publisher sent a message. Each publisher counts for itself, so
    a number belongs to the stream whose last number is the nearest below it; a number below all of
    them begins a stream.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._last_numbers: list[int] = []

    @property
    def is_told(self) -> bool:
        """Whether any message had a number."""
        return bool(self._last_numbers)

    def add(self, sequence_number: int) -> None:
        """Take note of a number that has arrived; -1 (the middleware tells none) is ignored."""
        if sequence_number < 0:
            return
        streams = self._last_numbers
        if len(streams) == 1 and streams[0] < sequence_number:
            # By far the most frequent case.
            self.lost += sequence_number - streams[0] - 1
            streams[0] = sequence_number
            return
        nearest = max(
            (index for index, last in enumerate(streams) if last < sequence_number),
            key=streams.__getitem__,
            default=None,
        )
        if nearest is None:
            streams.append(sequence_number)
            del streams[:-STREAMS_KEPT]
        else:
            self.lost += sequence_number - streams[nearest] - 1
            streams[nearest] = sequence_number


class Tally:
    """Running counts of one topic; only the drain loop changes them, anybody may read them.

    Attributes:
        received: messages.
        size_bytes: sum of their serialised sizes.
        arrived_ns: receipt of the last one, nanoseconds since the epoch; -1 before the first.
    """

    def __init__(self, expected_rate_hz: float | None = None) -> None:
        """Begin.

        Args:
            expected_rate_hz: rate at which the source intends to send; None where nobody knows it.
        """
        self.received = 0
        self.size_bytes = 0
        self.arrived_ns = MISSING
        self.latency_counts = [0] * (len(_LATENCY_BOUNDS_NS) + 1)
        self.latency_sum_ns = 0
        self._late = 0
        self._is_late_known = expected_rate_hz is not None
        self._late_above_ns = (
            round(NANOSECONDS_PER_SECOND / expected_rate_hz) if expected_rate_hz else NEVER_NS
        )
        self._is_latency_known = False
        self._from_the_future = 0
        self._gaps = SequenceGaps()

    @property
    def lost(self) -> int | None:
        """Messages that never arrived after the first one had; None while no message has told."""
        return self._gaps.lost if self._gaps.is_told else None

    @property
    def late(self) -> int | None:
        """Messages whose latency was above one period; None while period or latency is unknown."""
        return self._late if self._is_late_known and self._is_latency_known else None

    @property
    def from_the_future(self) -> int | None:
        """Messages that came before they were sent, by two clocks; None while no latency is known.

        They count as received, but neither as late nor in the latencies, whose sum never falls.
        """
        is_known = self._is_latency_known or self._from_the_future > 0
        return self._from_the_future if is_known else None

    def add(
        self,
        latency_ns: int | None,
        sequence_number: int,
        size_bytes: int = 0,
        arrived_ns: int = MISSING,
    ) -> None:
        """Count a message.

        Args:
            latency_ns: from intended time (else DDS source time) to DDS receipt; None where
                unknown, below 0 where the clocks of source and recorder differ by more than it.
            sequence_number: the publisher's, -1 where the middleware tells none.
            size_bytes: of the message as it was sent.
            arrived_ns: real time of its receipt.
        """
        self.received += 1
        self.size_bytes += size_bytes
        self.arrived_ns = arrived_ns
        if latency_ns is not None and latency_ns < 0:
            self._from_the_future += 1
        elif latency_ns is not None:
            self.latency_counts[bisect_left(_LATENCY_BOUNDS_NS, latency_ns)] += 1
            self.latency_sum_ns += latency_ns
            self._is_latency_known = True
            if latency_ns > self._late_above_ns:
                self._late += 1
        self._gaps.add(sequence_number)
