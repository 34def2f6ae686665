"""A comparison as text: sentences, lines, Markdown, CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

from probes.comparison import VERDICTS, Cell, Comparison, Exclusion, Interval, Row, Verdict
from probes.comparison_rules import GROUPS
from probes.console import quantity
from probes.thresholds import Judgement

MOST_NAMED = 8
MOST_EXCLUSIONS = 12
CELL_FIELDS = (
    "estimate", "n", "ratio", "difference", "method", "verdict", "p_value", "p_adjusted", "p_permutation", "effect",
    "multiple_of_best", "needs_repetitions", "missing",
)  # fmt: skip
INTERVAL_FIELDS = ("interval", "ratio_interval", "difference_interval")


def verdict_sentences(comparison: Comparison) -> list[str]:
    """Say of each contender, in one sentence, where it is better, worse, equal or undecided; headline metrics only."""
    rows = [row for row in comparison.rows if row.is_headline and row.better != "neither"]
    return [
        f"{contender.name} against {comparison.baseline}: {_findings(rows, contender.name)}."
        for contender in comparison.contenders
        if contender.name != comparison.baseline
    ]


def _findings(rows: Sequence[Row], contender: str) -> str:
    parts: list[str] = []
    for word in VERDICTS:
        found = [row for row in rows if row.cell(contender).verdict == word and row.cell(contender).missing is None]
        named = [_named(row, row.cell(contender), word) for row in found if row.cells[0].missing is None]
        if named:
            more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
            parts.append(
                f"{word}{' for' if word == 'not enough data' else ' in'} {', '.join(named[:MOST_NAMED])}{more}"
            )
    return "; ".join(parts) or "no headline metric was measured in both"


def _named(row: Row, cell: Cell, word: Verdict) -> str:
    if word in {"better", "worse"}:
        if cell.ratio is None:
            return f"{row.key} (by {quantity(cell.difference or 0.0, row.unit)})"
        return f"{row.key} (x {cell.ratio:.3g})"
    if word == "not enough data" and cell.needs_repetitions is not None:
        return f"{row.key} ({_more(cell.needs_repetitions)})"
    return row.key


def _more(repetitions: int) -> str:
    return f"{repetitions} more repetition{'' if repetitions == 1 else 's'}"


def remark_sentences(comparison: Comparison) -> list[str]:
    """Say what was compared, by what rule, and how far the words can be trusted."""
    settings = comparison.settings
    contenders = [f"{one.name} ({one.repetitions})" for one in comparison.contenders]
    methods = {cell.method for row in comparison.rows for cell in row.cells if cell.method in {"paired", "unpaired"}}
    floors = [row for row in comparison.rows if row.noise_floor and row.noise_floor.reach is not None]
    how = {
        frozenset({"paired"}): "paired by repetition",
        frozenset({"unpaired"}): "not paired: no common campaign",
        frozenset({"paired", "unpaired"}): "paired by repetition where there is a common campaign",
    }.get(frozenset(methods), "")
    control = (
        f"A/A control of {floors[0].noise_floor.stack}: what is within its interval is noise."
        if floors and floors[0].noise_floor
        else "No A/A control: noise is what the practical thresholds say (run with --control)."
    )
    return [
        *settings.selection,
        f"Repetitions: {', '.join(contenders)}{f'; {how}' if how else ''}.",
        control,
        f"Intervals {100 * settings.confidence:g} %. Corrected for the number of comparisons: "
        + ", ".join(f"{family} by {method}" for family, method in settings.corrections.items())
        + ".",
    ]


def exclusion_lines(excluded: Iterable[Exclusion]) -> list[str]:
    """Say of each run that was left out why; of very many, of the first ones."""
    lines = [
        f"left out: {item.stack} {item.run_id}: {item.field} is {_short(item.value)}, expected {_short(item.expected)}"
        for item in excluded
    ]
    more = [f"left out: {len(lines) - MOST_EXCLUSIONS} more; --json names all"] if len(lines) > MOST_EXCLUSIONS else []
    return lines[:MOST_EXCLUSIONS] + more


def missing_lines(rows: Iterable[Row]) -> list[str]:
    """Group the metrics that no contender has by their reasons."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        if is_missing(row):
            reasons = dict.fromkeys(cell.missing for cell in row.cells if cell.missing)
            groups.setdefault(", ".join(reasons), []).append(row.key)
    return [f"missing ({reason}): {', '.join(keys)}" for reason, keys in groups.items()]


def is_missing(row: Row) -> bool:
    """Tell whether no contender has a value."""
    return all(cell.missing is not None for cell in row.cells)


def judgement_lines(judgements: Iterable[Judgement]) -> list[str]:
    """Say what became of each threshold."""
    return [
        f"threshold {item.outcome}: {item.threshold}: {item.contender} has "
        + ("no value" if item.value is None else _amount(item.value, item.interval, item.unit))
        + (f" ({item.reason})" if item.reason else "")
        for item in judgements
    ]


