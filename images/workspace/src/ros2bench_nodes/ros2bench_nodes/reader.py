"""The reader: now and then reads the text that the detector found."""

import queue
import sys
import threading
import time
from collections import deque
from typing import Any

from rclpy.serialization import deserialize_message

from ros2bench_interfaces.msg import Detections, Frame, Reading
from ros2bench_nodes import topics
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.frame_image import pixels
from ros2bench_nodes.model import open_model
from ros2bench_nodes.network_input import recognition_input
from ros2bench_nodes.stamps import frame_number_of, stamp
from ros2bench_nodes.text_recognition import alphabet, cut_out, decode

MODEL_FILE = 'recognition.onnx'
FRAMES_KEPT = 16
STOP_LIMIT_S = 0.8


class Reader(ApplicationNode):
    """Subscribes to `frames` and `detections`, publishes `readings`, one per trigger period.

    Reading takes longer than a frame period, so a thread of its own does it and no callback waits.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__('reader', **node_options)

    def make(self) -> None:
        """Load the model, listen, and start the thread that reads."""
        values = self.values
        self._session = open_model('reader', values['model'], MODEL_FILE, values['threads'])
        self._input_name = self._session.get_inputs()[0].name
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._characters = alphabet(metadata.get('character', ''))
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=FRAMES_KEPT)
        self._due = True
        self._jobs: queue.SimpleQueue[tuple[bytes, Detections] | None] = queue.SimpleQueue()
        self._busy = False
        self._stopping = False
        frames, detections, readings = (
            topics.of_stream(topic, values['stream'])
            for topic in (topics.FRAMES, topics.DETECTIONS, topics.READINGS)
        )
        self._publisher = self.create_publisher(Reading, readings, topics.EVENTS_QOS)
        self._tracer = self.open_tracer('read', topic=readings, after='detector')
        # Frames stay serialised: only the one that is read is worth the conversion.
        self.create_subscription(Frame, frames, self._on_frame, topics.FRAMES_QOS, raw=True)
        self.create_subscription(Detections, detections, self._on_detections, topics.EVENTS_QOS)
        self.create_timer(values['trigger_period_s'], self._on_trigger)
        self._thread = threading.Thread(target=self._work, name='reader', daemon=True)
        self._thread.start()

    def _on_trigger(self) -> None:
        self._due = True

    def _on_frame(self, serialised: bytes) -> None:
        self._frames.append((frame_number_of(serialised), serialised))

    def _on_detections(self, message: Detections) -> None:
        if self._busy:
            return
        if not self._due or not message.boxes:
            # Nothing to read is work done; what is to be read is done when it has been read.
            self.health.note_message()
            return
        wanted = message.stamp.frame_number
        serialised = next((data for number, data in self._frames if number == wanted), None)
        if serialised is not None:
            self._due, self._busy = False, True
            self._jobs.put((serialised, message))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            serialised, detections = job
            begun_ns = time.time_ns() if self._tracer else 0
            reading = self._read(deserialize_message(serialised, Frame), detections)
            self._busy = False
            if reading is None:
                return
            try:
                self._publisher.publish(reading)
            except Exception:
                if self._stopping or not self.context.ok():
                    return
                raise
            if self._tracer:
                frame = detections.stamp
                self._tracer.note(frame.frame_number, frame.intended, begun_ns)
            self.health.note_message()

    def _read(self, frame: Frame, detections: Detections) -> Reading | None:
        """Read the surest boxes in reading order; None when the node is stopping."""
        image = pixels(frame.image)
        surest = sorted(detections.boxes, key=lambda box: -box.score)[: self.values['max_boxes']]
        surest.sort(key=lambda box: (box.corners_px[1], box.corners_px[0]))
        lines, scores, inference_s = [], [], 0.0
        for box in surest:
            if self._stopping or not self.context.ok():
                return None
            line = cut_out(image, box.corners_px.tolist())
            if line is None:
                continue
            start_s = time.perf_counter()
            outputs = self._session.run(None, {self._input_name: recognition_input(line)})
            inference_s += time.perf_counter() - start_s
            text, score = decode(outputs[0][0], self._characters)
            lines.append(text)
            scores.append(score)
        return Reading(
            stamp=stamp(detections.stamp.intended, detections.stamp.frame_number),
            lines=lines,
            scores=scores,
            inference_s=inference_s,
        )

    def check_work(self) -> None:
        """Raise if the reading thread has died, so that the pod is restarted rather than silent."""
        if not self._thread.is_alive() and self.context.ok():
            raise RuntimeError(
                'The reader has stopped reading; its thread ended with the error above.'
            )

    def destroy_node(self) -> None:
        """Stop reading and free everything that the node made."""
        self._stopping = True
        self._jobs.put(None)
        self._thread.join(STOP_LIMIT_S)
        super().destroy_node()


def main() -> int:
    """Run the reader alone."""
    return run(Reader)


if __name__ == '__main__':
    sys.exit(main())
