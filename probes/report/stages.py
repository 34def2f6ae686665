"""The way to the first message: one lane for each contender over a common time axis, and one for each pod below it."""

from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import Any

import polars as pl

from probes.report.amounts import amount
from probes.report.markup import Markup, tag
from probes.report.scale import Axis

LANE_HEIGHT = 26
LABEL_FROM_SHARE = 0.025
"""A stage shorter than this share of the axis has no room for its number."""

STAGES: Mapping[str, str] = {
    "api": "API server makes the pods",
    "schedule": "scheduler places them",
    "initialise": "init containers run",
    "pull": "images arrive",
    "start": "containers start",
    "model_load": "nodes start, models load",
    "discovery": "participants find one another",
    "first_message": "first result is on its way",
}
PHASES: Mapping[str, int] = {"created": 1, "scheduled": 2, "initialised": 3, "pulled": 4, "started": 5, "ready": 6}
"""Phases of a pod, with the number of the stage that the last pod's phase ends."""

Row = Mapping[str, Any]


def median_repetition(timeline: pl.DataFrame) -> int | None:
    """Give the repetition whose first message came after the median time; None where no start was measured."""
    totals: dict[int, int] = {}
    for row in known_rows(timeline):
        if row["pod"] == "":
            length = int(row["to_ns"]) - int(row["from_ns"])
            totals[row["repetition"]] = totals.get(row["repetition"], 0) + length
    if not totals:
        return None
    middle = median_low(totals.values())
    return next(repetition for repetition, total in sorted(totals.items()) if total == middle)


def known_rows(timeline: pl.DataFrame) -> list[Row]:
    """Give the rows whose both ends are known."""
    return list(timeline.filter(pl.col("missing").is_null()).iter_rows(named=True))


def begin_ns(rows: Sequence[Row]) -> int:
    """Give the start of `pulumi up`: the earliest time of a repetition."""
    return min(int(row["from_ns"]) for row in rows)


def end_s(rows: Sequence[Row]) -> float:
    """Give how long after the start the last span ended."""
    return (max(int(row["to_ns"]) for row in rows) - begin_ns(rows)) / 1e9


def stage_number(stage: str) -> int:
    """Give the number by which the legend knows a stage or a phase of a pod; 0 for another one."""
    names = list(STAGES)
    return names.index(stage) + 1 if stage in STAGES else PHASES.get(stage, 0)


def lane(rows: Sequence[Row], begin: int, axis: Axis) -> Markup:
    """Draw the spans of one lane.

    Args:
        rows: Of one pod, or of the application.
        begin: Where the time begins, ns.
        axis: Seconds since then.
    """
    grid = [_upright(axis, value) for value in axis.ticks]
    return tag("svg", *grid, *(_span(row, begin, axis) for row in rows), class_="lane", height=LANE_HEIGHT)


def legend() -> Markup:
    """Explain the numbers."""
    entries = [
        tag("li", tag("span", str(index), class_=f"stage-key s{index}"), f" {name}")
        for index, name in enumerate(STAGES.values(), start=1)
    ]
    return tag("ol", *entries, class_="legend", aria_label="Stages of the way to the first message")


def _upright(axis: Axis, value: float) -> Markup:
    at = f"{axis.share(value):.2%}"
    return tag("line", x1=at, x2=at, y1=0, y2=LANE_HEIGHT, class_="grid")


def _span(row: Row, begin: int, axis: Axis) -> Markup:
    from_s, to_s = ((int(row[end]) - begin) / 1e9 for end in ("from_ns", "to_ns"))
    number = stage_number(row["stage"])
    start, width = axis.share(from_s), axis.share(to_s) - axis.share(from_s)
    said = f"{row['stage'].replace('_', ' ')}: {amount(to_s - from_s, 's')}, from {row['source'].replace('..', ' to ')}"
    box = tag("rect", tag("title", said), width="100%", height=LANE_HEIGHT - 6, y=3, class_=f"s{number}")
    label = None
    if width >= LABEL_FROM_SHARE and number:
        label = tag("text", str(number), x="50%", y=LANE_HEIGHT / 2, dy="0.35em", text_anchor="middle")
    return tag("svg", box, label, x=f"{start:.2%}", width=f"{max(width, 0.002):.2%}", class_="span")
