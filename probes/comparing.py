"""From observations to a comparison: every metric of every contender against the baseline. Pure.

    runs = find_in(open_sources(None))
    comparison = compare_selection(select(("monolithic", "overlay"), runs.runs), runs)

The unit is the repetition. What is compared is always the mean over repetitions, also of counts that a record sums up
and of extremes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import polars as pl

from probes.comparison import Cell, Comparison, Contender, NoiseFloor, Row, Settings
from probes.comparison_rules import HEADLINE, Rule, place_of, rule_of
from probes.multiplicity import benjamini_hochberg, holm
from probes.power import POWER, more_repetitions
from probes.ratio import ERROR_RATE, Contrast, contrast, exact_contrast
from probes.repetition_samples import NOTHING, Sample, Samples, samples_of
from probes.run_summary import RunSummary
from probes.selection import Entrant, Selection
from probes.stats import CONFIDENCE, LEAST_REPETITIONS, RESAMPLES, mean_interval
from probes.verdicts import verdict

SEED = 1
HEADLINE_FAMILY, OTHER_FAMILY = "headline metrics", "other metrics"
CORRECTIONS: Mapping[str, str] = {HEADLINE_FAMILY: "Holm", OTHER_FAMILY: "Benjamini-Hochberg"}


class Observed(Protocol):
    """Gives what was observed in runs, such as `probes.record_sources.FoundRuns`."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the records are read, for people."""
        ...

    def observations(self, runs: Iterable[RunSummary], keys: Collection[str] | None = None) -> pl.DataFrame:
        """Give the frame of `probes.records.observations`."""
        ...


def compare_selection(
    selection: Selection,
    observed: Observed,
    *,
    keys: Collection[str] | None = None,
    selectors: Sequence[str] = (),
    noise_thresholds: Mapping[str, float] | None = None,
    seed: int = SEED,
) -> Comparison:
    """Compare the runs of a selection.

    Args:
        selection: What is compared with what.
        observed: What was observed in them.
        keys: Metric keys; all by default. Headline metrics are read in any case: their verdicts depend on how many of
            them there are, not on what is shown.
        selectors: What was asked for, to be told.
        noise_thresholds: By metric key, name, or `""` for all: practical thresholds instead of the usual ones.
        seed: Of everything that is drawn.
    """
    roles = {entrant.name: entrant.runs for entrant in selection.entrants}
    controls = {control_of(entrant.name): entrant.control for entrant in selection.entrants if entrant.control}
    taken = list({run.run_id: run for runs in (*roles.values(), *controls.values()) for run in runs}.values())
    wanted = None if keys is None else {*keys, *HEADLINE}
    samples = samples_of(observed.observations(taken, wanted), roles | controls)
    names = [entrant.name for entrant in selection.entrants]
    stacks = {control_of(entrant.name): entrant.runs[0].stack for entrant in selection.entrants if entrant.control}
    rows = compare_samples(
        samples, names, stacks, floors=_told_floors(taken), noise_thresholds=noise_thresholds, seed=seed
    )
    return Comparison(
        baseline=selection.baseline,
        contenders=tuple(_contender(entrant) for entrant in selection.entrants),
        rows=rows,
        excluded=selection.excluded,
        settings=Settings(
            selectors=tuple(selectors),
            selection=selection.sentences,
            conditions={
                field.name: str(value)
                for field in fields(selection.conditions)
                if (value := getattr(selection.conditions, field.name)) is not None
            },
            sources=observed.addresses,
            confidence=CONFIDENCE,
            error_rate=ERROR_RATE,
            corrections=CORRECTIONS,
            resamples=RESAMPLES,
            seed=seed,
            power=POWER,
        ),
    )


