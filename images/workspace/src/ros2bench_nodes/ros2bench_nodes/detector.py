"""The detector: finds the text in every frame."""

import sys
import time
from typing import Any

import numpy as np

from ros2bench_interfaces.msg import Box, Detections, Frame
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.frame_image import pixels
from ros2bench_nodes.model import open_model
from ros2bench_nodes.network_input import detection_input
from ros2bench_nodes.stamps import stamp
from ros2bench_nodes.text_detection import boxes_from_map

MODEL_FILE = 'detection.onnx'


class Detector(ApplicationNode):
    """Subscribes to `frames`, publishes `detections`, one for each frame that arrives."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('detector', **node_options)

    def make(self) -> None:
        """Load the model, use it once, and listen."""
        values = self.values
        self._session = open_model('detector', values['model'], MODEL_FILE, values['threads'])
        self._input_name = self._session.get_inputs()[0].name
        self._infer(np.zeros((values['input_height_px'], values['input_width_px'], 3), np.uint8))
        self._publisher = self.create_publisher(Detections, topics.DETECTIONS, topics.EVENTS_QOS)
        self.create_subscription(Frame, topics.FRAMES, self._on_frame, topics.FRAMES_QOS)

    def _infer(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        """Text map and time in the model, in seconds."""
        network_input = detection_input(
            frame, self.values['input_width_px'], self.values['input_height_px']
        )
        start_s = time.perf_counter()
        for _ in range(self.values['repeat']):
            outputs = self._session.run(None, {self._input_name: network_input})
        return outputs[0][0, 0], time.perf_counter() - start_s

    def _on_frame(self, message: Frame) -> None:
        frame = pixels(message.image)
        probability, inference_s = self._infer(frame)
        boxes = boxes_from_map(
            probability, frame.shape[1], frame.shape[0], self.values['score_threshold']
        )
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
        self.health.note_message()


def main() -> int:
    """Run the detector alone."""
    return run(Detector)


if __name__ == '__main__':
    sys.exit(main())
