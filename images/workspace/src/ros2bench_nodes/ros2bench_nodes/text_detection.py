"""Finds lines of text: what happens after a PP-OCR detection model.

The steps are those of "Real-time Scene Text Detection with Differentiable Binarization" (Liao et
al., 2020) as PP-OCR uses them, with upright boxes.
"""

from dataclasses import dataclass

import numpy as np

PROBABILITY_THRESHOLD = 0.3
SMALLEST_SIDE_PX = 3
# The network is trained on shrunken text regions; this grows a region back to the text's outline.
GROWTH_RATIO = 1.6


@dataclass(frozen=True)
class TextBox:
    """An upright rectangle in pixels of the frame, and how sure the model is."""

    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def corners_px(self) -> list[float]:
        """X and y of the four corners, clockwise from top left."""
        return [
            self.left, self.top, self.right, self.top,
            self.right, self.bottom, self.left, self.bottom,
        ]  # fmt: skip


def connected_regions(mask: np.ndarray) -> list[np.ndarray]:
    """Regions of a boolean picture whose pixels touch, diagonals included.

    Works on horizontal runs, of which text maps have few, and joins those of neighbouring rows.

    Returns:
        For each region an int array (runs, 3): row, first column, column after the last; regions
        in the order of their first pixel.
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    first_of_row = np.searchsorted(rows, np.arange(mask.shape[0] + 1)).tolist()
    starts_list, ends_list = starts.tolist(), ends.tolist()
    for row in range(1, mask.shape[0]):
        above, end_above = first_of_row[row - 1], first_of_row[row]
        here, end_here = first_of_row[row], first_of_row[row + 1]
        while above < end_above and here < end_here:
            if starts_list[above] <= ends_list[here] and starts_list[here] <= ends_list[above]:
                low, high = sorted((root(above), root(here)))
                parents[high] = low
            if ends_list[above] < ends_list[here]:
                above += 1
            else:
                here += 1
    regions: dict[int, list[int]] = {}
    for run in range(len(rows)):
        regions.setdefault(root(run), []).append(run)
    runs = np.stack([rows, starts, ends], axis=1) if len(rows) else np.zeros((0, 3), dtype=np.int64)
    return [runs[members] for members in regions.values()]


def boxes_from_map(
    probability: np.ndarray, frame_width_px: int, frame_height_px: int, score_threshold: float
) -> list[TextBox]:
    """Turn the network's text map into boxes in pixels of the frame.

    Args:
        probability: float, (height, width), 0..1.
        frame_width_px: width of the frame that the map stands for.
        frame_height_px: height of that frame.
        score_threshold: least mean probability inside a region.

    Returns:
        Boxes from top to bottom.
    """
    height, width = probability.shape
    scale_x, scale_y = frame_width_px / width, frame_height_px / height
    boxes = []
    for runs in connected_regions(probability > PROBABILITY_THRESHOLD):
        top, bottom = int(runs[0, 0]), int(runs[-1, 0]) + 1
        left, right = int(runs[:, 1].min()), int(runs[:, 2].max())
        box_width, box_height = right - left, bottom - top
        if min(box_width, box_height) < SMALLEST_SIDE_PX:
            continue
        total = sum(float(probability[row, start:end].sum()) for row, start, end in runs.tolist())
        score = total / int((runs[:, 2] - runs[:, 1]).sum())
        if score < score_threshold:
            continue
        growth = box_width * box_height * GROWTH_RATIO / (2 * (box_width + box_height))
        boxes.append(
            TextBox(
                left=max(0.0, left - growth) * scale_x,
                top=max(0.0, top - growth) * scale_y,
                right=min(float(width), right + growth) * scale_x,
                bottom=min(float(height), bottom + growth) * scale_y,
                score=min(1.0, score),
            )
        )
    return sorted(boxes, key=lambda box: (box.top, box.left))
