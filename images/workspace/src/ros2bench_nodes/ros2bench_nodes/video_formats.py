"""Pictures of a video device as arrays: YUYV and MJPEG. Needs no ROS."""

import numpy as np

YUYV, MJPEG = b'YUYV', b'MJPG'
FORMATS = (MJPEG, YUYV)


class PictureError(ValueError):
    """The bytes of a picture that are no picture: cut off, or of another format."""


def decoded(data: bytes, form: bytes, width_px: int, height_px: int, row_bytes: int) -> np.ndarray:
    """Pixels of a picture as a device delivers it.

    Args:
        data: its bytes.
        form: `YUYV` or `MJPG`.
        width_px: width that was agreed on with the device.
        height_px: height that was agreed on.
        row_bytes: bytes of a row of YUYV.

    Returns:
        uint8, (height, width, 3), red green blue.

    Raises:
        PictureError: too few bytes, or no JPEG.
    """
    if form == MJPEG:
        # Imported here, so that YUYV does without Pillow.
        from ros2bench_nodes.jpeg import unpacked  # noqa: PLC0415

        try:
            return unpacked(data)
        except OSError as error:
            raise PictureError(f'A picture of {len(data)} bytes is no JPEG: {error}.') from error
    if len(data) < row_bytes * height_px:
        raise PictureError(
            f'A picture of {width_px}x{height_px} in YUYV needs {row_bytes * height_px} bytes, '
            f'the device delivered {len(data)}.'
        )
    rows = np.frombuffer(data, np.uint8, row_bytes * height_px).reshape(height_px, row_bytes)
    return from_yuyv(rows[:, : 2 * width_px].reshape(height_px, width_px, 2))


def from_yuyv(packed: np.ndarray) -> np.ndarray:
    """Convert YUYV (BT.601, limited range, as cameras send it) to red green blue.

    Args:
        packed: uint8, (height, width, 2): brightness, and alternately blue and red difference.
    """
    brightness = 1.164 * (packed[:, :, 0].astype(np.float32) - 16)
    difference = packed[:, :, 1].astype(np.float32) - 128
    blue = np.repeat(difference[:, 0::2], 2, axis=1)
    red = np.repeat(difference[:, 1::2], 2, axis=1)
    channels = (
        brightness + 1.596 * red,
        brightness - 0.392 * blue - 0.813 * red,
        brightness + 2.017 * blue,
    )
    return np.clip(np.stack(channels, axis=2) + 0.5, 0, 255).astype(np.uint8)
