"""Paired comparison of two ways to do one thing on a machine whose speed drifts.

Each pair runs both ways one after the other, in an order drawn anew; the ratio of a pair is what counts, so that a
slow minute slows both. An A/A control runs the first way against itself: its interval must hold 1, or the machine
was too restless to say anything.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import exp, log
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from probes.provenance import PROJECT_ROOT, operator_facts, read_commit
from probes.stats import Estimate, estimate

LEAST_PAIRS = 10
Timed = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """Ratio of two ways over pairs: geometric mean with its interval (`probes.stats.mean_interval`, on logarithms).

    Attributes:
        name: what is compared, first way over second.
        first_s: median of the first way, in seconds.
        second_s: median of the second way, in seconds.
        ratio: first over second.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        pairs: number of pairs.
        limit: what the ratio may be at most; none where it is only reported.
    """

    name: str
    first_s: float
    second_s: float
    ratio: float
    low: float
    high: float
    pairs: int
    limit: float | None = None

    @property
    def holds_one(self) -> bool:
        """Whether no difference is proved."""
        return self.low <= 1 <= self.high

    @property
    def verdict(self) -> str:
        """Whether the interval lies within the limit, beyond it, or on both sides."""
        if self.limit is None:
            return "reported"
        if self.high <= self.limit:
            return "kept"
        return "broken" if self.low > self.limit else "undecided"


def compare(
    name: str, first: Sequence[float], second: Sequence[float], *, seed: int, limit: float | None = None
) -> Comparison:
    """Compare times that were taken in pairs.

    Raises:
        ValueError: the pairs are incomplete or fewer than three.
    """
    ratios = [log(one / other) for one, other in zip(first, second, strict=True)]
    found: Estimate | None = estimate(ratios, seed, is_signed=True)
    if found is None or found.interval is None:
        raise ValueError(f"{name}: {len(ratios)} pairs carry no interval, at least three are needed")
    low, high = found.interval
    return Comparison(name, median(first), median(second), exp(found.value), exp(low), exp(high), len(ratios), limit)


def run_pairs(
    first: Timed, second: Timed, *, pairs: int, seed: int, tell: Callable[[str], None]
) -> tuple[list[float], list[float]]:
    """Time both ways in pairs; which goes first is drawn for each pair."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(pairs):
        for which in chance.sample((0, 1), 2):
            times[which].append((first, second)[which]())
        tell(f"pair {number + 1}/{pairs}: {times[0][-1]:.3f} s, {times[1][-1]:.3f} s")
    return times


def show(benchmark: str, comparisons: Sequence[Comparison], keep: Path | None) -> None:
    """Print a table for people and, where a folder is given, keep the result there as `BENCHMARK.json`.

    Args:
        benchmark: module name of the benchmark.
        comparisons: its control first.
        keep: folder; `python -m benchmarks.page` writes docs/benchmarks.md from benchmarks/results.
    """
    table = Table(title="first / second, 95 % interval over pairs", title_justify="left")
    for heading in ("comparison", "first s", "second s", "ratio", "interval", "pairs", "limit", "verdict"):
        table.add_column(heading, justify="left" if heading == "comparison" else "right")
    for one in comparisons:
        table.add_row(*cells(one))
    Console().print(table)
    if keep:
        facts = {"date": datetime.now(UTC).date().isoformat(), "machine": operator_facts()}
        commit = asdict(read_commit(PROJECT_ROOT))
        result = {"benchmark": benchmark, **facts, "commit": commit, "rows": [asdict(one) for one in comparisons]}
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{benchmark}.json").write_text(json.dumps(result, indent=1) + "\n")


def cells(one: Comparison) -> tuple[str, ...]:
    """The row of a comparison in a table for people."""
    limit = "–" if one.limit is None else f"{one.limit:g}"
    times = (f"{one.first_s:.3f}", f"{one.second_s:.3f}", f"{one.ratio:.3f}", f"{one.low:.3f} to {one.high:.3f}")
    return (one.name, *times, str(one.pairs), limit, one.verdict)
