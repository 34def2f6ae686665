"""Proof 5: two equal runs differ by less than what one would want to see (A/A).

Repetitions that follow one another are pairs; which of the two is the numerator is drawn. Nothing differs within a
pair, so the median of the ratios is 1 but for noise.
"""

import random
from collections.abc import Mapping, Sequence

from benchmarks.proofs.bench import Bench
from benchmarks.proofs.finding import Finding, no_data, verdict_of
from benchmarks.proofs.intervals import median_with_interval

NUMBER = 5
STACK = "monolithic"
PAIRS = 10
LEAST_PAIRS = 3
SEED = 5
# Name, labels, largest ratio either way.
METRICS: Sequence[tuple[str, Mapping[str, str], float]] = (
    ("inference_s", {}, 1.03),
    ("frames_hz", {}, 1.03),
    ("inference_s", {"statistic": "p95"}, 1.10),
    ("ready_s", {}, 1.10),
)


def finding(name: str, values: Sequence[float | None], limit: float, seed: int = SEED) -> Finding:
    """Judge the ratios of neighbouring repetitions.

    Args:
        name: Metric, for people.
        values: Its value in each repetition, in order.
        limit: Largest ratio either way.
        seed: Draws the numerator of each pair.
    """
    claim = f"equal runs agree in {name} (median of pair ratios)"
    figure = f"within {limit:g} either way"
    ratios = pair_ratios(values, seed)
    if len(ratios) < LEAST_PAIRS:
        return no_data(NUMBER, claim, figure, f"{len(ratios)} pairs, at least {LEAST_PAIRS}")
    spread = median_with_interval(ratios)
    return Finding(
        NUMBER,
        claim,
        figure,
        f"{spread.value:.4f} over {len(ratios)} pairs, {max([*ratios, 1 / min(ratios)]):.4f} at worst",
        spread.interval(digits=4),
        verdict_of(holds=1 / limit <= spread.value <= limit),
    )


def pair_ratios(values: Sequence[float | None], seed: int) -> list[float]:
    """Give the ratio within each pair of neighbours; a pair with a missing value is none."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    found: list[float] = []
    for start in range(0, len(values) - 1, 2):
        first, second = chance.sample([values[start], values[start + 1]], 2)
        if first is not None and second is not None and first > 0 and second > 0:
            found.append(first / second)
    return found


def shown(name: str, labels: Mapping[str, str]) -> str:
    """Name a metric with its labels."""
    return name + (f" {' '.join(labels.values())}" if labels else "")


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Install and measure the stack as it is, again and again."""
    bench.deploy(STACK)
    pairs = LEAST_PAIRS if reduced else PAIRS
    evidence = bench.measure(cycles="install", repetitions=2 * pairs, duration_s=10.0 if reduced else 20.0)
    found: list[Finding] = []
    for name, labels, limit in METRICS:
        if evidence.problem:
            found.append(no_data(NUMBER, f"equal runs agree in {shown(name, labels)}", f"{limit:g}", evidence.problem))
        else:
            found.append(finding(shown(name, labels), evidence.per_repetition(name, **labels), limit))
    return found
