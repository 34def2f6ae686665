"""Which picture a model takes is read from the model."""

from typing import Any

import pytest

from tests.images.in_cluster import module

model_input = module("ros2bench_nodes.model_input")
parameters = module("ros2bench_nodes.parameters")


def read(shape: list[Any], kind: str = "tensor(float)", inputs: int = 1) -> Any:
    given = [(f"input{number}", shape, kind) for number in range(inputs)]
    return model_input.model_input("/models/any.onnx", given, 320, 224)


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ([1, 3, 64, 128], "tensor(float)", (128, 64, 3, "first", "float32")),
        (["N", 3, "H", "W"], "tensor(float)", (320, 224, 3, "first", "float32")),
        ([None, 299, 299, 3], "tensor(uint8)", (299, 299, 3, "last", "uint8")),
        ([1, 1, 28, None], "tensor(float16)", (320, 28, 1, "first", "float16")),
    ],
)
def test_sizes_of_the_model_win_and_open_ones_are_ours(shape: list[Any], kind: str, expected: Any) -> None:
    found = read(shape, kind)
    assert (found.width_px, found.height_px, found.channels, found.order, found.dtype) == expected
    assert found.name == "input0"


@pytest.mark.parametrize(
    ("shape", "kind", "inputs", "words"),
    [
        ([1, 3, 64, 128], "tensor(float)", 2, "2 inputs"),
        ([1, 3, 64, 128], "tensor(int64)", 1, r"takes tensor\(int64\)"),
        ([1, 1000], "tensor(float)", 1, "a picture is"),
        ([8, 3, 64, 64], "tensor(float)", 1, "a picture is"),
        ([1, 17, 64, 64], "tensor(float)", 1, "1 or 3 channels"),
    ],
)
def test_a_model_that_takes_no_picture_is_refused(shape: list[Any], kind: str, inputs: int, words: str) -> None:
    with pytest.raises(parameters.ParameterError, match=f'"model" of the detector is .*any.onnx.*{words}'):
        read(shape, kind, inputs)
