"""How a deployment comes about: the way to the first message of each contender, pod by pod on demand."""

from collections.abc import Sequence

from probes.report.amounts import SPACE, amount, multiple, number
from probes.report.blocks import folded, paragraph, section, table
from probes.report.contents import Contents, Start, Subject
from probes.report.markup import Markup, join, tag
from probes.report.scale import Axis, linear_axis
from probes.report.stages import begin_ns, end_s, lane, legend
from probes.report.strips import named

APPLICATION = "application"


def start(contents: Contents) -> Markup:
    """Draw the way to the first message."""
    measured = [(subject, subject.start) for subject in contents.subjects if subject.start is not None]
    without = [subject.name for subject in contents.subjects if subject.start is None]
    absent = (
        paragraph(
            f"Not in the records of {', '.join(without)}: stages are measured with --cycles install.", kind="empty"
        )
        if without
        else None
    )
    if not measured:
        return section("start", "The way to the first message", absent)
    axis = linear_axis([0.0, *(end_s(_known(found)) for _, found in measured)], ticks=5)
    lanes = [_line(named(subject.place, subject.name), _of_pod(found, ""), found, axis) for subject, found in measured]
    return section(
        "start",
        "The way to the first message",
        paragraph(
            "From the start of ",
            tag("code", "pulumi up"),
            " to the first result, in the repetition with the median "
            "time: what the application waited for last, stage by stage.",
        ),
        legend(),
        tag("div", *lanes, _axis_line(axis), class_="lanes", role="img", aria_label=_alternative(measured)),
        *(_pods(subject, found, axis) for subject, found in measured),
        absent,
    )


def _known(found: Start) -> list[dict[str, object]]:
    return [dict(row) for row in found.rows if row["missing"] is None]


def _of_pod(found: Start, pod: str) -> list[dict[str, object]]:
    return [row for row in _known(found) if row["pod"] == pod]


def _line(label: Markup, rows: Sequence[dict[str, object]], found: Start, axis: Axis) -> Markup:
    drawn = lane(rows, begin_ns(_known(found)), axis)
    return tag("div", tag("span", label, class_="lane-name"), drawn, class_="lane-line")


def _axis_line(axis: Axis) -> Markup:
    factor, said = multiple(axis.ticks, "s")
    last = len(axis.ticks) - 1
    texts = [
        tag(
            "text",
            number(value / factor, 4) + (f"{SPACE}{said}" if index == last else ""),
            x=f"{axis.share(value):.2%}",
            y=12,
            text_anchor="start" if index == 0 else "end" if index == last else "middle",
        )
        for index, value in enumerate(axis.ticks)
    ]
    drawn = tag("svg", *texts, class_="lane ticks", height=16)
    return tag("div", tag("span", class_="lane-name"), drawn, class_="lane-line", aria_hidden="true")


def _alternative(measured: Sequence[tuple[Subject, Start]]) -> str:
    parts: list[str] = []
    for subject, found in measured:
        stages = [f"{row['stage']} {amount(_length_s(row), 's')}" for row in _of_pod(found, "")]
        parts.append(f"{subject.name}: {', '.join(stages)}")
    return f"Stages of the way to the first message. {'. '.join(parts)}. The table below has the sources."


def _length_s(row: dict[str, object]) -> float:
    return (int(str(row["to_ns"])) - int(str(row["from_ns"]))) / 1e9


def _pods(subject: Subject, found: Start, axis: Axis) -> Markup:
    names = sorted({str(row["pod"]) for row in _known(found)} - {""})
    lanes = [_line(join((name,)), _of_pod(found, name), found, axis) for name in names]
    drawn = tag("div", *lanes, _axis_line(axis), class_="lanes", aria_hidden="true") if lanes else None
    rows = [
        (
            str(row["pod"]) or APPLICATION,
            str(row["stage"]).replace("_", " "),
            amount(_length_s(dict(row)), "s") if row["missing"] is None else f"missing ({row['missing']})",
            str(row["source"] or "–").replace("..", " to "),
            "–" if row["resolution_ns"] is None else amount(int(row["resolution_ns"]) / 1e9, "s"),
        )
        for row in found.rows
    ]
    head = ("who", "stage", "length", "source of both ends", "resolution")
    caption = f"Stages of {subject.name}, run {found.run_id}, repetition {found.repetition + 1}"
    return folded(f"{subject.name}: pod by pod, and as a table", drawn, table(caption, head, rows, numbers=(2, 4)))
