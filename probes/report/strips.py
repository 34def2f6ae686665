"""Plots of one metric each: every contender's estimate, interval and repetitions over one axis. Inline SVG.

Places along an axis are percentages, so that a plot has the width of its column and its text keeps its size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from probes.report.amounts import multiple, number
from probes.report.markup import Markup, join, tag
from probes.report.scale import Axis

HEIGHT, MIDDLE = 36, 18
ROOM_AT_FIRST, ROOM_AT_LAST = 0.18, 0.3
"""Shares of an axis that the first and the last number need, the last with its unit."""
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
    "M-4.5 -4.5h9v9h-9Z",
    "M0 -6.2L6.2 0L0 6.2L-6.2 0Z",
    "M0 -5.8L5.8 4.6H-5.8Z",
    "M0 5.8L5.8 -4.6H-5.8Z",
    "M-1.8 -5.6h3.6v3.8h3.8v3.6h-3.8v3.8h-3.6v-3.8h-3.8v-3.6h3.8Z",
)
"""A shape and a colour for each contender: who sees no colours tells them apart by the shape."""


@dataclass(frozen=True)
class Strip:
    """One contender's line of a plot; `place` chooses colour and shape."""

    place: int
    estimate: float | None
    interval: tuple[float, float] | None
    repetitions: Sequence[float]


def style_of(place: int) -> str:
    """Give the class that holds a contender's colour; after six they begin anew."""
    return f"k{place % len(SHAPES)}"


def shape_of(place: int) -> str:
    """Give the path of a contender's mark."""
    return SHAPES[place % len(SHAPES)]


def mark(place: int) -> Markup:
    """Make the mark of a contender for a line of text."""
    path = tag("path", d=shape_of(place))
    return tag("svg", path, class_=f"mark {style_of(place)}", viewBox="-7 -7 14 14", aria_hidden="true")


def named(place: int, name: str) -> Markup:
    """Write a contender's mark and name, not to be parted."""
    return tag("span", mark(place), name, class_="named")


def strip(line: Strip, axis: Axis, band: tuple[float, float] | None) -> Markup:
    """Draw one line: band of noise, axis, repetitions as dots, interval, and the estimate as the contender's mark.

    Args:
        line: What is drawn.
        axis: Common to all lines of the plot.
        band: Where differences from the baseline are noise; None where nothing is known of it.
    """
    parts = [_band(band, axis), _grid(axis)]
    parts += [
        tag("circle", cx=_at(axis, value), cy=MIDDLE, r=2.5, class_="repetition")
        for value in line.repetitions
        if len(line.repetitions) > 1
    ]
    if line.interval is not None and line.interval[0] != line.interval[1]:
        low, high = (_at(axis, bound) for bound in line.interval)
        parts.append(tag("line", x1=low, x2=high, y1=MIDDLE, y2=MIDDLE, class_="interval"))
    if line.estimate is not None:
        path = tag("path", d=shape_of(line.place))
        parts.append(tag("svg", path, x=_at(axis, line.estimate), y=MIDDLE, class_="estimate"))
    return tag("svg", *parts, class_=f"strip {style_of(line.place)}", height=HEIGHT, aria_hidden="true")


def axis_below(axis: Axis, unit: str) -> Markup:
    """Write the ticks, with the unit at the last one."""
    factor, said = multiple(axis.ticks, unit)
    last = len(axis.ticks) - 1
    texts: list[Markup] = []
    for index, value in enumerate(axis.ticks):
        share = axis.share(value)
        if 0 < index < last and not ROOM_AT_FIRST <= share <= 1 - ROOM_AT_LAST:
            continue
        anchor = "start" if share < 0.06 else "end" if share > 0.94 else "middle"
        text = number(value / factor, 4) + (f" {said}" if index == last and said else "")
        kind = "middle" if anchor == "middle" else None
        texts.append(tag("text", text, x=_at(axis, value), y=11, text_anchor=anchor, class_=kind))
    return tag("svg", *texts, class_="strip ticks", height=14, aria_hidden="true")


def _grid(axis: Axis) -> Markup:
    return join(
        tag("line", x1=_at(axis, value), x2=_at(axis, value), y1=0, y2=HEIGHT, class_="grid") for value in axis.ticks
    )


def _band(band: tuple[float, float] | None, axis: Axis) -> Markup | None:
    if band is None:
        return None
    low, high = (axis.share(bound) for bound in band)
    return tag("rect", x=f"{low:.2%}", width=f"{max(high - low, 0):.2%}", y=0, height=HEIGHT, class_="noise")


def _at(axis: Axis, value: float) -> str:
    return f"{axis.share(value):.2%}"
