"""What a detector does with a frame: run a model, or use up as much processor time as one would."""

import time
from typing import Any, Protocol

import numpy as np

from ros2bench_nodes.model import open_model
from ros2bench_nodes.model_input import ModelInput, model_input
from ros2bench_nodes.network_input import detection_input, plain_input
from ros2bench_nodes.parameters import MODEL_IN_IMAGE, ParameterError
from ros2bench_nodes.processor_load import ProcessorLoad

MODEL_FILE = 'detection.onnx'


class Inference(Protocol):
    """Looks at a frame."""

    def run(self, frame: np.ndarray) -> tuple[np.ndarray | None, float]:
        """Text map, float (height, width), or None where there is none; seconds that it took."""
        ...


class OnnxInference:
    """Runs an ONNX model: the image's text detection, or any other whose input is one picture."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Load the model.

        Args:
            values: the detector's checked parameters.

        Raises:
            ParameterError: there is no such model, or its input is no picture.
        """
        self._session = open_model('detector', values['model'], MODEL_FILE, values['threads'])
        self._repeat = values['repeat']
        self._is_text_detection = values['model'] == MODEL_IN_IMAGE
        inputs = [(one.name, one.shape, one.type) for one in self._session.get_inputs()]
        self._input: ModelInput = model_input(
            values['model'], inputs, values['input_width_px'], values['input_height_px']
        )
        try:
            self.run(np.zeros((self._input.height_px, self._input.width_px, 3), np.uint8))
        except Exception as error:  # onnxruntime's exceptions have no common public base
            raise ParameterError(
                f'Parameter "model" of the detector is {values["model"]!r}, which cannot look at a '
                f'picture of {self._input.width_px}x{self._input.height_px}: {error}'
            ) from error

    def run(self, frame: np.ndarray) -> tuple[np.ndarray | None, float]:
        """Scale the frame and run the model; the time is that in the model alone."""
        wanted = self._input
        if self._is_text_detection:
            network_input = detection_input(frame, wanted.width_px, wanted.height_px)
        else:
            network_input = plain_input(frame, wanted)
        start_s = time.perf_counter()
        for _ in range(self._repeat):
            outputs = self._session.run(None, {wanted.name: network_input})
        inference_s = time.perf_counter() - start_s
        return (outputs[0][0, 0] if self._is_text_detection else None), inference_s


class SyntheticInference:
    """Uses up the same processor time for each frame and finds nothing."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Calibrate.

        Args:
            values: the detector's checked parameters.
        """
        self._repeat = values['repeat']
        self._load = ProcessorLoad(values['cost_s'])

    def run(self, frame: np.ndarray) -> tuple[np.ndarray | None, float]:
        """Use up the cost, whatever the frame shows."""
        del frame
        start_s = time.perf_counter()
        for _ in range(self._repeat):
            self._load.burn()
        return None, time.perf_counter() - start_s


def open_inference(values: dict[str, Any]) -> Inference:
    """What the detector's parameters ask for.

    Raises:
        ParameterError: a model that cannot be used.
    """
    return (
        SyntheticInference(values) if values['inference'] == 'synthetic' else OnnxInference(values)
    )
