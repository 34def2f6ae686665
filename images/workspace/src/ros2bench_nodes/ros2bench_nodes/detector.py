"""The detector: finds the text in every frame."""

import sys
import time
from typing import Any

import numpy as np

from ros2bench_interfaces.msg import Box, Detections, Frame
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.faults import Faults
from ros2bench_nodes.frame_image import pixels
from ros2bench_nodes.inference import open_inference
from ros2bench_nodes.stamps import stamp
from ros2bench_nodes.text_detection import boxes_from_map
from ros2bench_telemetry.json_lines import say

REVISION = '0000000000000000'


class Detector(ApplicationNode):
    """Subscribes to `frames`, publishes `detections`, one for each frame that arrives."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('detector', **node_options)

    def make(self) -> None:
        """Load the model, use it once, and listen."""
        stream = self.values['stream']
        self._faults = Faults.of(self.values)
        self._inference = open_inference(self.values)
        say('INFO', f'revision {REVISION}', logger='detector')
        topic = topics.of_stream(topics.DETECTIONS, stream)
        self._publisher = self.create_publisher(Detections, topic, topics.EVENTS_QOS)
        self._tracer = self.open_tracer('detect', topic=topic, after='camera')
        self.create_subscription(
            Frame, topics.of_stream(topics.FRAMES, stream), self._on_frame, topics.FRAMES_QOS
        )

    def _on_frame(self, message: Frame) -> None:
        begun_ns = time.time_ns() if self._tracer else 0
        frame = pixels(message.image)
        probability, inference_s = self._inference.run(frame)
        boxes = []
        if probability is not None:
            boxes = boxes_from_map(
                probability, frame.shape[1], frame.shape[0], self.values['score_threshold']
            )
        if not self._faults.lets_pass(message.stamp.frame_number):
            return
        self._publisher.publish(
            Detections(
                stamp=stamp(message.stamp.intended, message.stamp.frame_number),
                boxes=[
                    Box(corners_px=np.array(box.corners_px, np.float32), score=box.score)
                    for box in boxes
                ],
                inference_s=inference_s,
            )
        )
        if self._tracer:
            self._tracer.note(message.stamp.frame_number, message.stamp.intended, begun_ns)
        self.health.note_message()


def main() -> int:
    """Run the detector alone."""
    return run(Detector)


if __name__ == '__main__':
    sys.exit(main())
