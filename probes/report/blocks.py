"""Parts that several sections use: tables that narrow screens can hold, words of verdicts, text alternatives."""

from collections.abc import Iterable, Sequence

from probes.catalogue import catalogue, meaning_of
from probes.comparison import Cell, Row
from probes.metrics import SHARED_REASONS
from probes.repetition_samples import NOT_IN_RECORD
from probes.report.amounts import SPACE, Style, number, ratio, ratio_interval, style_of_row
from probes.report.contents import Contents, Subject, cells_of
from probes.report.markup import Child, Markup, join, tag
from probes.report.strips import mark, named
from probes.report.titles import title_of


def section(name: str, title: str, *children: Child) -> Markup:
    """Make a section with a heading that the navigation can reach."""
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def paragraph(*parts: Child, kind: str | None = None) -> Markup:
    """Make a paragraph."""
    return tag("p", *parts, class_=kind)


def listing(items: Iterable[Child], kind: str | None = None) -> Markup:
    """Make a list."""
    return tag("ul", *(tag("li", item) for item in items), class_=kind)


def folded(summary: str, *children: Child) -> Markup:
    """Make a part that is opened on demand, and always in print."""
    return tag("details", tag("summary", summary), *children)


def table(
    caption: str, head: Sequence[Child], rows: Iterable[Sequence[Child]], *, numbers: Iterable[int] = ()
) -> Markup:
    """Make a table in a region of its own, which scrolls where the screen is narrower than the table.

    Args:
        caption: What it shows.
        head: Headings of the columns.
        rows: Cells; the first of each is the heading of its row.
        numbers: Columns that hold numbers.
    """
    right = frozenset(numbers)

    def kind(column: int) -> str | None:
        return "number" if column in right else None

    heads = [tag("th", cell, scope="col", class_=kind(column)) for column, cell in enumerate(head)]
    lines: list[Markup] = []
    for row in rows:
        cells = [
            tag("td" if column else "th", cell, scope=None if column else "row", class_=kind(column))
            for column, cell in enumerate(row)
        ]
        lines.append(tag("tr", *cells))
    whole = tag("table", tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *lines))
    return tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def matrix(
    caption: str,
    corner: str,
    subjects: Sequence[Subject],
    rows: Iterable[tuple[Child, Sequence[Child]]],
    *,
    last: str | None = None,
) -> Markup:
    """Make a table with a column for each contender; a narrow screen shows each row as a block with labelled values.

    The roles are said, because a browser forgets those of a table whose parts it lays out otherwise.

    Args:
        caption: What it shows.
        corner: Heading of the first column.
        subjects: A column each.
        rows: Heading and cells; one more cell than subjects where there is a last column.
        last: Heading of a last column that belongs to none of them.
    """
    heads = [tag("th", corner, scope="col", role="columnheader")]
    heads += [tag("th", named(item.place, item.name), scope="col", role="columnheader") for item in subjects]
    if last is not None:
        heads.append(tag("th", last, scope="col", role="columnheader"))
    lines: list[Markup] = []
    for head, cells in rows:
        values = [
            tag("td", tag("span", mark(item.place), item.name, class_="who", aria_hidden="true"), cell, role="cell")
            for item, cell in zip(subjects, cells, strict=False)
        ]
        values += [tag("td", cell, role="cell", class_="remark") for cell in cells[len(subjects) :]]
        lines.append(tag("tr", tag("th", head, scope="row", role="rowheader"), *values, role="row"))
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *heads, role="row"), role="rowgroup"),
        tag("tbody", *lines, role="rowgroup"),
        class_="matrix",
        role="table",
    )


def metric_matrix(caption: str, contents: Contents, rows: Sequence[Row], *, is_brief: bool = False) -> Markup:
    """Make the table of some metrics: value, interval and verdict of each contender.

    Args:
        caption: What it shows.
        contents: All that the page shows.
        rows: The metrics.
        is_brief: Whether the interval of the ratio is left to other tables.
    """
    lines: list[tuple[Markup, list[Child]]] = []
    for row in rows:
        cells: list[Child] = [value_cell(row, cell, is_brief=is_brief) for cell in cells_of(row, contents)]
        # Of one contender there is nothing to compare, but room to say what the numbers are.
        lines.append((metric_name(row.key), cells if contents.is_comparison else [*cells, prose(meaning_of(row.key))]))
    last = None if contents.is_comparison else "what it is"
    return matrix(caption, "metric", contents.subjects, lines, last=last)