def compare_samples(
    samples: Samples,
    names: Sequence[str],
    controls: Mapping[str, str] | None = None,
    *,
    floors: Mapping[str, NoiseFloor] | None = None,
    noise_thresholds: Mapping[str, float] | None = None,
    seed: int = SEED,
) -> tuple[Row, ...]:
    """Compare samples, metric by metric, in the order in which they are shown.

    Args:
        samples: Of the contenders and their controls.
        names: The contenders, the baseline first.
        controls: Names of samples that are the second half of an A/A control (see `control_of`), and their stacks.
        floors: What the records say of a control, by metric key, for keys of which no control was sampled.
        noise_thresholds: As for `compare_selection`.
        seed: Of everything that is drawn.
    """
    drafts = [
        _row(key, samples[key], names, controls or {}, (floors or {}).get(key), noise_thresholds or {}, seed)
        for key in sorted(samples, key=place_of)
        if any(name in samples[key] for name in names)
    ]
    return _judged(drafts)


def control_of(name: str) -> str:
    """Name the sample of the second half of a contender's A/A control; no contender can be called so."""
    return f"{name}\0control"


@dataclass(frozen=True)
class _Draft:
    """A row before the correction for the number of comparisons, with the contrast of each cell."""

    row: Row
    contrasts: tuple[Contrast | None, ...]


def _row(
    key: str,
    samples: Mapping[str, Sample],
    names: Sequence[str],
    controls: Mapping[str, str],
    told_floor: NoiseFloor | None,
    noise_thresholds: Mapping[str, float],
    seed: int,
) -> _Draft:
    metric, rule = key.partition("{")[0], rule_of(key)
    own = [samples.get(name, NOTHING) for name in names]
    floor = None if rule.is_exact else _noise_floor(samples, names, controls, seed) or told_floor
    contrasts = [None, *(_contrast(own[0], sample, rule, seed) for sample in own[1:])]
    cells = [_cell(name, sample, found, rule, seed) for name, sample, found in zip(names, own, contrasts, strict=True)]
    practical = next(
        (noise_thresholds[part] for part in (key, metric, "") if part in noise_thresholds), rule.practical_threshold
    )
    row = Row(
        key=key,
        metric=metric,
        unit=next((sample.unit for sample in own if sample.unit), ""),
        better=rule.better,
        group=rule.group,
        is_headline=key in HEADLINE,
        cells=_with_multiples(cells, rule),
        noise_floor=floor,
        noise_threshold=max(practical, (floor.reach if floor else None) or 0.0),
    )
    return _Draft(row, tuple(contrasts))


def _cell(name: str, sample: Sample, found: Contrast | None, rule: Rule, seed: int) -> Cell:
    if sample.missing is not None:
        return Cell(name, None, None, 0, missing=sample.missing)
    interval = mean_interval(sample.values, seed)
    if rule.is_exact:
        interval = float(sample.values.min()), float(sample.values.max())
    cell = Cell(name, float(sample.values.mean()), interval, sample.values.size)
    if found is None:
        return cell
    return replace(
        cell,
        ratio=found.ratio,
        ratio_interval=found.ratio_interval,
        difference=found.difference,
        difference_interval=found.difference_interval,
        method=found.method,
        p_value=found.p_value,
        p_permutation=found.p_permutation,
        effect=found.effect,
    )


def _contrast(baseline: Sample, contender: Sample, rule: Rule, seed: int) -> Contrast | None:
    if baseline.missing is not None or contender.missing is not None:
        return None
    if rule.is_exact:
        return exact_contrast(baseline.values, contender.values)
    _, first, second = np.intersect1d(baseline.units, contender.units, assume_unique=True, return_indices=True)
    # Where most repetitions have no partner, the pairs that are left would waste the others.
    if first.size and 2 * first.size >= min(baseline.values.size, contender.values.size):
        return contrast(baseline.values[first], contender.values[second], is_paired=True, seed=seed)
    return contrast(baseline.values, contender.values, is_paired=False, seed=seed)


def _noise_floor(
    samples: Mapping[str, Sample], names: Sequence[str], controls: Mapping[str, str], seed: int
) -> NoiseFloor | None:
    """Give what the A/A control says; of several controls the one that reaches furthest."""
    floors: list[NoiseFloor] = []
    for name in names:
        first, second = samples.get(name, NOTHING), samples.get(control_of(name), NOTHING)
        _, one, other = np.intersect1d(first.units, second.units, assume_unique=True, return_indices=True)
        if one.size:
            found = contrast(first.values[one], second.values[other], is_paired=True, seed=seed)
            if found.ratio is not None:
                floors.append(NoiseFloor(controls[control_of(name)], found.ratio, found.ratio_interval, found.n))
    return max(floors, key=lambda floor: -1.0 if floor.reach is None else floor.reach, default=None)


