"""What happens to one message between the middleware and the buffers. Needs no ROS."""

from collections.abc import Callable, Mapping
from time import monotonic_ns, time_ns
from typing import Any

from ros2bench_recorder.captures import Captures
from ros2bench_recorder.cdr import MISSING, NOTHING, READERS
from ros2bench_recorder.configuration import Topic
from ros2bench_recorder.sample import SampleRow
from ros2bench_recorder.tally import Tally


class TopicRecorder:
    """Turns the serialised messages of one topic into samples and counts."""

    def __init__(
        self,
        topic: Topic,
        captures: Captures | None,
        offset_ns: int = 0,
        offer: Callable[[bytes], None] | None = None,
    ) -> None:
        """Begin without a message.

        Args:
            topic: what is recorded.
            captures: where samples go; None for a topic that is only watched.
            offset_ns: how far the recorder's clock is ahead of the machine's; see `clock`.
            offer: takes each message whose fields are metrics, too; None for all other topics.
        """
        self.topic = topic
        self.tally = Tally(topic.expected_rate_hz)
        self.unreadable = 0
        self._number = captures.number(topic.name) if captures else MISSING
        self._add = captures.add if captures else _drop
        self._offer = offer
        self._read = READERS[topic.stamp]
        self._offset_ns = offset_ns

    def record(self, serialised: bytes, info: Mapping[str, Any]) -> None:
        """Keep a message that has just been taken.

        Args:
            serialised: the message as CDR.
            info: what the middleware says of it: `source_timestamp`, `received_timestamp`, and
                where it knows `publication_sequence_number`.
        """
        taken_ns, taken_monotonic_ns = time_ns() + self._offset_ns, monotonic_ns()
        try:
            frame_number, intended_ns, published_ns = self._read(serialised)
        except ValueError:
            self.unreadable += 1
            frame_number, intended_ns, published_ns = NOTHING
        source_ns = info.get('source_timestamp') or MISSING
        received_ns = info.get('received_timestamp') or MISSING
        if received_ns != MISSING:
            received_ns += self._offset_ns
        sequence_number = info.get('publication_sequence_number')
        if sequence_number is None:
            sequence_number = MISSING
        self._add(
            self._number,
            (
                frame_number,
                intended_ns,
                published_ns,
                source_ns,
                received_ns,
                taken_ns,
                taken_monotonic_ns,
                sequence_number,
            ),
        )
        origin_ns = source_ns if intended_ns == MISSING else intended_ns
        unknown = MISSING in (origin_ns, received_ns)
        self.tally.add(
            None if unknown else received_ns - origin_ns,
            sequence_number,
            len(serialised),
            taken_ns if received_ns == MISSING else received_ns,
        )
        if self._offer is not None:
            self._offer(serialised)


def _drop(_number: int, _sample: SampleRow) -> None:
    """Keep nothing of a topic that is only watched."""
