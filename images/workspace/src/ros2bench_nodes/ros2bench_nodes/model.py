"""Opens the ONNX models that the image carries or that a user names."""

import base64
import binascii
from pathlib import Path
from typing import Any

import onnxruntime

from ros2bench_nodes.parameters import MODEL_IN_IMAGE, ParameterError

MODELS_IN_IMAGE = Path('/opt/ros2bench/models')
# A ConfigMap that was written from text holds no other bytes.
BASE64_SUFFIX = '.base64'


def open_model(kind: str, model: str, file_name: str, threads: int) -> Any:
    """Make an inference session on the CPU.

    Args:
        kind: node that asks, for the error's sentence.
        model: `pp-ocr` or a path; a file that ends in `.base64` is decoded.
        file_name: name of the PP-OCR model in the image.
        threads: threads inside one operator.

    Raises:
        ParameterError: the file is missing or no ONNX model.
    """
    path = MODELS_IN_IMAGE / file_name if model == MODEL_IN_IMAGE else Path(model)
    if not path.is_file():
        raise ParameterError(
            f'Parameter "model" of the {kind} is {model!r} but there is no file {path}: '
            f'give "{MODEL_IN_IMAGE}" or the path of an ONNX file in the container.'
        )
    # Nothing in the cluster may call home; the image's ORT_DISABLE_TELEMETRY says the same.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads would otherwise burn the processor time that is being measured.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    try:
        source = _decoded(path) if path.suffix == BASE64_SUFFIX else str(path)
        return onnxruntime.InferenceSession(
            source, sess_options=options, providers=['CPUExecutionProvider']
        )
    except Exception as error:  # onnxruntime's exceptions have no common public base
        raise ParameterError(
            f'Parameter "model" of the {kind} is {model!r} but {path} cannot be loaded: {error}'
        ) from error


def _decoded(path: Path) -> bytes:
    text = b''.join(path.read_bytes().split())
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f'it is no Base64: {error}') from error
