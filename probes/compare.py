"""`python -m probes.compare`: which of several ways is better, metric by metric, and how sure that is."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from probes.comparing import compare_selection
from probes.comparison import Cell, Comparison, Row
from probes.comparison_rules import HEADLINE, RULES
from probes.comparison_text import (
    as_csv,
    as_markdown,
    exclusion_lines,
    groups_of,
    judgement_lines,
    missing_lines,
    multiple_text,
    plain_lines,
    ratio_text,
    remark_sentences,
    value_text,
    verdict_sentences,
    verdict_text,
)
from probes.console import Screen
from probes.errors import ProbeError, UsageError
from probes.record_sources import FoundRuns, find_in, open_sources
from probes.run_summary import RunFilter
from probes.selection import select
from probes.thresholds import (
    Judgement,
    Threshold,
    ThresholdFile,
    judge,
    parse_noise_thresholds,
    parse_threshold,
    parse_threshold_file,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
COLOURS = {"better": "green", "worse": "red", "within noise": "dim", "not enough data": "yellow"}
OUTCOME_COLOURS = {"kept": "green", "broken": "red", "undecided": "yellow"}
METRIC_COLUMNS, LEAST_CELL_COLUMNS, MOST_CELL_COLUMNS = 36, 26, 33
DAY = "%Y-%m-%d"


class CompareCode(IntEnum):
    """Exit codes of this command beside those of all commands."""

    DONE = 0
    THRESHOLD_BROKEN = 1
    THRESHOLD_UNDECIDED = 3


@app.command()
def compare(
    selector: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stacks, patterns (baseline: without Kubernetes), cells, campaigns or runs; of the last two a part is "
            "enough. Default: the newest campaign with several stacks."
        ),
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="What the others are compared with. Default: the first.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Show these metrics (name, or key with labels). Repeatable.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every metric, not the headline metrics alone.")] = False,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="'inference_s<=1.1' (ratio to the baseline) or 'install_s<=30s absolute'. Repeatable."),
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="YAML file with thresholds and noiseThresholds, see docs/comparing.md.")
    ] = None,
    noise_threshold: Annotated[
        list[str] | None,
        typer.Option(help="Smallest difference that matters: 3% for all metrics, inference_s=3% for one. Repeatable."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="spool, dir:PATH or s3://BUCKET[/PREFIX]. Default: the spool and the store of the environment."
        ),
    ] = None,
    since: Annotated[datetime | None, typer.Option(formats=[DAY], help="First day (UTC) that is looked at.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=[DAY], help="Last day (UTC) that is looked at.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON object.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a line for each metric and contender.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Compare stacks: verdicts first, then every estimate with its interval and its ratio to the baseline.

    Exit code 1: a threshold is broken. 3: one is undecided and none is broken. 2: the request cannot be met.
    """
    screen = Screen()
    try:
        if as_json + csv + markdown > 1:
            raise UsageError("--json, --csv and --markdown exclude one another.", next_step="give one of them")
        wanted = _read_thresholds(thresholds, threshold or ())
        noise = {**wanted.noise_thresholds} | parse_noise_thresholds(noise_threshold or ())
        found = find_in(open_sources(store), RunFilter(since=_day(since), until=_day(until)))
        for problem in found.problems:
            screen.note(f"left out: {problem.message}")
        if not found.runs:
            raise UsageError(
                f"There is no record in {' or '.join(found.addresses)}.",
                next_step="python -m probes.run, or --store dir:PATH",
            )
        comparison = _compared(found, selector or (), baseline, metric or (), wanted, noise, every=every)
        judgements = judge(wanted.thresholds, comparison)
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    rows = [row for row in comparison.rows if _is_shown(row, metric or (), every=every)]
    if as_json:
        document = replace(comparison, rows=tuple(rows)).as_record() | {
            "thresholds": [vars(item) for item in judgements]
        }
        sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    elif csv:
        sys.stdout.write(as_csv(comparison, rows))
    elif markdown:
        sys.stdout.write(as_markdown(comparison, rows, judgements))
    else:
        show(Console(highlight=False), comparison, rows, judgements)
    raise typer.Exit(exit_code(judgements))


