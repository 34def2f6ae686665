"""The pixels of a sensor_msgs/Image as an array, copied only where they are encoded otherwise."""

from typing import Any

import numpy as np

from ros2bench_nodes.encoding import JPEG

CHANNELS = {'rgb8': 3, 'bgr8': 3, 'mono8': 1}


def pixels(image: Any) -> np.ndarray:
    """View an image message as an array.

    Args:
        image: a sensor_msgs/Image or anything with its fields.

    Returns:
        uint8, (height, width, 3), red green blue; rows of a padded image are cut to their width.

    Raises:
        ValueError: another encoding, or fewer bytes than height and step promise.
    """
    if image.encoding == JPEG:
        return _unpacked(image)
    if image.encoding not in CHANNELS:
        raise ValueError(
            f'The image is encoded as {image.encoding!r} but must be one of '
            f'{", ".join((*CHANNELS, JPEG))}.'
        )
    row_bytes = CHANNELS[image.encoding] * image.width
    data = np.frombuffer(image.data, dtype=np.uint8)
    if image.step < row_bytes or data.size < image.height * image.step:
        raise ValueError(
            f'The image of {image.width}x{image.height} has {data.size} bytes and rows of '
            f'{image.step}: too few.'
        )
    rows = data[: image.height * image.step].reshape(image.height, image.step)[:, :row_bytes]
    if image.encoding == 'mono8':
        return np.repeat(rows[:, :, None], 3, axis=2)
    frame = rows.reshape(image.height, image.width, 3)
    return frame[:, :, ::-1] if image.encoding == 'bgr8' else frame


def _unpacked(image: Any) -> np.ndarray:
    """Pixels of a JPEG file, whose size must be what the message says."""
    # Imported here, so that all other encodings do without Pillow.
    from ros2bench_nodes.jpeg import unpacked  # noqa: PLC0415

    try:
        frame = unpacked(bytes(image.data))
    except OSError as error:
        raise ValueError(
            f'The image is encoded as {JPEG!r} but cannot be read: {error}.'
        ) from error
    if frame.shape[:2] != (image.height, image.width):
        raise ValueError(
            f'The image holds {frame.shape[1]}x{frame.shape[0]} pixels but its message says '
            f'{image.width}x{image.height}.'
        )
    return frame
