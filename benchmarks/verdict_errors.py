"""How often the words of `python -m probes.compare` are wrong: `python -m benchmarks.verdict_errors`.

False alarms: contenders that are equal, of which some metric is called better or worse all the same, per comparison
(family-wise: one wrong word among all metrics and contenders counts). Detection: one contender is 5 % slower in one
metric and is called worse there. Coverage: how often the interval of a ratio holds the true ratio.

The repetitions are synthetic: lognormal, heavy-tailed (Student's t with 3 degrees of freedom on logarithms), with
spikes in a tenth of the repetitions, rounded to a step as coarse as the spread, and mostly constant. Within a block all
contenders share the drift of the machine.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from probes.comparing import compare_samples
from probes.comparison import Row
from probes.repetition_samples import Sample, Samples
from probes.stats import FloatArray

FALSE_ALARM_LIMIT = 0.05
DETECTION_GOAL = 0.9
SHIFT = 1.05
PAIRS = 1_000
DETECTION_TRIALS = 400
SIZES = (3, 5, 10, 20)
SPREAD = 0.03
SPREADS = (0.01, 0.02, 0.03)
DETECTION_SIZES = (3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80)
METRICS: Mapping[str, str] = {
    "inference_s": "lognormal", "inference_s{statistic=p95}": "heavy-tailed", "jitter_s": "spikes",
    "frames_hz": "tied", "frames_delivered_ratio": "mostly constant", "install_s": "lognormal", "ready_s": "tied",
    "cpu_cores": "lognormal", "memory_bytes": "heavy-tailed",
}  # fmt: skip
"""Headline metrics of a usual comparison, and the kind of data that each stands for here."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Draw = Callable[[np.random.Generator, int, float], FloatArray]


@dataclass(frozen=True)
class Rate:
    """How often something happened.

    Args:
        what: What was counted, for people.
        repetitions: Of each contender.
        count: How often.
        trials: In how many.
    """

    what: str
    repetitions: int
    count: int
    trials: int

    @property
    def share(self) -> float:
        """Count over trials."""
        return self.count / self.trials


def lognormal(chance: np.random.Generator, size: int, spread: float) -> FloatArray:
    """Draw factors whose logarithms are normal."""
    return np.exp(chance.normal(0, spread, size))


def heavy_tailed(chance: np.random.Generator, size: int, spread: float) -> FloatArray:
    """Draw factors with single repetitions far off; the same standard deviation of the logarithms."""
    return np.exp(spread / 3**0.5 * chance.standard_t(3, size))


def spikes(chance: np.random.Generator, size: int, spread: float) -> FloatArray:
    """Draw factors of which a tenth are disturbed, always upwards."""
    return np.exp(chance.normal(0, spread, size)) + np.where(
        chance.random(size) < 0.1, chance.exponential(0.3, size), 0
    )


def tied(chance: np.random.Generator, size: int, spread: float) -> FloatArray:
    """Draw factors as an instrument gives them whose step is as coarse as the spread."""
    return np.round(np.exp(chance.normal(0, spread, size)) / spread) * spread


def mostly_constant(chance: np.random.Generator, size: int, spread: float) -> FloatArray:
    """Draw ratios that are 1 but for one repetition in ten."""
    return np.where(chance.random(size) < 0.1, 1 - chance.random(size) * spread, 1.0)


KINDS: Mapping[str, Draw] = {
    "lognormal": lognormal,
    "heavy-tailed": heavy_tailed,
    "spikes": spikes,
    "tied": tied,
    "mostly constant": mostly_constant,
}


def synthetic(
    chance: np.random.Generator,
    names: Sequence[str],
    size: int,
    *,
    is_paired: bool,
    kinds: Mapping[str, str],
    spread: float,
) -> dict[str, dict[str, Sample]]:
    """Draw samples of equal contenders: of every metric by its kind, with the drift that blocks have in common."""
    found: dict[str, dict[str, Sample]] = {}
    for key, kind in kinds.items():
        drift = np.exp(chance.normal(0, spread, size)) if kind in {"lognormal", "heavy-tailed"} else np.ones(size)
        found[key] = {}
        for place, name in enumerate(names):
            if not is_paired and kind in {"lognormal", "heavy-tailed"}:
                drift = np.exp(chance.normal(0, spread, size))
            units = np.arange(size) + (0 if is_paired else place * 1_000_000)
            found[key][name] = Sample(units, KINDS[kind](chance, size, spread) * drift, "s", None)
    return found


def has_alarm(rows: Sequence[Row]) -> bool:
    """Tell whether any contender is called better or worse."""
    return any(cell.verdict in {"better", "worse"} for row in rows for cell in row.cells)


def false_alarms(
    size: int, contenders: int, *, is_paired: bool, trials: int, seed: int, noise_threshold: float | None = None
) -> Rate:
    """Count comparisons of equal contenders that hold a wrong word."""
    chance, names = np.random.default_rng(seed), [f"contender {number}" for number in range(contenders)]
    thresholds = None if noise_threshold is None else {"": noise_threshold}
    count = 0
    for _ in range(trials):
        samples = synthetic(chance, names, size, is_paired=is_paired, kinds=METRICS, spread=SPREAD)
        count += has_alarm(compare_samples(samples, names, noise_thresholds=thresholds))
    kind = "paired" if is_paired else "not paired"
    threshold = "" if noise_threshold is None else f", threshold {noise_threshold:g}"
    return Rate(f"{contenders} contenders, {len(METRICS)} metrics, {kind}{threshold}", size, count, trials)


