"""What the README says is so: its numbers are those of a record that it names, its links and files exist."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from probes import reference
from probes.console import quantity
from probes.summary import summarise
from probes.tables import conform, decode_table, readings_from

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
RECORD = PROJECT / "examples" / "records" / "first-light"
PATTERNS_PAGE = (PROJECT / "docs" / "patterns.md").read_text()
PATTERN_RECORDS = PROJECT / "examples" / "records" / "four-patterns"
ROW = re.compile(r"^\| `([a-z_]+(?:\{[^}]*\})?)` \| ([^|]+) \| ([^|]+) \| (\d+) \|$", re.MULTILINE)


def metrics_of(record: Path) -> dict[str, Any]:
    """The metrics of a record with today's intervals: the first records' own are plain BCa, narrower than they say."""
    manifest = json.loads((record / "manifest.json").read_text())
    readings = readings_from(conform("metrics", decode_table((record / "metrics.parquet").read_bytes())))
    summed_up = summarise(readings, seed=manifest["plan"]["seed"])
    metrics: dict[str, Any] = manifest["metrics"]
    for key, metric in metrics.items():
        value = summed_up[key]
        assert value.value == (pytest.approx(metric["value"]) if "value" in metric else None), key
        if metric.get("interval"):
            metrics[key] = metric | {"interval": value.interval}
    return metrics


def test_numbers_are_those_of_the_record() -> None:
    metrics = metrics_of(RECORD)
    rows = ROW.findall(README)
    assert {row[0] for row in rows} >= {"install_s", "ready_s", "inference_s", "frames_hz", "jitter_s", "frames_lost"}
    for name, value, interval, n in rows:
        metric = metrics[name]
        assert value == quantity(metric["value"], metric["unit"]), name
        assert int(n) == metric["n"], name
        ends = metric["interval"]
        assert interval == (" to ".join(quantity(end, metric["unit"]) for end in ends) if ends else "–"), name


def cell(metric: dict[str, Any]) -> str:
    """A metric of a manifest as the page of the patterns shows it."""
    if "missing" in metric:
        return f"missing({metric['missing']})"
    shown = quantity(metric["value"], metric["unit"])
    ends = metric["interval"]
    return f"{shown} ({' to '.join(quantity(end, metric['unit']) for end in ends)})" if ends else shown


def kinds_of_runs() -> Iterator[Mapping[str, dict[str, Any]]]:
    """Metrics of the committed runs by stack: of the installs, of the updates, of the swaps."""
    manifests = {file.parent: json.loads(file.read_text()) for file in PATTERN_RECORDS.glob("runs/**/manifest.json")}
    for cycles in ("install", "update", "none"):
        folders = {run["stack"]: folder for folder, run in manifests.items() if run["plan"]["cycles"] == cycles}
        assert len(folders) == 4, cycles
        yield {stack: metrics_of(folder) for stack, folder in folders.items()}


def test_numbers_of_the_patterns_are_those_of_the_records() -> None:
    runs = list(kinds_of_runs())
    lines = [line.strip("| ").split(" | ") for line in PATTERNS_PAGE.splitlines() if line.startswith("| ")]
    headings = [line[1:] for line in lines if line[0] == "metric"]
    assert headings == [["monolithic", "microservices", "composition", "overlay"]] * 2
    rows = [line for line in lines if line[0].startswith("`")]
    assert len(rows) > 20
    for name, *values in rows:
        key = name.strip("`")
        # Installs tell it where they have a value, else updates, else swaps.
        by_stack = next(one for one in runs if any("value" in metrics.get(key, {}) for metrics in one.values()))
        assert values == [cell(by_stack[stack][key]) for stack in headings[0]], name


def test_the_record_is_named_with_the_command_that_shows_it() -> None:
    assert f"python -m probes.report {RECORD.relative_to(PROJECT)}" in README


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{file.name}" for file in sorted((PROJECT / "docs").glob("*.md")))]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    file = PROJECT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text())
    assert all((file.parent / link).exists() for link in links), links


def test_queries_are_those_that_are_tested() -> None:
    queries = (PROJECT / "examples" / "queries" / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks[1:] == re.findall(r"```python\n(.*?)```", queries, re.DOTALL)[:2]
    assert [len(block.splitlines()) for block in blocks] == [4, 4, 4]


def test_limits_come_before_results() -> None:
    assert README.index("## Limits") < README.index("## A result")


def test_metrics_page_is_the_catalogue() -> None:
    assert reference.PAGE.read_text() == reference.page(), "type `make docs`"
