"""Scales pictures to what networks take: those of PP-OCR, or any whose input is a picture."""

import numpy as np
from PIL import Image

from ros2bench_nodes.model_input import ModelInput

LINE_HEIGHT_PX = 48
SHORTEST_LINE_PX = 32
LONGEST_LINE_PX = 640


def detection_input(frame: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Scale a frame for the network.

    Args:
        frame: uint8, (height, width, 3), red green blue.
        width_px: width of the network's input, a multiple of 32.
        height_px: height of the network's input, a multiple of 32.

    Returns:
        float32, (1, 3, height, width), blue green red, from -1 to 1.
    """
    picture = Image.fromarray(np.ascontiguousarray(frame))
    if picture.size != (width_px, height_px):
        picture = picture.resize((width_px, height_px), Image.Resampling.BILINEAR, reducing_gap=1.0)
    channels = np.asarray(picture)[:, :, ::-1].transpose(2, 0, 1)
    scaled = np.multiply(channels, 2 / 255, dtype=np.float32)
    scaled -= 1
    return np.ascontiguousarray(scaled)[None]


def plain_input(frame: np.ndarray, wanted: ModelInput) -> np.ndarray:
    """Scale a frame for a network of which only the input is known.

    Args:
        frame: uint8, (height, width, 3), red green blue.
        wanted: what the network takes.

    Returns:
        One picture in the network's order and type; floating point from 0 to 1.
    """
    picture = Image.fromarray(np.ascontiguousarray(frame))
    picture = picture.convert('L' if wanted.channels == 1 else 'RGB')
    if picture.size != (wanted.width_px, wanted.height_px):
        size = (wanted.width_px, wanted.height_px)
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    values = np.asarray(picture).reshape(wanted.height_px, wanted.width_px, wanted.channels)
    if wanted.order == 'first':
        values = values.transpose(2, 0, 1)
    if wanted.dtype != 'uint8':
        values = (values / np.float32(255)).astype(wanted.dtype)
    return np.ascontiguousarray(values)[None]


def recognition_input(line: np.ndarray) -> np.ndarray:
    """Scale a cut-out line for the network.

    Args:
        line: uint8, (height, width, 3), red green blue.

    Returns:
        float32, (1, 3, 48, width), blue green red, from -1 to 1; the width keeps the line's
        proportions.
    """
    height, width = line.shape[:2]
    scaled_width = round(width * LINE_HEIGHT_PX / height)
    scaled_width = min(LONGEST_LINE_PX, max(SHORTEST_LINE_PX, scaled_width))
    picture = Image.fromarray(np.ascontiguousarray(line))
    picture = picture.resize((scaled_width, LINE_HEIGHT_PX), Image.Resampling.BILINEAR)
    channels = np.asarray(picture, dtype=np.float32)[:, :, ::-1].transpose(2, 0, 1)
    return np.ascontiguousarray(channels * (2 / 255) - 1)[None]
