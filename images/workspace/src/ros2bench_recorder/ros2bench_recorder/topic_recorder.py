"""What happens to one message between the middleware and the buffers. Needs no ROS."""

import time
from collections.abc import Mapping
from typing import Any

from ros2bench_recorder.captures import Captures, Sample
from ros2bench_recorder.cdr import MISSING, NOTHING, READERS
from ros2bench_recorder.configuration import Topic
from ros2bench_recorder.tally import Tally


class TopicRecorder:
    """Turns the serialised messages of one topic into samples and counts."""

    def __init__(self, topic: Topic, captures: Captures) -> None:
        self.topic = topic
        self.tally = Tally()
        self.unreadable = 0
        self._captures = captures
        self._read = READERS[topic.stamp]

    def record(self, serialised: bytes, info: Mapping[str, Any]) -> None:
        """Keep a message that has just been taken.

        Args:
            serialised: the message as CDR.
            info: what the middleware says of it: `source_timestamp`, `received_timestamp`, and
                where it knows `publication_sequence_number`.
        """
        taken_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        try:
            fields = self._read(serialised)
        except ValueError:
            self.unreadable += 1
            fields = NOTHING
        source_ns = info.get('source_timestamp') or MISSING
        received_ns = info.get('received_timestamp') or MISSING
        sequence_number = info.get('publication_sequence_number')
        if sequence_number is None:
            sequence_number = MISSING
        self._captures.add(
            self.topic.name,
            Sample(*fields, source_ns, received_ns, taken_ns, monotonic_ns, sequence_number),
        )
        origin_ns = fields.intended_ns if fields.intended_ns != MISSING else source_ns
        known = MISSING not in {origin_ns, received_ns}
        self.tally.add(received_ns - origin_ns if known else None, sequence_number)
