"""The values of a comparison: contenders against a baseline, metric by metric, each difference with one of four words.

Frozen, without effects. `probes.compare` makes one and prints it; `probes.report` makes a page of it. What a verdict
means is in `probes.verdicts`, which runs may be compared in `probes.selection`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Better = Literal["lower", "higher", "neither"]
Verdict = Literal["better", "worse", "within noise", "not enough data"]
VERDICTS: tuple[Verdict, ...] = ("better", "worse", "within noise", "not enough data")

Method = Literal["paired", "unpaired", "exact"]
"""`paired`: repetition by repetition of one campaign; `unpaired`: of separate ones; `exact`: what does not vary."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Contender:
    """What takes part in a comparison: the runs of one stack.

    Args:
        name: As the comparison calls it: the stack, or `baseline`, with more where that would be ambiguous.
        stack: Stack that was measured.
        pattern: Its pattern.
        run_ids: Runs that its numbers come from, oldest first.
        repetitions: How many repetitions these runs hold together.
        created_at: When the newest of them began (ISO 8601).
        commits: Commits of the project they were measured with; one that was changed locally ends with ` (changed)`.
    """

    name: str
    stack: str
    pattern: str
    run_ids: tuple[str, ...]
    repetitions: int
    created_at: str
    commits: tuple[str, ...]


@dataclass(frozen=True)
class NoiseFloor:
    """What the A/A control says of a metric: one stack measured as if it were two, second over first.

    Args:
        stack: Stack that was measured twice.
        ratio: Geometric mean of the ratios, repetition by repetition; their median where only the manifest tells it.
        interval: Of the ratio, at the confidence of the settings; None for fewer than three pairs.
        n: Pairs.
    """

    stack: str
    ratio: float
    interval: Interval | None
    n: int

    @property
    def reach(self) -> float | None:
        """How far from 1 equal things were measured (0.03: up to 3 %), None where the pairs carry no interval."""
        if self.interval is None:
            return None
        low, high = self.interval
        return max(1 / low - 1 if 0 < low < 1 else 0.0, high - 1, 0.0)


@dataclass(frozen=True)
class Cell:
    """One metric of one contender.

    Args:
        contender: Name of the contender.
        estimate: Mean over repetitions, in the row's unit; None where it is missing.
        interval: Of the mean (`probes.stats.mean_interval`), of what is exact its range; None for too few repetitions.
        n: Repetitions that gave a value.
        ratio: To the baseline; None for the baseline itself, where one of the two is missing or the baseline is 0.
        ratio_interval: Of the ratio; None where there are too few repetitions.
        difference: From the baseline, in the row's unit.
        difference_interval: Of the difference; None where there are too few repetitions.
        method: How the two were compared; None where they were not.
        verdict: None for the baseline itself and for metrics that are neither good nor bad.
        p_value: That equal things differ as much: Student's t on the logarithms, or on the differences where values
            are not positive; before the correction.
        p_adjusted: The same after the correction for the number of comparisons; verdicts follow this one.
        p_permutation: The same by a permutation test, as a check; None where so few repetitions cannot tell.
        effect: Cliff's delta, -1 to 1: how often a repetition of the contender is larger than one of the baseline,
            less how often it is smaller.
        multiple_of_best: How many times as bad as the best contender, 1 for the best; None where nothing is better.
        needs_repetitions: How many more would probably decide; None where it is decided or cannot be foreseen.
        missing: Why there is no value; None where there is one.
    """

    contender: str
    estimate: float | None
    interval: Interval | None
    n: int
    ratio: float | None = None
    ratio_interval: Interval | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    method: Method | None = None
    verdict: Verdict | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    p_permutation: float | None = None
    effect: float | None = None
    multiple_of_best: float | None = None
    needs_repetitions: int | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Row:
    """One metric of all contenders.

    Args:
        key: As in the manifest: the metric's name with its labels.
        metric: The name alone.
        unit: Base unit; `1` for ratios and counts.
        better: Which direction is better, or `neither`.
        group: Heading under which it is shown, see `probes.comparison_rules`.
        is_headline: Whether it is shown without being asked for, and belongs to the first family of comparisons.
        cells: One for each contender, in their order.
        noise_floor: What the A/A control says; None where there was none.
        noise_threshold: Ratios from 1 / (1 + this) to 1 + this are noise: the larger of the practical threshold and
            the reach of the noise floor.
    """

    key: str
    metric: str
    unit: str
    better: Better
    group: str
    is_headline: bool
    cells: tuple[Cell, ...]
    noise_floor: NoiseFloor | None
    noise_threshold: float

    def cell(self, contender: str) -> Cell:
        """Give the cell of a contender.

        Raises:
            KeyError: It takes no part in the comparison.
        """
        for cell in self.cells:
            if cell.contender == contender:
                return cell
        raise KeyError(contender)


@dataclass(frozen=True)
class Exclusion:
    """A run that was asked for and not compared: the field that differs, what it says and what it should say."""

    run_id: str
    stack: str
    field: str
    value: str
    expected: str


@dataclass(frozen=True)
class Settings:
    """How the comparison was made.

    Args:
        selectors: What was asked for.
        selection: Sentences: which runs were taken, and by what rule.
        conditions: What the compared runs have in common, field by field.
        sources: Where the records were read.
        confidence: Of every interval, each for itself.
        error_rate: Chance that a comparison of equal things holds a wrong `better` or `worse`.
        corrections: Family of comparisons to the method that corrects for their number.
        resamples: Of the bootstrap.
        seed: Of the bootstrap and of permutations that are drawn.
        power: Probability with which `needs_repetitions` would decide.
    """

    selectors: tuple[str, ...]
    selection: tuple[str, ...]
    conditions: Mapping[str, str]
    sources: tuple[str, ...]
    confidence: float
    error_rate: float
    corrections: Mapping[str, str]
    resamples: int
    seed: int
    power: float


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found.

    Args:
        baseline: Name of the contender that the others are compared with.
        contenders: The baseline first, the others in the order asked for.
        rows: In the order of the catalogue.
        excluded: What was asked for and not compared.
        settings: How it was made.
    """

    baseline: str
    contenders: tuple[Contender, ...]
    rows: tuple[Row, ...]
    excluded: tuple[Exclusion, ...]
    settings: Settings

    def row(self, key: str) -> Row:
        """Give the row of a metric's key.

        Raises:
            KeyError: The comparison has none.
        """
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)

    def as_record(self) -> dict[str, Any]:
        """Give it field by field as plain values, for JSON."""
        return asdict(self)
