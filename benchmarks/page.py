"""`python -m benchmarks.page`: writes docs/benchmarks.md from the kept results, so that the page cannot drift."""

import json
from pathlib import Path
from typing import Any

from benchmarks.paired import Comparison, cells

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

<!-- Written by `python -m benchmarks.page` from benchmarks/results. -->

Claims about time are ratios: both ways run one after the other, in an order drawn anew for each pair, and the ratio of
a pair is what counts, with a 95 % interval over pairs. A control runs one way against itself; where its
interval misses 1 the machine was too restless. *kept*: the whole interval is within the limit; *broken*: beyond it;
*undecided*: on both sides. To measure them again: a lab that is up, nothing else running, and the command.
"""
COLUMNS = (
    "| comparison | first, s | second, s | ratio | interval | pairs | limit | verdict |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def section(result: dict[str, Any]) -> str:
    """One benchmark: its command, where and when it ran, its rows."""
    machine, commit = result["machine"], result["commit"]["revision"] or "unknown"
    rows = "".join(f"| {' | '.join(cells(Comparison(**row)))} |\n" for row in result["rows"])
    return (
        f"\n## {result['benchmark'].replace('_', ' ').capitalize()}\n\n"
        f"`python -m benchmarks.{result['benchmark']}`, {result['date']}, commit {commit[:7]}, "
        f"{machine['cpus']} cores {machine['architecture']}, Linux {machine['kernel']}\n\n{COLUMNS}{rows}"
    )


def page() -> str:
    """The page's text."""
    return HEAD + "".join(section(json.loads(file.read_bytes())) for file in sorted(RESULTS.glob("*.json")))


if __name__ == "__main__":
    PAGE.write_text(page())
