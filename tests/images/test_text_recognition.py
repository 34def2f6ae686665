"""From the network's character probabilities to text, and from a frame to a cut-out line."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

text_recognition = module("ros2bench_nodes.text_recognition")
frame_image = module("ros2bench_nodes.frame_image")

CHARACTERS = text_recognition.alphabet("a\nb\nc")


def probabilities(classes: list[int], certainty: float = 0.8) -> np.ndarray:
    steps = np.full((len(classes), len(CHARACTERS)), (1 - certainty) / (len(CHARACTERS) - 1))
    steps[np.arange(len(classes)), classes] = certainty
    return steps


def test_alphabet_has_blank_first_and_space_last() -> None:
    assert CHARACTERS == ["", "a", "b", "c", " "]


def test_repetitions_join_and_blanks_part() -> None:
    read, score = text_recognition.decode(probabilities([1, 1, 0, 1, 2, 4, 3, 3, 0]), CHARACTERS)
    assert read == "aab c"
    assert abs(score - 0.8) < 1e-9


def test_nothing_but_blanks_is_no_text() -> None:
    assert text_recognition.decode(probabilities([0, 0, 0]), CHARACTERS) == ("", 0.0)


@given(st.lists(st.integers(1, 4), max_size=30))
def test_text_with_blanks_between_comes_back(classes: list[int]) -> None:
    steps = [step for index in classes for step in (index, 0)] or [0]
    read, _ = text_recognition.decode(probabilities(steps), CHARACTERS)
    assert read == "".join(CHARACTERS[index] for index in classes)


def test_cut_out_is_the_box_and_nothing_outside_the_frame() -> None:
    frame = np.arange(20 * 30 * 3, dtype=np.int64).astype(np.uint8).reshape(20, 30, 3)
    line = text_recognition.cut_out(frame, [-4.0, 2.0, 10.0, 2.0, 10.0, 6.0, -4.0, 6.0])
    assert np.array_equal(line, frame[2:6, 0:10])
    assert text_recognition.cut_out(frame, [40, 2, 50, 2, 50, 6, 40, 6]) is None


class ImageMessage:
    """As much of sensor_msgs/Image as is looked at."""

    def __init__(self, width: int, height: int, step: int, data: bytes, encoding: str = "rgb8") -> None:
        self.width, self.height, self.step, self.data, self.encoding = width, height, step, data, encoding


def test_pixels_of_a_padded_image() -> None:
    rows = [bytes(range(12)) + b"pad!", bytes(range(12, 24)) + b"pad!"]
    pixels = frame_image.pixels(ImageMessage(4, 2, 16, b"".join(rows)))
    assert pixels.shape == (2, 4, 3)
    assert pixels.tobytes() == bytes(range(24))


def test_wrong_encoding_and_missing_bytes_are_refused() -> None:
    for message, words in (
        (ImageMessage(4, 2, 12, bytes(24), "yuv422"), "yuv422"),
        (ImageMessage(4, 2, 12, bytes(23)), "23 bytes"),
        (ImageMessage(4, 2, 11, bytes(24)), "rows of 11"),
    ):
        try:
            frame_image.pixels(message)
        except ValueError as error:
            assert words in str(error)  # noqa: PT017 (three messages in one loop)
        else:
            raise AssertionError(words)
