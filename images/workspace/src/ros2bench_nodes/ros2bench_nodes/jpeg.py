"""JPEG files in memory. Needs no ROS."""

import io

import numpy as np
from PIL import Image

QUALITY = 90


def packed(frame: np.ndarray) -> bytes:
    """JPEG file of a frame; the same frame gives the same bytes.

    Args:
        frame: uint8, (height, width, 3), red green blue.
    """
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame)).save(stream, 'JPEG', quality=QUALITY)
    return stream.getvalue()


def unpacked(data: bytes) -> np.ndarray:
    """Pixels of a JPEG file: uint8, (height, width, 3), red green blue.

    Raises:
        OSError: it is none, or cut off.
    """
    with Image.open(io.BytesIO(data), formats=['JPEG']) as picture:
        return np.asarray(picture.convert('RGB'))
