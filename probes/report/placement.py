"""A picture of a placement: pods, containers, processes and nodes, and the images below them. Inline SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.report.markup import Markup, tag

WIDTH = 228
GAP = 8
HEAD = 20
NODE_HEIGHT = 24
LAYER_HEIGHT = 20
LETTER_PX = 6.3
Pod = Mapping[str, Any]


@dataclass(frozen=True)
class Box:
    """A drawn part and its height."""

    markup: Sequence[Markup]
    height: int


def placement(pods: Sequence[Pod], title: str) -> Markup:
    """Draw the pods of a stack: those with one process side by side, those with several in the whole width.

    Args:
        pods: As a stack exports them (`StackOutputs`, in YAML's spelling).
        title: What the picture shows, for who does not see it.
    """
    shapes: list[Markup] = []
    top = 1
    for line in _lines(pods):
        width = (WIDTH - 2 - GAP * (len(line) - 1)) // len(line)
        boxes = [_pod(pod, 1 + index * (width + GAP), top, width) for index, pod in enumerate(line)]
        shapes += [shape for box in boxes for shape in box.markup]
        top += max(box.height for box in boxes) + GAP
    height = top - GAP + 1
    return tag(
        "svg", *shapes, class_="placement", viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=title, width=WIDTH
    )


def described(pods: Sequence[Pod]) -> list[tuple[str, str, str, str]]:
    """Say the same in words: pod with copies, container, processes with their nodes, images."""
    return [
        (
            pod_title(pod),
            container_title(pod),
            "; ".join(" + ".join(nodes) for nodes in pod["processes"]),
            ", ".join(reversed(layers(pod))),
        )
        for pod in pods
    ]


def pod_title(pod: Pod) -> str:
    """Name a pod with its number of copies."""
    replicas = pod.get("replicas", 1)
    return str(pod["name"]) if replicas == 1 else f"{pod['name']} × {replicas}"


def container_title(pod: Pod) -> str:
    """Say what kind of container a pod holds."""
    if (loader := pod.get("componentContainer")) is not None:
        return f"component container, {loader['process'].replace('-', ' ')}"
    count = len(pod["processes"])
    return "container" if count == 1 else f"container, {count} processes"


def layers(pod: Pod) -> list[str]:
    """Name the images of a pod by their last word, what lies on top first."""
    overlays = [f"overlay {overlay['name']}" for overlay in reversed(pod.get("overlays") or ())]
    name = str(pod.get("image", "")).partition("@")[0].rpartition("/")[2]
    return [*overlays, name] if name else overlays


def short(layer: str) -> str:
    """Name an image for a narrow box."""
    return layer.replace("application-", "image ", 1) if layer.startswith("application-") else layer


def _lines(pods: Sequence[Pod]) -> list[list[Pod]]:
    """Put pods of one process in pairs."""
    lines: list[list[Pod]] = []
    for pod in pods:
        is_small = len(pod["processes"]) <= 1
        if is_small and lines and len(lines[-1]) == 1 and len(lines[-1][0]["processes"]) <= 1:
            lines[-1].append(pod)
        else:
            lines.append([pod])
    return lines


def _pod(pod: Pod, left: int, top: int, width: int) -> Box:
    processes: Sequence[Sequence[str]] = pod["processes"]
    inner_left, inner_width = left + GAP, width - 2 * GAP
    columns = 2 if len(processes) > 1 else 1
    cell = (inner_width - 2 * GAP - GAP * (columns - 1)) // columns
    container_top = top + HEAD
    y = container_top + HEAD
    shapes: list[Markup] = []
    for start in range(0, len(processes), columns):
        line = processes[start : start + columns]
        boxes = [_process(nodes, inner_left + GAP + index * (cell + GAP), y, cell) for index, nodes in enumerate(line)]
        shapes += [shape for box in boxes for shape in box.markup]
        y += max(box.height for box in boxes) + GAP
    container = _rect(inner_left, container_top, inner_width, y - container_top, "container")
    y += 4
    for name in [short(layer) for layer in layers(pod)]:
        shapes += [
            _rect(inner_left, y, inner_width, LAYER_HEIGHT - 3, "layer"),
            _text(inner_left + inner_width / 2, y + 12.5, _fit(name, inner_width - 6), "layer-name", "middle"),
        ]
        y += LAYER_HEIGHT
    height = y + GAP - 4 - top
    return Box(
        [
            _rect(left, top, width, height, "pod"),
            _text(left + GAP, top + 15, _fit(f"pod {pod_title(pod)}", width - 2 * GAP), "pod-name"),
            container,
            _text(
                inner_left + GAP,
                container_top + 15,
                _fit(container_title(pod).removesuffix(", per component"), inner_width - 2 * GAP),
                "part-name",
            ),
            *shapes,
        ],
        height,
    )


def _process(nodes: Sequence[str], left: int, top: int, width: int) -> Box:
    shapes = [_rect(left, top, width, len(nodes) * NODE_HEIGHT + GAP, "process")]
    for index, node in enumerate(nodes):
        y = top + GAP / 2 + index * NODE_HEIGHT
        shapes += [
            _rect(left + 4, y + 2, width - 8, NODE_HEIGHT - 4, "node"),
            _text(left + width / 2, y + 16.5, _fit(node, width - 14), "node-name", "middle"),
        ]
    return Box(shapes, len(nodes) * NODE_HEIGHT + GAP)


def _fit(text: str, width: float) -> str:
    """Cut a text to a width; the table beside the picture has it whole."""
    most = max(int(width / LETTER_PX), 2)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return tag("rect", x=x, y=y, width=width, height=height, class_=kind)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> Markup:
    return tag("text", text, x=x, y=y, class_=kind, text_anchor=None if anchor == "start" else anchor)
