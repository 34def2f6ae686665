"""Pure: a picture of the placement, pods with their processes and nodes, as inline SVG."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

NODE_WIDTH, NODE_HEIGHT, GAP, HEAD = 110, 30, 12, 26


def placement_svg(pods: Sequence[Mapping[str, Any]]) -> str:
    """Draw pods side by side; inside each, one box per process with its nodes below one another.

    Args:
        pods: Pods as a stack exports them: `name`, `processes` (lists of node names), `replicas`.
    """
    shapes: list[str] = []
    left, tallest = GAP, 0
    for pod in pods:
        processes: Sequence[Sequence[str]] = pod["processes"]
        most_nodes = max((len(nodes) for nodes in processes), default=0)
        width = GAP + max(1, len(processes)) * (NODE_WIDTH + 3 * GAP)
        height = HEAD + most_nodes * (NODE_HEIGHT + GAP) + 3 * GAP
        title = f"pod {pod['name']}" + (f" x {pod['replicas']}" if pod["replicas"] != 1 else "")
        shapes += [_box(left, GAP, width, height, 10), _text(left + GAP, GAP + 18, title)]
        for index, nodes in enumerate(processes):
            x = left + GAP + index * (NODE_WIDTH + 3 * GAP)
            shapes.append(_box(x, GAP + HEAD, NODE_WIDTH + 2 * GAP, height - HEAD - GAP, 4))
            for row, node in enumerate(nodes):
                y = GAP + HEAD + GAP + row * (NODE_HEIGHT + GAP)
                shapes += [
                    _box(x + GAP, y, NODE_WIDTH, NODE_HEIGHT, NODE_HEIGHT // 2),
                    _text(x + GAP + NODE_WIDTH // 2, y + 20, node, anchor="middle"),
                ]
        left += width + GAP
        tallest = max(tallest, height)
    size = f'width="{left}" height="{tallest + 2 * GAP}"'
    return f'<svg {size} role="img" aria-label="placement of nodes">{"".join(shapes)}</svg>'


def _box(x: int, y: int, width: int, height: int, radius: int) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def _text(x: int, y: int, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>'