def exit_code(judgements: Sequence[Judgement]) -> CompareCode:
    """Give 1 for a broken threshold, 3 for one that is undecided where none is broken, else 0."""
    outcomes = {item.outcome for item in judgements}
    if "broken" in outcomes:
        return CompareCode.THRESHOLD_BROKEN
    return CompareCode.THRESHOLD_UNDECIDED if "undecided" in outcomes else CompareCode.DONE


def show(console: Console, comparison: Comparison, rows: Sequence[Row], judgements: Sequence[Judgement]) -> None:
    """Print a comparison for people: verdicts, thresholds, the table, then what they rest on."""
    for item, line in zip(judgements, judgement_lines(judgements), strict=True):
        colour = OUTCOME_COLOURS[item.outcome]
        console.print(f"[{colour}]{escape(line)}[/{colour}]", soft_wrap=True)
    for text in verdict_sentences(comparison):
        console.print(f"[bold]{escape(text)}[/bold]", soft_wrap=True)
    cell_columns = min((console.width - METRIC_COLUMNS) // len(comparison.contenders), MOST_CELL_COLUMNS)
    if console.is_terminal and cell_columns >= LEAST_CELL_COLUMNS:
        console.print(_table(comparison, rows, cell_columns))
    else:
        for line in plain_lines(rows):
            console.print(escape(line), soft_wrap=True)
    console.print()
    remarks = [*missing_lines(rows), *exclusion_lines(comparison.excluded), *remark_sentences(comparison)]
    for text in remarks:
        console.print(escape(text), soft_wrap=True)


def _table(comparison: Comparison, rows: Sequence[Row], cell_columns: int) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("metric", overflow="fold", width=METRIC_COLUMNS - 2)
    for contender in comparison.contenders:
        table.add_column(escape(contender.name), overflow="fold", width=cell_columns - 2)
    for group, own in groups_of(rows):
        table.add_row(f"[bold]{group}[/bold]")
        for row in own:
            table.add_row(escape(row.key), *(_cell_text(row, cell) for cell in row.cells))
    return table


def _cell_text(row: Row, cell: Cell) -> str:
    best, word = multiple_text(cell), verdict_text(row, cell)
    lines = [f"{value_text(row, cell)}{f' ({best})' if best else ''}", ratio_text(row, cell)]
    shown = [escape(line) for line in lines if line]
    if word:
        colour = COLOURS.get(cell.verdict or "", "dim")
        shown.append(f"[{colour}]{escape(word)}[/{colour}]")
    return "\n".join(shown)


def _compared(
    found: FoundRuns,
    selectors: Sequence[str],
    baseline: str | None,
    metrics: Sequence[str],
    wanted: ThresholdFile,
    noise_thresholds: dict[str, float],
    *,
    every: bool,
) -> Comparison:
    unknown = [name for name in metrics if name.partition("{")[0] not in RULES]
    if unknown:
        raise UsageError(
            f"--metric {unknown[0]!r}: there is no metric of that name; metrics: {', '.join(RULES)}.",
            next_step=f"python -m probes.compare --metric {HEADLINE[0]}",
        )
    keys = None if every or metrics else {item.key for item in wanted.thresholds}
    return compare_selection(
        select(selectors, found.runs, baseline),
        found,
        keys=keys,
        selectors=selectors,
        noise_thresholds=noise_thresholds,
    )


def _is_shown(row: Row, metrics: Sequence[str], *, every: bool) -> bool:
    if metrics:
        return row.key in metrics or row.metric in metrics
    return every or row.is_headline


def _read_thresholds(path: Path | None, texts: Sequence[str]) -> ThresholdFile:
    own: tuple[Threshold, ...] = tuple(parse_threshold(text) for text in texts)
    if path is None:
        return ThresholdFile(own, {})
    try:
        read = parse_threshold_file(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--thresholds {path} cannot be read: {error}.", next_step="name a YAML file") from None
    return ThresholdFile((*read.thresholds, *own), read.noise_thresholds)


def _day(value: datetime | None) -> date | None:
    return None if value is None else value.date()


if __name__ == "__main__":
    app()
