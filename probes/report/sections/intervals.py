"""A plot for each headline metric: estimate, interval and every repetition of each contender over one axis."""

from probes.comparison import Row
from probes.repetition_samples import NOT_IN_RECORD
from probes.report.blocks import code_of, paragraph, section, value_and_interval
from probes.report.contents import Contents, cells_of
from probes.report.markup import Markup, tag
from probes.report.scale import Axis, linear_axis
from probes.report.strips import Strip, axis_below, named, strip
from probes.report.titles import title_of

BETTER = {"lower": "less is better", "higher": "more is better"}


def intervals(contents: Contents) -> Markup | None:
    """Draw the headline metrics."""
    rows = contents.headline()
    if not rows:
        return None
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    parts: list[Markup] = []
    for group, found in groups.items():
        parts += [tag("h3", group.capitalize()), tag("div", *(_panel(row, contents) for row in found), class_="panels")]
    says = "The mark is the mean over repetitions, the bar its 95 % interval, each dot one repetition."
    if contents.is_comparison:
        says += f" Grey: what differs from {contents.comparison.baseline} by less than the noise."
    return section("metrics", "Every headline metric", paragraph(says), *parts)


def _panel(row: Row, contents: Contents) -> Markup:
    lines = [
        Strip(subject.place, cell.estimate, cell.interval, _repetitions(row.key, subject.evidence.values))
        if cell is not None
        else None
        for subject, cell in zip(contents.subjects, cells_of(row, contents), strict=True)
    ]
    axis = _axis([line for line in lines if line is not None])
    band = _band(row, contents)
    body: list[Markup] = []
    for subject, cell, line in zip(contents.subjects, cells_of(row, contents), lines, strict=True):
        if cell is None or line is None or cell.estimate is None:
            reason = f"missing ({(cell and cell.missing) or NOT_IN_RECORD})"
            said = tag("td", tag("span", reason, class_="missing"), colspan=2)
            body.append(tag("tr", tag("th", named(subject.place, subject.name), scope="row"), said))
            continue
        body.append(
            tag(
                "tr",
                tag("th", named(subject.place, subject.name), scope="row"),
                tag("td", strip(line, axis, band), class_="drawn"),
                tag("td", value_and_interval(row, cell), class_="number"),
            )
        )
    foot = tag("tr", tag("td"), tag("td", axis_below(axis, row.unit), class_="drawn"), tag("td"))
    says = [BETTER[row.better]] if row.better in BETTER else []
    if not axis.begins_at_zero:
        says.append("axis not from 0")
    caption = tag(
        "caption",
        tag("span", title_of(row.key), class_="title"),
        code_of(row.key),
        tag("span", ", ".join(says), class_="direction") if says else None,
    )
    head = tag(
        "tr",
        tag("th", tag("span", "pattern", class_="unseen"), scope="col", class_="first"),
        tag("th", tag("span", "plot", class_="unseen"), scope="col", class_="drawn"),
        tag("th", tag("span", "mean and 95 % interval", class_="unseen"), scope="col", class_="number"),
    )
    return tag(
        "table",
        caption,
        tag("thead", head),
        tag("tbody", *body),
        tag("tfoot", foot, aria_hidden="true"),
        class_="panel",
    )


def _repetitions(key: str, values: object) -> tuple[float, ...]:
    found = values.get(key, ()) if isinstance(values, dict) else ()
    return tuple(value for value in found if value is not None)


def _axis(lines: list[Strip]) -> Axis:
    found: list[float] = []
    for line in lines:
        found += [*line.repetitions, *(line.interval or ())]
        if line.estimate is not None:
            found.append(line.estimate)
    return linear_axis(found, ticks=3)


def _band(row: Row, contents: Contents) -> tuple[float, float] | None:
    """Give the values that differ from the baseline's by less than the noise threshold."""
    if not contents.is_comparison or row.better == "neither":
        return None
    known = {cell.contender: cell.estimate for cell in row.cells}
    middle = known.get(contents.comparison.baseline)
    if middle is None or middle <= 0:
        return None
    return middle / (1 + row.noise_threshold), middle * (1 + row.noise_threshold)
