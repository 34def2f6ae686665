"""From the network's text map to boxes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.images.in_cluster import module

text_detection = module("ros2bench_nodes.text_detection")


def regions_by_flooding(mask: np.ndarray) -> set[frozenset[tuple[int, int]]]:
    """Slow and obvious: walk from every pixel to its eight neighbours."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    found: set[frozenset[tuple[int, int]]] = set()
    while left:
        border, region = [left.pop()], set[tuple[int, int]]()
        while border:
            row, column = border.pop()
            region.add((row, column))
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)} & left
            left -= near
            border.extend(near)
        found.add(frozenset(region))
    return found


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_regions_are_those_that_flooding_finds(mask: np.ndarray) -> None:
    found = {
        frozenset((row, column) for row, start, end in runs.tolist() for column in range(start, end))
        for runs in text_detection.connected_regions(mask)
    }
    assert found == regions_by_flooding(mask)


def test_box_is_scaled_to_the_frame_and_grown_to_the_outline() -> None:
    probability = np.zeros((224, 320), dtype=np.float32)
    probability[100:110, 50:150] = 0.9
    (box,) = text_detection.boxes_from_map(probability, 640, 480, 0.5)
    growth = 100 * 10 * 1.6 / (2 * 110)
    assert np.allclose(
        [box.left, box.top, box.right, box.bottom],
        [(50 - growth) * 2, (100 - growth) * 480 / 224, (150 + growth) * 2, (110 + growth) * 480 / 224],
    )
    assert abs(box.score - 0.9) < 1e-6
    assert len(box.corners_px) == 8
    assert box.corners_px[:2] == [box.left, box.top]
    assert box.corners_px[4:6] == [box.right, box.bottom]


def test_weak_and_tiny_regions_are_left_out() -> None:
    probability = np.zeros((64, 64), dtype=np.float32)
    probability[5:15, 5:40] = 0.4
    probability[30:32, 5:40] = 0.9
    assert text_detection.boxes_from_map(probability, 64, 64, 0.5) == []
    assert len(text_detection.boxes_from_map(probability, 64, 64, 0.3)) == 1


def test_boxes_come_from_top_to_bottom_and_stay_in_the_frame() -> None:
    probability = np.zeros((64, 64), dtype=np.float32)
    probability[50:64, 0:64] = 0.8
    probability[0:10, 0:64] = 0.8
    upper, lower = text_detection.boxes_from_map(probability, 128, 128, 0.5)
    assert upper.top == 0.0
    assert lower.bottom == 128.0
    assert upper.top < lower.top
    assert (upper.left, upper.right) == (0.0, 128.0)


def test_empty_map_has_no_boxes() -> None:
    assert text_detection.boxes_from_map(np.zeros((32, 32), dtype=np.float32), 640, 480, 0.5) == []
