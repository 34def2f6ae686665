"""Counts of one topic since the recorder started: messages, losses, latencies. Needs no ROS."""

from bisect import bisect_left

NANOSECONDS_PER_SECOND = 1_000_000_000
# 1-2-5 steps from 20 µs to 10 s.
LATENCY_BOUNDS_S = tuple(
    digit * 10.0**exponent for exponent in range(-5, 2) for digit in (1, 2, 5)
)[1:-2]
_LATENCY_BOUNDS_NS = tuple(round(bound * NANOSECONDS_PER_SECOND) for bound in LATENCY_BOUNDS_S)


STREAMS_KEPT = 64


class SequenceGaps:
    """Counts lost messages from gaps in sequence numbers.

    The middleware does not say which publisher sent a message. Each publisher counts for itself, so
    a number belongs to the stream whose last number is the nearest below it; a number below all of
    them begins a stream.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._last_numbers: list[int] = []

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
    """Running counts of one topic; only the drain loop changes them, anybody may read them."""

    def __init__(self) -> None:
        self.received = 0
        self.latency_counts = [0] * (len(_LATENCY_BOUNDS_NS) + 1)
        self.latency_sum_ns = 0
        self._gaps = SequenceGaps()

    @property
    def lost(self) -> int:
        """Messages that never arrived after the first one had."""
        return self._gaps.lost

    def add(self, latency_ns: int | None, sequence_number: int) -> None:
        """Count a message.

        Args:
            latency_ns: from intended time (else DDS source time) to DDS receipt; None where
                unknown.
            sequence_number: the publisher's, -1 where the middleware tells none.
        """
        self.received += 1
        if latency_ns is not None:
            self.latency_counts[bisect_left(_LATENCY_BOUNDS_NS, latency_ns)] += 1
            self.latency_sum_ns += latency_ns
        self._gaps.add(sequence_number)
