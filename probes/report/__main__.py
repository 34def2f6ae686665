"""`python -m probes.report`: write the page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from probes.comparing import compare_selection
from probes.console import Screen
from probes.errors import ProbeError, UsageError
from probes.record_sources import FoundRuns, find_in, open_sources
from probes.records import RecordStore
from probes.report.contents import Contents
from probes.report.gather import gather
from probes.report.other_runs import with_other_runs
from probes.report.page import render
from probes.report.page_file import write_page
from probes.report.record_folder import RecordFolder, record_folder
from probes.report.scope import choose
from probes.run_summary import RunSummary
from probes.spool import Spool

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
SEPARATOR = "runs/schema="
LEAST_PART = 4
"""A shorter part of an identifier is taken for a name."""


def read_contents(selectors: Sequence[str], store: str | None, baseline: str | None, screen: Screen) -> Contents:
    """Find the runs that are asked for, compare them and read what the page shows.

    Args:
        selectors: Names, identifiers, folders of records, or addresses of records in S3.
        store: The `--store` option.
        baseline: The `--baseline` option.
        screen: Where records that cannot be read are named.

    Raises:
        ProbeError: There is nothing to show, or it cannot be read.
    """
    named, places = _places(selectors)
    sources: list[RecordStore] = list(places)
    if store is not None or len(named) > len(places) or not selectors:
        sources += open_sources(store)
    found = find_in(sources)
    for problem in found.problems:
        screen.note(problem.message)
    for selector in named:
        _refuse_unsealed(selector, found.runs)
    selection = choose(named, found.runs, baseline)
    comparison, beside = with_other_runs(compare_selection(selection, found, selectors=selectors), selection, found)
    taken = [run for entrant in selection.entrants for run in entrant.runs]
    # A page is sent to others: it does not tell where this user's home is.
    told = tuple(source.replace(str(Path.home()), "~") for source in comparison.settings.sources)
    settings = replace(comparison.settings, sources=told)
    observed = pl.concat([found.observations(taken), *beside.observed])
    return gather(replace(comparison, settings=settings), _sources(found), observed, beside.run_ids)


def _refuse_unsealed(selector: str, runs: Sequence[RunSummary]) -> None:
    """Say that a run of this machine has no record yet, where that is why its name fits nothing."""
    if any(run.run_id.startswith(selector) or run.run_id.endswith(selector) for run in runs):
        return
    for folder in Spool().runs():
        if len(selector) >= LEAST_PART and (folder.run_id.startswith(selector) or folder.run_id.endswith(selector)):
            raise UsageError(
                f"Run {folder.run_id} is not sealed: there is no record to report yet.",
                next_step=f"python -m probes.resume {folder.run_id}",
            )


def _places(selectors: Sequence[str]) -> tuple[list[str], list[RecordStore]]:
    """Replace folders and addresses of records by the identifiers of their runs, and open them."""
    named: list[str] = []
    places: list[RecordStore] = []
    for selector in selectors:
        if (folder := record_folder(selector)) is not None:
            place = RecordFolder(folder)
            places.append(place)
            named.append(place.run_id)
        elif selector.startswith("s3://") and SEPARATOR in selector:
            base, _, rest = selector.partition(SEPARATOR)
            places += open_sources(base.rstrip("/"))
            named.append(rest.partition("/run=")[2].partition("/")[0])
        else:
            named.append(selector)
    return named, places


def _sources(found: FoundRuns) -> dict[str, tuple[RecordStore, RunSummary]]:
    return {run.run_id: (found.source_of[run.run_id], run) for run in found.runs}


@app.command()
def report(
    selectors: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stacks, patterns, campaigns, runs (identifier or a part), folders of records, or s3://…/run=…/. "
            "Several are compared. Default: the newest run with the others of its campaign.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Page to write.")] = Path("report.html"),
    store: Annotated[
        str | None,
        typer.Option(
            help="spool, dir:PATH or s3://BUCKET[/PREFIX]. Default: the spool, and the store of the environment."
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="What the others are compared with. Default: the first one named.")
    ] = None,
) -> None:
    """Write one HTML page of one run or of several compared: verdict, choice, limits, plots, every value."""
    screen = Screen()
    try:
        page = render(read_contents(tuple(selectors or ()), store, baseline, screen))
        write_page(output, page)
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    screen.line(f"report: {output} ({output.stat().st_size / 1e6:.1f} MB, opens without a network)")


if __name__ == "__main__":
    app()
