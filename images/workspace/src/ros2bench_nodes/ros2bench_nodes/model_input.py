"""Which picture a model takes, read from the model itself. Needs no ROS and no onnxruntime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ros2bench_nodes.parameters import ParameterError

TYPES = {'tensor(float)': 'float32', 'tensor(float16)': 'float16', 'tensor(uint8)': 'uint8'}
DIMENSIONS = 4
CHANNELS = (1, 3)
Dimension = int | str | None


@dataclass(frozen=True)
class ModelInput:
    """The picture that a model takes.

    Attributes:
        name: of the input.
        width_px: width of the picture.
        height_px: height of the picture.
        channels: 1 (grey) or 3 (red green blue).
        order: channels before or after the pixels.
        dtype: `float32` or `float16` (0..1), or `uint8` (0..255).
    """

    name: str
    width_px: int
    height_px: int
    channels: int
    order: Literal['first', 'last']
    dtype: str


def model_input(
    model: str,
    inputs: Sequence[tuple[str, Sequence[Dimension], str]],
    width_px: int,
    height_px: int,
) -> ModelInput:
    """Read from a model's inputs which picture it takes.

    Args:
        model: path of the model, for the error's sentence.
        inputs: name, shape (a dimension left open is a name or None) and type of each input.
        width_px: width where the model leaves it open.
        height_px: height where the model leaves it open.

    Raises:
        ParameterError: several inputs, or one that is no picture.
    """
    if len(inputs) != 1:
        names = ', '.join(name for name, _, _ in inputs) or 'none'
        raise _refusal(model, f'has {len(inputs)} inputs ({names}), a detector has one picture')
    name, shape, kind = inputs[0]
    if kind not in TYPES:
        raise _refusal(model, f'takes {kind}; a picture is one of {", ".join(TYPES)}')
    batch, *picture = shape if len(shape) == DIMENSIONS else (None,)
    if not picture or (isinstance(batch, int) and batch != 1):
        raise _refusal(model, f'takes the shape {list(shape)}; a picture is [1, 3, height, width]')
    if picture[0] in CHANNELS:
        channels, height, width, order = *picture, 'first'
    elif picture[2] in CHANNELS:
        height, width, channels, order = *picture, 'last'
    else:
        raise _refusal(model, f'takes the shape {list(shape)}; 1 or 3 channels are expected')
    return ModelInput(
        name=name,
        width_px=width if isinstance(width, int) else width_px,
        height_px=height if isinstance(height, int) else height_px,
        channels=channels,
        order=order,
        dtype=TYPES[kind],
    )


def _refusal(model: str, reason: str) -> ParameterError:
    return ParameterError(
        f'Parameter "model" of the detector is {model!r}, which {reason}: give "pp-ocr" or a model '
        f'with one picture as its input.'
    )
