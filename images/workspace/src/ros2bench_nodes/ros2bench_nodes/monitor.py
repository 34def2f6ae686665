"""The monitor: joins what was found with what was read; its result is what is measured."""

import sys
import time
from typing import Any

from ros2bench_interfaces.msg import Detections, Reading, Result
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.faults import Faults
from ros2bench_nodes.own_report import OwnReport
from ros2bench_nodes.stamps import stamp


class Monitor(ApplicationNode):
    """Subscribes to `detections` and `readings`, publishes one `results` per Detections."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('monitor', **node_options)

    def make(self) -> None:
        """Listen to both."""
        self._latest_reading: Reading | None = None
        self._faults = Faults.of(self.values)
        self._report = OwnReport(self.values['report_frames'])
        results, detections, readings = (
            topics.of_stream(topic, self.values['stream'])
            for topic in (topics.RESULTS, topics.DETECTIONS, topics.READINGS)
        )
        self._publisher = self.create_publisher(Result, results, topics.EVENTS_QOS)
        self._tracer = self.open_tracer('report', topic=results, after='detector')
        self.create_subscription(Detections, detections, self._on_detections, topics.EVENTS_QOS)
        self.create_subscription(Reading, readings, self._on_reading, topics.EVENTS_QOS)

    def _on_reading(self, message: Reading) -> None:
        self._latest_reading = message

    def _on_detections(self, message: Detections) -> None:
        begun_ns = time.time_ns() if self._tracer else 0
        reading = self._latest_reading
        if not self._faults.lets_pass(message.stamp.frame_number):
            return
        own_stamp = stamp(message.stamp.intended, message.stamp.frame_number)
        self._publisher.publish(
            Result(
                stamp=own_stamp,
                box_count=len(message.boxes),
                detection_s=message.inference_s,
                has_reading=reading is not None,
                reading_frame_number=reading.stamp.frame_number if reading else 0,
                lines=reading.lines if reading else [],
            )
        )
        if self._tracer:
            used = reading.stamp if reading else None
            number = own_stamp.frame_number
            self._tracer.note(number, own_stamp.intended, begun_ns, used, 'reader')
        self._report.add(own_stamp)
        self.health.note_message()


def main() -> int:
    """Run the monitor alone."""
    return run(Monitor)


if __name__ == '__main__':
    sys.exit(main())
