"""What the README says is so: its numbers are those of a record that it names, its links and files exist."""

import json
import re
from pathlib import Path

import pytest

from probes import reference
from probes.console import quantity

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
RECORD = PROJECT / "examples" / "records" / "first-light"
ROW = re.compile(r"^\| `([a-z_]+(?:\{[^}]*\})?)` \| ([^|]+) \| ([^|]+) \| (\d+) \|$", re.MULTILINE)


def test_numbers_are_those_of_the_record() -> None:
    metrics = json.loads((RECORD / "manifest.json").read_text())["metrics"]
    rows = ROW.findall(README)
    assert {row[0] for row in rows} >= {"install_s", "ready_s", "inference_s", "frames_hz", "jitter_s", "frames_lost"}
    for name, value, interval, n in rows:
        metric = metrics[name]
        assert value == quantity(metric["value"], metric["unit"]), name
        assert int(n) == metric["n"], name
        ends = metric["interval"]
        assert interval == (" to ".join(quantity(end, metric["unit"]) for end in ends) if ends else "–"), name


def test_the_record_is_named_with_the_command_that_shows_it() -> None:
    assert f"python -m probes.report {RECORD.relative_to(PROJECT)}" in README


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{file.name}" for file in sorted((PROJECT / "docs").glob("*.md")))]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    file = PROJECT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text())
    assert all((file.parent / link).exists() for link in links), links


def test_limits_come_before_results() -> None:
    assert README.index("## Limits") < README.index("## A result")


def test_metrics_page_is_the_catalogue() -> None:
    assert reference.PAGE.read_text() == reference.page(), "type `make docs`"