def groups_of(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Give the rows that somebody has a value for, by heading."""
    shown = [row for row in rows if not is_missing(row)]
    groups = [(group, [row for row in shown if row.group == group]) for group in GROUPS]
    return [(group, own) for group, own in groups if own]


def value_text(row: Row, cell: Cell) -> str:
    """Write the estimate with its interval."""
    if cell.estimate is None:
        return f"missing ({cell.missing})"
    return _amount(cell.estimate, cell.interval if row.cells else None, row.unit)


def ratio_text(row: Row, cell: Cell) -> str:
    """Write the ratio to the baseline with its interval, or the difference where there is no ratio."""
    if cell.ratio is None:
        if cell.difference is None or cell is row.cells[0]:
            return ""
        return f"{'+' if cell.difference >= 0 else ''}{_amount(cell.difference, cell.difference_interval, row.unit)}"
    if cell.ratio_interval is None:
        return f"x {cell.ratio:.3f}"
    low, high = cell.ratio_interval
    return f"x {cell.ratio:.3f} [{low:.3f}, {high:.3f}]" if low != high else f"x {cell.ratio:.3f}"


def verdict_text(row: Row, cell: Cell) -> str:
    """Write the word, and what would decide where it is open."""
    if cell.verdict is None:
        return "baseline" if cell is row.cells[0] else ""
    if cell.verdict == "not enough data" and cell.missing is None and cell.needs_repetitions is not None:
        return f"not enough data ({_more(cell.needs_repetitions)})"
    return cell.verdict


def multiple_text(cell: Cell) -> str:
    """Write how many times as bad as the best."""
    if cell.multiple_of_best is None:
        return ""
    return "best" if cell.multiple_of_best == 1 else f"{cell.multiple_of_best:.2f}"


def plain_lines(rows: Sequence[Row]) -> list[str]:
    """Give one line for each metric and contender, in columns that do not depend on a screen."""
    lines: list[str] = []
    for group, own in groups_of(rows):
        lines += ["", group]
        lines += _aligned([_line(row, cell) for row in own for cell in row.cells])
    return lines


def _line(row: Row, cell: Cell) -> tuple[str, ...]:
    count = f"n={cell.n}" if cell.n else ""
    best = multiple_text(cell)
    return (
        row.key,
        cell.contender,
        value_text(row, cell),
        count,
        ratio_text(row, cell),
        verdict_text(row, cell),
        "" if not best else best if best == "best" else f"{best} of best",
    )


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]


def as_markdown(comparison: Comparison, rows: Sequence[Row], judgements: Sequence[Judgement]) -> str:
    """Write a comparison as Markdown."""
    lines = ["# Comparison", "", *(f"- {text}" for text in verdict_sentences(comparison))]
    if judgements:
        lines += ["", "## Thresholds", "", *(f"- {text}" for text in judgement_lines(judgements))]
    for group, own in groups_of(rows):
        lines += ["", f"## {group.capitalize()}", ""]
        lines += [
            "| metric | contender | value | n | to baseline | verdict | of best |",
            "|---|---|---:|---:|---:|---|---:|",
        ]
        for row in own:
            for cell in row.cells:
                texts = (
                    f"`{row.key}`", cell.contender, value_text(row, cell), str(cell.n), ratio_text(row, cell),
                    verdict_text(row, cell), multiple_text(cell),
                )  # fmt: skip
                lines.append("| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |")
    remarks = [*missing_lines(rows), *exclusion_lines(comparison.excluded), *remark_sentences(comparison)]
    return "\n".join([*lines, "", "## Remarks", "", *(f"- {text}" for text in remarks)]) + "\n"


def as_csv(comparison: Comparison, rows: Sequence[Row]) -> str:
    """Write a comparison as CSV, a line for each metric and contender; nothing is rounded, unknown is empty."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    ends = [f"{name}_{end}" for name in INTERVAL_FIELDS for end in ("low", "high")]
    writer.writerow(
        ["key", "metric", "unit", "group", "better", "noise_threshold", "baseline", "contender", *CELL_FIELDS, *ends]
    )
    for row in rows:
        for cell in row.cells:
            intervals: list[Interval | tuple[None, None]] = [
                getattr(cell, name) or (None, None) for name in INTERVAL_FIELDS
            ]
            writer.writerow(
                [
                    row.key,
                    row.metric,
                    row.unit,
                    row.group,
                    row.better,
                    row.noise_threshold,
                    comparison.baseline,
                    cell.contender,
                    *(getattr(cell, name) for name in CELL_FIELDS),
                    *(end for interval in intervals for end in interval),
                ]
            )
    return target.getvalue()


def _amount(value: float, interval: Interval | None, unit: str) -> str:
    if interval is None or interval[0] == interval[1]:
        return quantity(value, unit)
    texts = [quantity(number, unit) for number in (value, *interval)]
    numbers, units = zip(*(text.partition(" ")[::2] for text in texts), strict=True)
    if len(set(units)) > 1:
        return f"{texts[0]} [{texts[1]}, {texts[2]}]"
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}] {units[0]}".rstrip()


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
