"""The camera: publishes frames on an absolute schedule, whatever the others do."""

import sys
from typing import Any

from sensor_msgs.msg import Image

from ros2bench_interfaces.msg import Frame
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.faults import Faults
from ros2bench_nodes.frame_source import open_source
from ros2bench_nodes.metronome import Metronome
from ros2bench_nodes.stamps import stamp, time_message

FRAME_ID = 'camera'


class Camera(ApplicationNode):
    """Publishes `frames`; a late frame goes out at once, with the time when it was due.

    A thread of its own keeps the schedule, so that a busy executor cannot delay it.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('camera', **node_options)

    def make(self) -> None:
        """Prepare the pictures and begin to publish them."""
        values = self.values
        self._faults = Faults.of(values)
        self._source = open_source(values)
        topic = topics.of_stream(topics.FRAMES, values['stream'])
        self._publisher = self.create_publisher(Frame, topic, topics.FRAMES_QOS)
        self._tracer = self.open_tracer('capture', topic=topic)
        self._metronome = Metronome(
            'camera',
            values['rate_hz'],
            self._publish,
            burst=values['burst'],
            is_over=lambda: not self.context.ok(),
        )
        self._metronome.start()

    def _publish(self, due_ns: int, frame_number: int) -> None:
        payload = self._source.payload(frame_number)
        if payload is None or not self._faults.lets_pass(frame_number):
            return
        intended = time_message(due_ns)
        image = Image(
            height=payload.height_px,
            width=payload.width_px,
            encoding=payload.encoding,
            step=payload.step,
            data=payload.data,
        )
        image.header.stamp = intended
        image.header.frame_id = FRAME_ID
        self._publisher.publish(Frame(stamp=stamp(intended, frame_number), image=image))
        if self._tracer:
            # From when it was due: to be late is part of what the camera does.
            self._tracer.note(frame_number, due_ns, due_ns)
        self.health.note_message()

    def check_work(self) -> None:
        """Raise if a thread of the camera has died, so that the pod is restarted, not blind."""
        self._metronome.check()
        self._source.check()

    def destroy_node(self) -> None:
        """Stop publishing and free everything that the node made."""
        self._metronome.stop()
        self._source.close()
        super().destroy_node()


def main() -> int:
    """Run the camera alone."""
    return run(Camera)


if __name__ == '__main__':
    sys.exit(main())
