"""The pixels of a sensor_msgs/Image without copying them."""

from typing import Any

import numpy as np

ENCODING = 'rgb8'


def pixels(image: Any) -> np.ndarray:
    """View an image message as an array.

    Args:
        image: a sensor_msgs/Image or anything with its fields.

    Returns:
        uint8, (height, width, 3), red green blue; rows of a padded image are cut to their width.

    Raises:
        ValueError: another encoding, or fewer bytes than height and step promise.
    """
    if image.encoding != ENCODING:
        raise ValueError(f'The image is encoded as {image.encoding!r} but must be {ENCODING!r}.')
    data = np.frombuffer(image.data, dtype=np.uint8)
    if image.step < 3 * image.width or data.size < image.height * image.step:
        raise ValueError(
            f'The image of {image.width}x{image.height} has {data.size} bytes and rows of '
            f'{image.step}: too few.'
        )
    rows = data[: image.height * image.step].reshape(image.height, image.step)
    return rows[:, : 3 * image.width].reshape(image.height, image.width, 3)