def _told_floors(runs: Iterable[RunSummary]) -> dict[str, NoiseFloor]:
    """Give the noise floors that manifests carry; of several the one that reaches furthest."""
    found: dict[str, NoiseFloor] = {}
    for told in (run.noise_floor for run in runs if run.noise_floor):
        for key, ratio in told["ratios"].items():
            low_high = ratio["interval"]
            interval = None if low_high is None else (float(low_high[0]), float(low_high[1]))
            floor = NoiseFloor(told["stack"], ratio["median_ratio"], interval, ratio["n"])
            if key not in found or (floor.reach or 0.0) > (found[key].reach or 0.0):
                found[key] = floor
    return found


def _judged(drafts: Sequence[_Draft]) -> tuple[Row, ...]:
    """Correct for the number of comparisons, family by family, and give each cell its word."""
    adjusted: dict[tuple[str, str], float] = {}
    levels: dict[bool, float] = {}
    for is_headline, correct in ((True, holm), (False, benjamini_hochberg)):
        family = [
            (draft.row.key, cell.contender, cell.p_value)
            for draft in drafts
            if draft.row.is_headline == is_headline and draft.row.better != "neither"
            for cell in draft.row.cells
            if cell.p_value is not None
        ]
        corrected = correct([p_value for _, _, p_value in family])
        adjusted |= {(key, name): p for (key, name, _), p in zip(family, corrected, strict=True)}
        levels[is_headline] = ERROR_RATE / max(len(family), 1) if is_headline else ERROR_RATE
    return tuple(
        replace(
            draft.row,
            cells=tuple(
                _with_verdict(
                    cell, found, draft.row, adjusted.get((draft.row.key, cell.contender)), levels[draft.row.is_headline]
                )
                for cell, found in zip(draft.row.cells, draft.contrasts, strict=True)
            ),
        )
        for draft in drafts
    )


def _with_verdict(cell: Cell, found: Contrast | None, row: Row, p_adjusted: float | None, level: float) -> Cell:
    is_baseline = cell is row.cells[0]
    if is_baseline or row.better == "neither":
        return cell
    if found is None:
        return replace(cell, verdict="not enough data")
    word = verdict(found, row.better, row.noise_threshold, p_adjusted)
    needed = None
    if word == "not enough data" and found.log_ratio is not None:
        if found.n < LEAST_REPETITIONS:
            needed = LEAST_REPETITIONS - found.n
        elif found.spread is not None:
            needed = more_repetitions(found.log_ratio, found.spread, found.n, row.noise_threshold, level)
    return replace(cell, verdict=word, p_adjusted=p_adjusted, needs_repetitions=needed)


def _with_multiples(cells: Sequence[Cell], rule: Rule) -> tuple[Cell, ...]:
    known = [cell.estimate for cell in cells if cell.estimate is not None]
    if rule.better == "neither" or not known or min(known) <= 0:
        return tuple(cells)
    best = min(known) if rule.better == "lower" else max(known)
    return tuple(
        cell
        if cell.estimate is None
        else replace(cell, multiple_of_best=cell.estimate / best if rule.better == "lower" else best / cell.estimate)
        for cell in cells
    )


def _contender(entrant: Entrant) -> Contender:
    newest = entrant.runs[-1]
    commits = {f"{run.commit or 'unknown'}{' (changed)' if run.dirty else ''}" for run in entrant.runs}
    return Contender(
        name=entrant.name,
        stack=newest.stack,
        pattern=newest.pattern,
        run_ids=tuple(run.run_id for run in entrant.runs),
        repetitions=sum(run.repetitions for run in entrant.runs),
        created_at=newest.created_at.isoformat(),
        commits=tuple(sorted(commits)),
    )
