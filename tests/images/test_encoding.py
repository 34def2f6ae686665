"""Frames on their way: encoded by the camera, read back by those who look at them, byte for byte the same."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

encoding = module("ros2bench_nodes.encoding")
frame_image = module("ros2bench_nodes.frame_image")


@dataclass
class Message:
    """The fields of sensor_msgs/Image."""

    encoding: str
    width: int
    height: int
    step: int
    data: Any


def frame_of(width: int, height: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sent(payload: Any) -> Message:
    return Message(payload.encoding, payload.width_px, payload.height_px, payload.step, payload.data)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from(["rgb8", "bgr8"]))
def test_colours_arrive_as_they_were(width: int, height: int, name: str) -> None:
    frame = frame_of(width, height, 1)
    payload = encoding.encoded(frame, name)
    assert (payload.encoding, payload.step, len(payload.data)) == (name, 3 * width, 3 * width * height)
    assert np.array_equal(frame_image.pixels(sent(payload)), frame)


def test_the_order_of_colours_is_that_of_the_name() -> None:
    red = np.array([[[200, 10, 20]]], np.uint8)
    assert list(encoding.encoded(red, "rgb8").data) == [200, 10, 20]
    assert list(encoding.encoded(red, "bgr8").data) == [20, 10, 200]


def test_grey_has_one_byte_per_pixel_and_becomes_three_equal_channels() -> None:
    frame = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]], np.uint8)
    payload = encoding.encoded(frame, "mono8")
    assert list(payload.data) == [255, 0, 76]
    assert payload.step == 3
    read = frame_image.pixels(sent(payload))
    assert read.shape == (1, 3, 3)
    assert read[0, 2].tolist() == [76, 76, 76]


@pytest.mark.parametrize("name", ["rgb8", "bgr8", "mono8"])
def test_the_same_frame_gives_the_same_bytes(name: str) -> None:
    first, again = (encoding.encoded(frame_of(8, 6, 3), name).data for _ in range(2))
    assert first == again
    assert first != encoding.encoded(frame_of(8, 6, 4), name).data


def test_what_cannot_be_read_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="'yuv422' but must be one of rgb8, bgr8, mono8, jpeg"):
        frame_image.pixels(Message("yuv422", 1, 1, 2, b"\0\0"))
    with pytest.raises(ValueError, match="too few"):
        frame_image.pixels(Message("mono8", 4, 2, 4, b"\0" * 7))
