"""The monitor: joins what was found with what was read; its result is what is measured."""

import sys
from typing import Any

from ros2bench_interfaces.msg import Detections, Reading, Result
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.stamps import stamp


class Monitor(ApplicationNode):
    """Subscribes to `detections` and `readings`, publishes one `results` per Detections."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('monitor', **node_options)

    def make(self) -> None:
        """Listen to both."""
        self._latest_reading: Reading | None = None
        self._publisher = self.create_publisher(Result, topics.RESULTS, topics.EVENTS_QOS)
        self.create_subscription(
            Detections, topics.DETECTIONS, self._on_detections, topics.EVENTS_QOS
        )
        self.create_subscription(Reading, topics.READINGS, self._on_reading, topics.EVENTS_QOS)

    def _on_reading(self, message: Reading) -> None:
        self._latest_reading = message

    def _on_detections(self, message: Detections) -> None:
        reading = self._latest_reading
        self._publisher.publish(
            Result(
                stamp=stamp(message.stamp.intended, message.stamp.frame_number),
                box_count=len(message.boxes),
                detection_s=message.inference_s,
                has_reading=reading is not None,
                reading_frame_number=reading.stamp.frame_number if reading else 0,
                lines=reading.lines if reading else [],
            )
        )
        self.health.note_message()


def main() -> int:
    """Run the monitor alone."""
    return run(Monitor)


if __name__ == '__main__':
    sys.exit(main())
