"""Reads a line of text: what happens around a PP-OCR recognition model."""

from collections.abc import Sequence

import numpy as np

BLANK = 0


def alphabet(metadata_characters: str) -> list[str]:
    """Classes of the network, from `character` in the model's metadata: blank first, space last."""
    return ['', *metadata_characters.splitlines(), ' ']


def cut_out(frame: np.ndarray, corners_px: Sequence[float]) -> np.ndarray | None:
    """The upright rectangle around a box, or None if nothing of it lies in the frame.

    Args:
        frame: uint8, (height, width, 3).
        corners_px: x and y of four corners.
    """
    across, down = corners_px[0::2], corners_px[1::2]
    left, right = max(0, int(min(across))), min(frame.shape[1], round(max(across)))
    top, bottom = max(0, int(min(down))), min(frame.shape[0], round(max(down)))
    return frame[top:bottom, left:right] if right > left and bottom > top else None


def decode(probabilities: np.ndarray, characters: Sequence[str]) -> tuple[str, float]:
    """Best path of connectionist temporal classification: join repetitions, drop blanks.

    Args:
        probabilities: float, (steps, classes).
        characters: text of each class, class 0 is blank.

    Returns:
        The text and the mean probability of its characters (0 for no text).
    """
    classes = probabilities.argmax(axis=1)
    kept = classes != BLANK
    kept[1:] &= classes[1:] != classes[:-1]
    if not kept.any():
        return '', 0.0
    read = ''.join(characters[index] for index in classes[kept].tolist())
    return read, float(probabilities[kept, classes[kept]].mean())
