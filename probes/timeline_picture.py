"""Pure: the way to the first message as inline SVG, one lane for the application and one for each pod."""

import html
from collections.abc import Iterable, Mapping, Sequence
from statistics import median_low
from typing import Any

import polars as pl

COLOURS = {
    "api": "#4e79a7",
    "schedule": "#b9640e",
    "initialise": "#7d6608",
    "pull": "#33807a",
    "start": "#b83b3e",
    "model_load": "#3f7a37",
    "discovery": "#8a5a7c",
    "first_message": "#5b5f97",
}
SAME = {"created": "api", "scheduled": "schedule", "initialised": "initialise", "pulled": "pull", "started": "start"}
"""Phases of a pod in the colour of the stage that ends with the last of them."""
READY_COLOUR = "#7a7f87"
LANE_HEIGHT, GAP, LEFT, WIDTH, TOP, FOOT = 26, 10, 150, 760, 16, 34
LETTER_PX = 6.7
TICKS = 6
APPLICATION = "application"

Row = Mapping[str, Any]


def chosen_repetition(timeline: pl.DataFrame) -> int | None:
    """Give the repetition whose first message came after the median time; None where no timeline was measured."""
    totals: dict[int, int] = {}
    for row in _known(timeline):
        if row["pod"] == "":
            begun, ended = int(row["from_ns"]), int(row["to_ns"])
            totals[row["repetition"]] = totals.get(row["repetition"], 0) + ended - begun
    if not totals:
        return None
    middle = median_low(totals.values())
    return next(repetition for repetition, total in sorted(totals.items()) if total == middle)


def timeline_svg(timeline: pl.DataFrame, repetition: int) -> str:
    """Draw the spans of one repetition; the time begins with the start of `pulumi up`.

    Args:
        timeline: Table `timeline` of a record.
        repetition: Which.
    """
    rows = [row for row in _known(timeline) if row["repetition"] == repetition]
    begin_ns = min(int(row["from_ns"]) for row in rows)
    length_s = max(max(int(row["to_ns"]) for row in rows) - begin_ns, 1) / 1e9
    lanes = sorted({row["pod"] for row in rows})
    bottom = TOP + len(lanes) * (LANE_HEIGHT + GAP)
    shapes = list(_axis(length_s, bottom))
    for index, lane in enumerate(lanes):
        top = TOP + index * (LANE_HEIGHT + GAP)
        shapes.append(_text(LEFT - 8, top + 17, lane or APPLICATION, anchor="end"))
        for row in rows:
            if row["pod"] == lane:
                stage = str(row["stage"])
                colour = COLOURS.get(SAME.get(stage, stage), READY_COLOUR)
                shapes += _span(row, begin_ns, WIDTH / length_s, top, colour)
    size = f'width="{LEFT + WIDTH + 40}" height="{bottom + FOOT}"'
    return f'<svg {size} role="img" aria-label="way to the first message">{"".join(shapes)}</svg>'


def timeline_rows(timeline: pl.DataFrame, repetition: int) -> list[tuple[str, ...]]:
    """Give the lines of the table beside the picture: who, stage, length or reason, source, resolution."""
    lines: list[tuple[str, ...]] = []
    for row in timeline.filter(pl.col("repetition") == repetition).iter_rows(named=True):
        known = row["missing"] is None
        length = f"{(row['to_ns'] - row['from_ns']) / 1e9:.3f} s" if known else f"missing ({row['missing']})"
        resolution = _short(row["resolution_ns"]) if known else ""
        lines.append((row["pod"] or APPLICATION, row["stage"], length, row["source"] or "", resolution))
    return lines


def _known(timeline: pl.DataFrame) -> list[Row]:
    return list(timeline.filter(pl.col("missing").is_null()).iter_rows(named=True))


def _axis(length_s: float, bottom: int) -> Iterable[str]:
    for tick in range(TICKS + 1):
        x = LEFT + WIDTH * tick / TICKS
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield _text(x, bottom + 16, f"{length_s * tick / TICKS:.2f} s", anchor="middle")


def _short(nanoseconds: int) -> str:
    """Write a resolution in the unit that suits it."""
    for factor, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")):
        if nanoseconds >= factor:
            return f"{nanoseconds / factor:g} {unit}"
    return f"{nanoseconds} ns"


def _span(row: Row, begin_ns: int, px_per_s: float, top: int, colour: str) -> Iterable[str]:
    x = LEFT + (row["from_ns"] - begin_ns) / 1e9 * px_per_s
    length_s = (row["to_ns"] - row["from_ns"]) / 1e9
    width = length_s * px_per_s
    title = html.escape(f"{row['stage']}: {length_s:.3f} s, {row['source']}, ± {_short(row['resolution_ns'])}")
    yield (
        f'<rect x="{x:.1f}" y="{top}" width="{max(width, 1):.1f}" height="{LANE_HEIGHT}" fill="{colour}">'
        f"<title>{title}</title></rect>"
    )
    label = row["stage"].replace("_", " ")
    if width >= len(label) * LETTER_PX + 8:
        yield _text(x + 4, top + 17, label, css="inside")


def _text(x: float, y: float, text: str, anchor: str = "start", css: str = "") -> str:
    kind = f' class="{css}"' if css else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{html.escape(text)}</text>'


def timeline_parts(timeline: pl.DataFrame) -> tuple[str, Sequence[tuple[str, ...]]]:
    """Give picture and lines of the chosen repetition; a sentence and no line where nothing was deployed."""
    repetition = chosen_repetition(timeline)
    if repetition is None:
        return "<p>No start was measured (it needs --cycles install).</p>", ()
    return timeline_svg(timeline, repetition), timeline_rows(timeline, repetition)
