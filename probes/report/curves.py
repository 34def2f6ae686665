"""Distributions as curves: the share of frames that arrived until a time, and the share that was still missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.report.amounts import SPACE, multiple, number
from probes.report.markup import Markup, join, tag
from probes.report.scale import Axis, log_axis
from probes.report.strips import style_of

MOST_POINTS = 400
HEIGHT = 300
TAIL_LEAST = 1e-4

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One distribution: sorted values. A thin curve is a part of a whole that is drawn thick."""

    place: int
    name: str
    values: Values
    is_thin: bool = False


def ecdf_points(values: Values) -> tuple[list[float], list[float]]:
    """Give the steps of an empirical distribution, thinned where there are very many; the ends always stay.

    The slow end keeps all its points: the last hundred values, which the tail is drawn from, are never thinned.

    Args:
        values: Sorted.
    """
    size = values.size
    evenly = np.linspace(0, size - 1, min(size, MOST_POINTS)).round().astype(int)
    picked = np.unique(np.concatenate([evenly, np.arange(max(size - 100, 0), size)]))
    return [float(value) for value in values[picked]], [float((index + 1) / size) for index in picked]


def value_axis(curves: Sequence[Curve]) -> Axis:
    """Make the axis of times that holds all curves."""
    return log_axis([float(bound) for curve in curves for bound in (curve.values[0], curve.values[-1])], least_ratio=8)


def ecdf(curves: Sequence[Curve], axis: Axis, unit: str) -> Markup:
    """Draw the share of values up to each one."""
    shares = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
    paths = [_path(curve, _steps(curve.values, axis, shares)) for curve in curves]
    return _plot("ecdf", paths, axis, shares, unit)


def tail(curves: Sequence[Curve], axis: Axis, unit: str) -> Markup:
    """Draw the share of values above each one, each power of ten as high as the next: how slow the slowest are."""
    whole = [curve for curve in curves if not curve.is_thin]
    least = min((1.0 / curve.values.size for curve in whole), default=TAIL_LEAST)
    decades = -int(np.floor(np.log10(max(least, TAIL_LEAST))))
    shares = Axis(10.0**-decades, 1.0, tuple(10.0**-power for power in range(decades, -1, -1)), is_log=True)
    return _plot("tail", [_path(curve, _left(curve.values, axis, shares)) for curve in whole], axis, shares, unit)


def _steps(values: Values, axis: Axis, shares: Axis) -> str:
    x, y = ecdf_points(values)
    parts = [f"M{_x(axis, x[0])} 1000"]
    parts += [f"H{_x(axis, value)}V{_y(shares, share)}" for value, share in zip(x, y, strict=True)]
    return "".join([*parts, "H1000"])


def _left(values: Values, axis: Axis, shares: Axis) -> str:
    """Give the path of the share that is larger; it ends before the last value, above which there is nothing."""
    x, y = ecdf_points(values)
    parts = ["M0 0"]
    parts += [f"H{_x(axis, value)}V{_y(shares, 1 - share)}" for value, share in zip(x, y, strict=True) if share < 1]
    return "".join([*parts, f"H{_x(axis, x[-1])}"])


def _path(curve: Curve, steps: str) -> Markup:
    kind = "thin" if curve.is_thin else "thick"
    title = None if curve.is_thin else tag("title", curve.name)
    return tag("path", title, d=steps, class_=f"curve {kind} {style_of(curve.place)}")


def _plot(kind: str, paths: Sequence[Markup], axis: Axis, shares: Axis, unit: str) -> Markup:
    factor, said = multiple(axis.ticks, unit)
    across = [
        join(
            (
                tag("line", x1="0", x2="100%", y1=_down(shares, share), y2=_down(shares, share), class_="grid"),
                tag("text", _share(share), x=-8, y=_down(shares, share), dy="0.32em", text_anchor="end"),
            )
        )
        for share in shares.ticks
    ]
    upright: list[Markup] = []
    for index, value in enumerate(axis.ticks):
        at = f"{axis.share(value):.2%}"
        text = number(value / factor, 4) + (f"{SPACE}{said}" if index == len(axis.ticks) - 1 else "")
        anchor = "end" if axis.share(value) > 0.94 else "middle"
        upright += [
            tag("line", x1=at, x2=at, y1="0", y2="100%", class_="grid"),
            tag("text", text, x=at, y="100%", dy="1.5em", text_anchor=anchor),
        ]
    drawn = tag("svg", *paths, viewBox="0 0 1000 1000", preserveAspectRatio="none", width="100%", height="100%")
    # The room for the numbers is padding of the element, so that percentages are of the plot alone.
    return tag("svg", *across, *upright, drawn, class_=f"plot {kind}", height=HEIGHT, aria_hidden="true")


def _x(axis: Axis, value: float) -> str:
    return f"{axis.share(value) * 1000:.1f}".removesuffix(".0")


def _y(shares: Axis, share: float) -> str:
    return f"{(1 - shares.share(share)) * 1000:.1f}".removesuffix(".0")


def _down(shares: Axis, share: float) -> str:
    return f"{1 - shares.share(share):.2%}"


def _share(share: float) -> str:
    return f"{share * 100:g}{SPACE}%"


def quantiles(values: NDArray[Any], probabilities: Sequence[float]) -> list[float | None]:
    """Give quantiles; None where the values are too few to hold one."""
    return [
        float(np.quantile(values, probability)) if values.size * (1 - probability) >= 1 else None
        for probability in probabilities
    ]
