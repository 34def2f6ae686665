"""Values over time as lines, and what is so and what is not as bands: inline SVG like the report's plots."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probes.report.amounts import SPACE, multiple, number
from probes.report.markup import Markup, join, tag
from probes.report.scale import Axis, linear_axis
from probes.report.strips import mark, style_of

HEIGHT = 190
LANE_HEIGHT = 16
LEAST_SPREAD = 1e-6
LONGEST_GAP_STEPS = 1.5
"""Where points are further apart nothing was seen, and nothing is drawn."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Timeline:
    """One series: its name, and points of Unix time in seconds and value, some of them perhaps NaN."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Period:
    """Time that a plot shows, in seconds of Unix time, and the step between points."""

    from_s: float
    until_s: float
    step_s: float

    def share(self, at_s: float) -> float:
        """Give the place of a time, 0 at the beginning and 1 at the end."""
        return (at_s - self.from_s) / (self.until_s - self.from_s)


def handy(values: Iterable[float], unit: str) -> tuple[float, str]:
    """Choose what values are divided by, and what is written behind them."""
    if unit == "ratio":
        return 0.01, "%"
    if unit == "Hz" and max((abs(value) for value in values), default=0) >= 1e6:
        return 1e6, "MHz"
    return multiple(values, unit)


def said(value: float, unit: str, digits: int = 3) -> str:
    """Write one value with its unit."""
    factor, name = handy((value,), unit)
    return f"{number(value / factor, digits)}{SPACE}{name}" if name else number(value / factor, digits)


def stretches(points: Sequence[Point], step_s: float) -> list[list[Point]]:
    """Part points where a value is none or where time is missing, so that no line leads over a gap."""
    found: list[list[Point]] = []
    last_s = -math.inf
    for at_s, value in points:
        if not math.isfinite(value):
            last_s = -math.inf
            continue
        if at_s - last_s > LONGEST_GAP_STEPS * step_s:
            found.append([])
        found[-1].append((at_s, value))
        last_s = at_s
    return found


def value_axis(values: Sequence[float]) -> Axis:
    """Make the axis of values; those that differ by rounding alone are one value.

    Raises:
        ValueError: There is no value.
    """
    low, high = min(values), max(values)
    return linear_axis([high] if high - low <= LEAST_SPREAD * max(abs(low), abs(high)) else values)


def plot(lines: Sequence[Timeline], period: Period, unit: str) -> Markup:
    """Draw lines over time.

    Args:
        lines: At least one with a finite value; the first six have colours of their own.
        period: What is shown.
        unit: Of all values.
    """
    values = [value for line in lines for _, value in line.points if math.isfinite(value)]
    axis = value_axis(values)
    factor, name = handy(axis.ticks, unit)
    across = [
        join(
            (
                tag("line", x1="0", x2="100%", y1=_down(axis, tick), y2=_down(axis, tick), class_="grid"),
                tag("text", _tick(tick, axis, factor, name), x=-8, y=_down(axis, tick), dy="0.32em", text_anchor="end"),
            )
        )
        for tick in axis.ticks
    ]
    paths = [
        tag(
            "path",
            tag("title", line.name),
            d="".join(_path(stretch, axis, period) for stretch in stretches(line.points, period.step_s)),
            class_=f"curve thick {style_of(place)}",
        )
        for place, line in enumerate(lines)
    ]
    drawn = tag("svg", *paths, viewBox="0 0 1000 1000", preserveAspectRatio="none", width="100%", height="100%")
    return tag("svg", *across, _times(period), drawn, class_="plot", height=HEIGHT, aria_hidden="true")


def bands(line: Timeline, period: Period, place: int) -> Markup:
    """Draw when something was so (above 0) and when not; where nothing is known nothing is drawn."""
    parts: list[Markup] = []
    for stretch in stretches(line.points, period.step_s):
        for at_s, value in stretch:
            begin = max(period.share(at_s), 0.0)
            width = min(period.step_s / (period.until_s - period.from_s), 1 - begin)
            kind = "fill" if value > 0 else "track"
            parts.append(tag("rect", x=f"{begin:.3%}", width=f"{width:.3%}", y=1, height=LANE_HEIGHT - 2, class_=kind))
    return tag("svg", *parts, class_=f"bar {style_of(place)}", height=LANE_HEIGHT, aria_hidden="true")


def key(lines: Sequence[Timeline], unit: str) -> Markup:
    """List the lines with their marks, their newest values and their largest."""
    rows = [
        tag(
            "tr",
            tag("th", mark(place), line.name, scope="row"),
            tag("td", said(newest, unit), class_="number"),
            tag("td", said(largest, unit), class_="number"),
        )
        for place, line in enumerate(lines)
        for newest, largest in (_ends(line),)
    ]
    head = tag(
        "tr",
        tag("th", "series", scope="col"),
        tag("th", "newest", scope="col", class_="number"),
        tag("th", "largest", scope="col", class_="number"),
    )
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")


def _ends(line: Timeline) -> tuple[float, float]:
    values = [value for _, value in line.points if math.isfinite(value)]
    return values[-1], max(values)


def _tick(tick: float, axis: Axis, factor: float, name: str) -> str:
    text = number(tick / factor, 4)
    return f"{text}{SPACE}{name}" if tick == axis.ticks[-1] and name else text


def _path(stretch: Sequence[Point], axis: Axis, period: Period) -> str:
    places = [f"{period.share(at_s) * 1000:.1f} {(1 - axis.share(value)) * 1000:.1f}" for at_s, value in stretch]
    # A single point would be invisible: it gets the length of its step.
    tail = f"h{period.step_s / (period.until_s - period.from_s) * 1000:.1f}" if len(places) == 1 else ""
    return f"M{places[0]}" + "".join(f"L{place}" for place in places[1:]) + tail


def _times(period: Period) -> Markup:
    minutes = (period.until_s - period.from_s) / 60
    texts: list[Markup] = []
    for index in range(4):
        share = index / 3
        text = "now" if index == 3 else f"−{number(minutes * (1 - share), 3)}{SPACE}min"
        at = f"{share:.2%}"
        anchor = "end" if index == 3 else "start" if index == 0 else "middle"
        texts += [
            tag("line", x1=at, x2=at, y1="0", y2="100%", class_="grid"),
            tag("text", text, x=at, y="100%", dy="1.5em", text_anchor=anchor),
        ]
    return join(texts)


def _down(axis: Axis, value: float) -> str:
    return f"{1 - axis.share(value):.2%}"
