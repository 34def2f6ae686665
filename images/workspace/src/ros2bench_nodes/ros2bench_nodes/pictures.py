"""The frames that a camera shows: real pictures, a folder of one's own, or synthetic patterns."""

import random
from pathlib import Path

import numpy as np
from PIL import Image

from ros2bench_nodes.parameters import ParameterError

PICTURES_IN_IMAGE = Path('/opt/ros2bench/pictures')
SUFFIXES = frozenset({'.png', '.jpg', '.jpeg'})
DISTINCT_FRAMES = 16
LARGEST_ZOOM = 1.25


def load_frames(
    source: str, width_px: int, height_px: int, seed: int, count: int = DISTINCT_FRAMES
) -> list[np.ndarray]:
    """Prepare the frames that a camera then repeats, so that publishing costs no picture work.

    Args:
        source: `pictures`, `synthetic` or a folder.
        width_px: width of every frame.
        height_px: height of every frame.
        seed: same seed, same frames.
        count: how many distinct frames.

    Returns:
        `count` arrays, uint8, (height, width, 3), red green blue.

    Raises:
        ParameterError: the folder is missing, empty or holds an unreadable picture.
    """
    if source == 'synthetic':
        return [_synthetic(width_px, height_px, seed + index) for index in range(count)]
    folder = PICTURES_IN_IMAGE if source == 'pictures' else Path(source)
    pictures = [_read(path) for path in _paths(folder, source)]
    choice = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    return [
        _window(pictures[index % len(pictures)], width_px, height_px, choice)
        for index in range(count)
    ]


def fitted(frame: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Scale a picture to the size that the camera publishes."""
    if frame.shape[:2] == (height_px, width_px):
        return frame
    picture = Image.fromarray(frame).resize((width_px, height_px), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def _paths(folder: Path, source: str) -> list[Path]:
    if not folder.is_dir():
        raise ParameterError(
            f'Parameter "source" of the camera is {source!r} but {folder} is neither a folder nor '
            f'a video device: give "pictures", "synthetic", a folder that is mounted into the '
            f'container, or a device that it has, for example /dev/video0.'
        )
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ParameterError(
            f'Parameter "source" of the camera is {source!r} but {folder} holds no picture: '
            f'put files ending in {", ".join(sorted(SUFFIXES))} there.'
        )
    return paths


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert('RGB')
    except OSError as error:
        raise ParameterError(f'The camera cannot read the picture {path}: {error}.') from error


def _window(
    picture: Image.Image, width_px: int, height_px: int, choice: random.Random
) -> np.ndarray:
    """A slightly zoomed window of a picture, fitted into the frame on its own mean colour."""
    zoom = choice.uniform(1.0, LARGEST_ZOOM)
    shown_width, shown_height = picture.width / zoom, picture.height / zoom
    left = choice.uniform(0, picture.width - shown_width)
    top = choice.uniform(0, picture.height - shown_height)
    scale = min(width_px / shown_width, height_px / shown_height)
    size = (max(1, round(shown_width * scale)), max(1, round(shown_height * scale)))
    window = picture.resize(
        size, Image.Resampling.BICUBIC, box=(left, top, left + shown_width, top + shown_height)
    )
    red, green, blue = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    frame = Image.new('RGB', (width_px, height_px), (red, green, blue))
    frame.paste(window, ((width_px - size[0]) // 2, (height_px - size[1]) // 2))
    return np.asarray(frame, dtype=np.uint8)


def _synthetic(width_px: int, height_px: int, seed: int) -> np.ndarray:
    """Smooth gradients under noise: no text, but as heavy as any picture."""
    noise = np.random.default_rng(seed).integers(0, 64, (height_px, width_px, 3), dtype=np.uint8)
    across = np.linspace(0, 191, width_px, dtype=np.uint8)[None, :, None]
    return noise + across
