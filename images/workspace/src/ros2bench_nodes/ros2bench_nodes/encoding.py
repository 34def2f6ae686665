"""Frames as the bytes of a sensor_msgs/Image. Needs no ROS."""

import array
from dataclasses import dataclass

import numpy as np

JPEG = 'jpeg'
# Weights of ITU-R BT.601 in 65536ths, as Pillow and OpenCV have them.
GREY_WEIGHTS = (19595, 38470, 7471)


@dataclass(frozen=True)
class Payload:
    """What an image message holds beside its header.

    Attributes:
        encoding: its encoding; `jpeg` is not one of sensor_msgs: a whole JPEG file instead of rows.
        width_px: pixels of a row.
        height_px: rows.
        step: bytes of a row; of a JPEG file all bytes.
        data: the bytes.
    """

    encoding: str
    width_px: int
    height_px: int
    step: int
    data: array.array


def encoded(frame: np.ndarray, encoding: str) -> Payload:
    """Encode a frame; the same frame gives the same bytes.

    Args:
        frame: uint8, (height, width, 3), red green blue.
        encoding: `rgb8`, `bgr8`, `mono8` or `jpeg`.
    """
    height, width = frame.shape[:2]
    if encoding == JPEG:
        # Imported here, so that all other encodings do without Pillow.
        from ros2bench_nodes.jpeg import packed  # noqa: PLC0415

        data = packed(frame)
        return Payload(JPEG, width, height, len(data), array.array('B', data))
    if encoding == 'mono8':
        grey = (frame.astype(np.uint32) @ np.array(GREY_WEIGHTS, np.uint32) + 0x8000) >> 16
        return Payload(
            'mono8', width, height, width, array.array('B', grey.astype(np.uint8).tobytes())
        )
    ordered = frame[:, :, ::-1] if encoding == 'bgr8' else frame
    # rclpy copies an array of bytes as it is; any other sequence is checked item by item.
    return Payload(encoding, width, height, 3 * width, array.array('B', ordered.tobytes()))
