"""The camera: publishes frames on an absolute schedule, whatever the others do."""

import array
import sys
import threading
import time
from typing import Any

from sensor_msgs.msg import Image

from ros2bench_interfaces.msg import Frame
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.pictures import load_frames
from ros2bench_nodes.schedule import NANOSECONDS_PER_SECOND, Schedule

FRAME_ID = 'camera'
STOP_LIMIT_S = 0.5


class Camera(ApplicationNode):
    """Publishes `/frames`; a late frame goes out at once, with the time when it was due.

    A thread of its own keeps the schedule, so that a busy executor cannot delay it.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('camera', **node_options)
        values = self.values
        frames = load_frames(
            values['source'], values['width_px'], values['height_px'], values['seed']
        )
        # rclpy copies an array of bytes as it is; any other sequence is checked item by item.
        self._images = [array.array('B', frame.tobytes()) for frame in frames]
        self._publisher = self.create_publisher(Frame, topics.FRAMES, topics.FRAMES_QOS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._shoot, name='camera', daemon=True)
        self._thread.start()
        self.health.ready()

    def _shoot(self) -> None:
        values = self.values
        schedule = Schedule(
            start_ns=time.time_ns() + round(NANOSECONDS_PER_SECOND / values['rate_hz']),
            rate_hz=values['rate_hz'],
            burst=values['burst'],
        )
        real_minus_monotonic_ns = time.time_ns() - time.monotonic_ns()
        frame_number = 0
        while True:
            due_ns = schedule.due_ns(frame_number)
            # Waiting on the monotonic clock: a step of the real-time clock must not move a frame.
            wait_ns = due_ns - real_minus_monotonic_ns - time.monotonic_ns()
            if self._stop.wait(max(0, wait_ns) / NANOSECONDS_PER_SECOND):
                return
            frame = self._frame(due_ns, frame_number)
            try:
                self._publisher.publish(frame)
            except Exception:
                if self._stop.is_set() or not self.context.ok():
                    return
                raise
            frame_number += 1

    def _frame(self, due_ns: int, frame_number: int) -> Frame:
        intended = topics.time_message(due_ns)
        image = Image(
            height=self.values['height_px'],
            width=self.values['width_px'],
            encoding='rgb8',
            step=3 * self.values['width_px'],
            data=self._images[frame_number % len(self._images)],
        )
        image.header.stamp = intended
        image.header.frame_id = FRAME_ID
        return Frame(stamp=topics.stamp(intended, frame_number), image=image)

    def check_work(self) -> None:
        """Raise if the camera's thread has died, so that the pod is restarted, not blind."""
        if not self._thread.is_alive() and self.context.ok():
            raise RuntimeError(
                'The camera has stopped publishing; its thread ended with the error above.'
            )

    def destroy_node(self) -> None:
        """Stop publishing and free everything that the node made."""
        self._stop.set()
        self._thread.join(STOP_LIMIT_S)
        super().destroy_node()


def main() -> int:
    """Run the camera alone."""
    return run(Camera)


if __name__ == '__main__':
    sys.exit(main())