def detections(kind: str, size: int, spread: float, *, is_paired: bool, trials: int, seed: int) -> Rate:
    """Count comparisons in which the one metric that is 5 % worse is called so; the other eight are equal."""
    chance, names, key = np.random.default_rng(seed), ["baseline", "slower"], "inference_s"
    kinds = {**METRICS, key: kind}
    count = 0
    for _ in range(trials):
        samples: Samples = synthetic(chance, names, size, is_paired=is_paired, kinds=kinds, spread=spread)
        before = samples[key]["slower"]
        shifted = {**samples, key: {**samples[key], "slower": Sample(before.units, before.values * SHIFT, "s", None)}}
        row = next(row for row in compare_samples(shifted, names) if row.key == key)
        count += row.cells[1].verdict == "worse"
    return Rate(f"{kind}, spread {spread:.0%}, {'paired' if is_paired else 'not paired'}", size, count, trials)


def coverage(kind: str, size: int, *, is_paired: bool, trials: int, seed: int) -> Rate:
    """Count intervals of a ratio that hold the true one."""
    chance, names, key = np.random.default_rng(seed), ["first", "second"], "inference_s"
    count = 0
    for _ in range(trials):
        samples = synthetic(chance, names, size, is_paired=is_paired, kinds={key: kind}, spread=SPREAD)
        interval = compare_samples(samples, names)[0].cells[1].ratio_interval
        count += interval is not None and interval[0] <= 1 <= interval[1]
    return Rate(f"{kind}, {'paired' if is_paired else 'not paired'}", size, count, trials)


def least_detecting(kind: str, spread: float, *, is_paired: bool, trials: int, seed: int) -> Rate:
    """Give the smallest number of repetitions, of those tried, that detects as often as wanted, by bisection."""
    found: dict[int, Rate] = {}
    low, high = 0, len(DETECTION_SIZES) - 1
    while low < high:
        middle = (low + high) // 2
        size = DETECTION_SIZES[middle]
        found[size] = detections(kind, size, spread, is_paired=is_paired, trials=trials, seed=seed)
        low, high = (low, middle) if found[size].share >= DETECTION_GOAL else (middle + 1, high)
    size = DETECTION_SIZES[low]
    return found.get(size) or detections(kind, size, spread, is_paired=is_paired, trials=trials, seed=seed)


def _table(title: str, rates: Sequence[Rate]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("case", "repetitions", "count", "of", "share"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for rate in rates:
        table.add_row(rate.what, str(rate.repetitions), str(rate.count), str(rate.trials), f"{rate.share:.1%}")
    return table


@app.command()
def main(
    trials: Annotated[int, typer.Option(help="Synthetic comparisons of each case.")] = PAIRS,
    seed: Annotated[int, typer.Option(help="Of the synthetic data.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder for verdict_errors.json.")] = None,
) -> None:
    """Count wrong and right words; exit code 1 where false alarms are more than 5 % or a 5 % shift is not detected."""
    console = Console()
    alarms: list[Rate] = []
    for contenders in (2, 4):
        for is_paired in (True, False):
            alarms += [false_alarms(size, contenders, is_paired=is_paired, trials=trials, seed=seed) for size in SIZES]
    strict = [
        false_alarms(size, 2, is_paired=is_paired, trials=trials, seed=seed, noise_threshold=0.0)
        for is_paired in (True, False)
        for size in SIZES
    ]
    console.print(_table("False alarms among equal contenders, per comparison (limit 5 %)", alarms))
    console.print(_table("The same without any noise threshold", strict))
    covered = [
        coverage(kind, size, is_paired=is_paired, trials=trials, seed=seed)
        for kind in KINDS
        for is_paired in (True, False)
        for size in (3, 5, 10, 20)
    ]
    console.print(_table("Intervals that hold the true ratio (95 % promised)", covered))
    detected = [
        least_detecting(kind, spread, is_paired=is_paired, trials=min(trials, DETECTION_TRIALS), seed=seed)
        for spread in SPREADS
        for kind in ("lognormal", "heavy-tailed", "tied")
        for is_paired in (True, False)
    ]
    console.print(_table("Least repetitions that detect a shift of 5 % in 90 % of the comparisons", detected))
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        document = {"trials": trials, "seed": seed, "metrics": METRICS, "spread": SPREAD, "shift": SHIFT}
        tables = {"false_alarms": alarms, "without_threshold": strict, "coverage": covered, "detection": detected}
        document |= {name: [asdict(rate) for rate in rates] for name, rates in tables.items()}
        (keep / "verdict_errors.json").write_text(json.dumps(document, indent=1) + "\n")
    too_many = [rate for rate in alarms if rate.share > FALSE_ALARM_LIMIT]
    too_few = [rate for rate in detected if rate.share < DETECTION_GOAL]
    for rate in (*too_many, *too_few):
        console.print(f"not kept: {rate.what}, {rate.repetitions} repetitions: {rate.share:.1%}")
    raise typer.Exit(int(bool(too_many or too_few)))


if __name__ == "__main__":
    app()