def measured_matrix(caption: str, contents: Contents, rows: Sequence[Row]) -> Markup:
    """Make the table of those metrics that somebody has a value of, and name the others below it with their reasons."""
    if (said := all_missing(contents, rows)) is not None:
        return said
    there = [row for row in rows if any(cell.estimate is not None for cell in row.cells)]
    absent: dict[str, list[str]] = {}
    for row in rows:
        if row not in there:
            reasons = dict.fromkeys(cell.missing or NOT_IN_RECORD for cell in row.cells)
            absent.setdefault(", ".join(reasons), []).append(title_of(row.key))
    notes = [
        paragraph(f"Not measured ({reason}): {', '.join(titles)}.", kind="note") for reason, titles in absent.items()
    ]
    return join((metric_matrix(caption, contents, there), *notes))


def metric_name(key: str) -> Markup:
    """Name a metric for people, its key below."""
    return join((tag("span", title_of(key), class_="title"), code_of(key)))


def code_of(key: str) -> Markup:
    """Write a key so that it may be broken where a label begins."""
    parts = key.replace("{", "{\0").replace(",", ",\0").split("\0")
    return tag("code", join(part for piece in parts for part in (piece, Markup("<wbr>"))))


def value_cell(row: Row, cell: Cell | None, *, is_brief: bool = True) -> Markup:
    """Say the value with its interval, and below it how it differs from the baseline."""
    if cell is None or cell.estimate is None:
        return tag("span", f"missing ({(cell and cell.missing) or NOT_IN_RECORD})", class_="missing")
    return join((value_and_interval(row, cell), verdict_of(row, cell, is_brief=is_brief)))


def value_and_interval(row: Row, cell: Cell) -> Markup | None:
    """Write the value of a cell and its interval, in the style of its row; None where it is missing."""
    if cell.estimate is None:
        return None
    style = style_of(row)
    spread = None
    if cell.interval is not None and cell.interval[0] != cell.interval[1]:
        spread = tag("span", style.interval(cell.interval), class_="spread")
    return join((tag("span", style.value(cell.estimate), class_="value"), spread))


def style_of(row: Row) -> Style:
    """Choose how the values of a row are written."""
    values = [cell.estimate for cell in row.cells if cell.estimate is not None]
    return style_of_row(values, [cell.interval for cell in row.cells if cell.interval is not None], row.unit)


def verdict_of(row: Row, cell: Cell, *, is_brief: bool) -> Markup | None:
    """Say how a cell differs from the baseline: the ratio and the verdict's word."""
    if cell.ratio is None and cell.verdict is None:
        return None
    words: list[str] = []
    if cell.ratio is not None:
        words.append(ratio(cell.ratio))
    elif cell.difference is not None:
        words.append(f"{'+' if cell.difference > 0 else ''}{style_of(row).value(cell.difference)}")
    if cell.verdict is not None:
        words.append(cell.verdict)
    kind = (cell.verdict or "plain").replace(" ", "-")
    said = tag("span", " ".join(words), class_=f"verdict {kind}")
    if is_brief:
        return said
    more: list[str] = []
    bounds = cell.ratio_interval
    if bounds is not None and bounds[0] != bounds[1]:
        more.append(f"ratio {ratio_interval(bounds)}")
    if cell.needs_repetitions is not None:
        more.append(f"{number(cell.needs_repetitions, 6)} more might decide")
    return join((said, *(tag("span", text, class_="spread") for text in more)))


def why(key: str, reason: str) -> str:
    """Give the sentence of a reason; empty where it is declared nowhere."""
    if reason == NOT_IN_RECORD:
        return "its records have no such key"
    metric = catalogue().get(key.partition("{")[0])
    return (metric.why_missing(reason) if metric else SHARED_REASONS.get(reason)) or ""


def prose(text: str) -> Markup:
    """Write a sentence of the catalogue: what stands between backticks is code."""
    pieces = text.split("`")
    return join(tag("code", piece) if place % 2 else piece for place, piece in enumerate(pieces))


def count(amount: int, one: str, many: str | None = None) -> str:
    """Say how many: `1 run`, `3 runs`."""
    return f"{number(amount, 12)}{SPACE}{one if amount == 1 else many or f'{one}s'}"


def all_missing(contents: Contents, rows: Sequence[Row]) -> Markup | None:
    """Say why none of some metrics was measured; None where at least one was."""
    cells = [(row.key, cell) for row in rows for cell in row.cells]
    if any(cell.estimate is not None for _, cell in cells):
        return None
    found: dict[str, list[str]] = {}
    for key, cell in cells:
        reason = cell.missing or NOT_IN_RECORD
        if cell.contender not in found.setdefault(f"{reason}: {why(key, reason)}".rstrip(": "), []):
            found[f"{reason}: {why(key, reason)}".rstrip(": ")].append(cell.contender)
    if not found:
        return paragraph("Not measured: no record holds it.", kind="empty")
    everyone = len(contents.subjects)
    return join(
        paragraph(
            "Not measured",
            "" if len(names) == everyone else f" for {', '.join(names)}",
            ": missing (",
            prose(said),
            ").",
            kind="empty",
        )
        for said, names in found.items()
    )
