"""Thresholds that a comparison must keep, for pipelines: `inference_s<=1.1`, `install_s<=30s absolute`. Pure.

Judged by the interval, not by the estimate: kept where all of it keeps the limit, broken where all of it breaks it,
else undecided. What is missing or has no interval is undecided, too: no threshold is kept because nothing was measured.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import yaml

from probes.comparison import Cell, Comparison, Interval, Row
from probes.comparison_rules import RULES
from probes.errors import UsageError

Operator = Literal["<=", "<", ">=", ">"]
Outcome = Literal["kept", "broken", "undecided"]

FORM = re.compile(
    r"\s*(?:(?P<contender>[^:{}<>]+?)\s*:\s*)?(?P<key>[a-z][a-z0-9_]*(?:\{[^{}]*\})?)\s*(?P<operator><=|>=|<|>)\s*"
    r"(?P<number>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(?!absolute)(?P<unit>%|[A-Za-z/]*)\s*(?P<absolute>absolute)?\s*"
)
RATIO_UNITS: Mapping[str, float] = {"": 1.0, "x": 1.0, "%": 0.01}
UNITS: Mapping[str, Mapping[str, float]] = {
    "1": RATIO_UNITS,
    "s": {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0},
    "B": {"": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    "B/s": {"": 1.0, "B/s": 1.0, "kB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9},
    "Hz": {"": 1.0, "Hz": 1.0, "kHz": 1e3},
    "W": {"": 1.0, "W": 1.0, "mW": 1e-3},
    "J": {"": 1.0, "J": 1.0, "mJ": 1e-3},
}
"""Units that may be written for a metric's base unit, as factors."""

HOW = "--threshold 'inference_s<=1.1' (ratio to the baseline) or --threshold 'install_s<=30s absolute'"


@dataclass(frozen=True)
class Threshold:
    """A limit for a metric.

    Args:
        text: As it was written.
        key: Metric key as in the manifest.
        operator: What the number must be to the limit.
        number: Limit, in `unit`.
        unit: As it was written; empty for the base unit.
        is_absolute: Whether the estimate is limited, not the ratio to the baseline.
        contender: Whom it is for; None for every contender (a ratio: but the baseline).
    """

    text: str
    key: str
    operator: Operator
    number: float
    unit: str
    is_absolute: bool
    contender: str | None


@dataclass(frozen=True)
class Judgement:
    """What became of a threshold for one contender.

    Args:
        threshold: As it was written.
        contender: Name of the contender.
        key: Metric key.
        value: Ratio or estimate; None where it is missing.
        interval: Of the value.
        limit: In the base unit.
        unit: Base unit; `1` for ratios.
        outcome: What became of it.
        reason: Why it is undecided; empty otherwise.
    """

    threshold: str
    contender: str
    key: str
    value: float | None
    interval: Interval | None
    limit: float
    unit: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class ThresholdFile:
    """What a file of thresholds holds: the thresholds, and practical thresholds by metric."""

    thresholds: tuple[Threshold, ...]
    noise_thresholds: Mapping[str, float]


def parse_threshold(text: str, where: str = "--threshold") -> Threshold:
    """Read a threshold.

    Args:
        text: `[CONTENDER:] METRIC <=|<|>=|> NUMBER[UNIT] [absolute]`.
        where: Where it was written, for the message.

    Raises:
        UsageError: It is none, or its metric is none.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise UsageError(f"{where} {text!r} cannot be read; it must be METRIC <= NUMBER.", next_step=HOW)
    name = found["key"].partition("{")[0]
    if name not in RULES:
        near = difflib.get_close_matches(name, RULES, n=4, cutoff=0.4)
        raise UsageError(
            f"{where} {text!r}: there is no metric {name}; {'near ones' if near else 'metrics'}: "
            f"{', '.join(near or RULES)}.",
            next_step=f"python -m probes.run --explain {(near or list(RULES))[0]}",
        )
    is_absolute, unit = found["absolute"] is not None, found["unit"] or ""
    if not is_absolute and unit not in RATIO_UNITS:
        raise UsageError(
            f"{where} {text!r} limits a ratio to the baseline, which has no unit {unit!r}.",
            next_step=f"add the word absolute to limit the value: '{text.strip()} absolute'",
        )
    try:
        number = float(found["number"])
    except ValueError:
        raise UsageError(f"{where} {text!r}: {found['number']!r} is no number.", next_step=HOW) from None
    return Threshold(
        text.strip(), found["key"], cast("Operator", found["operator"]), number, unit, is_absolute, found["contender"]
    )


def parse_threshold_file(text: str, name: str) -> ThresholdFile:
    """Read a YAML file: `thresholds`, a list of texts, and `noiseThresholds`, numbers by metric key or name.

    Raises:
        UsageError: It is no such file.
    """
    how = "see docs/comparing.md"
    try:
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{name} is no YAML: {error}.", next_step=how) from None
    if not isinstance(document, dict):
        raise UsageError(f"{name} must hold the keys thresholds or noiseThresholds.", next_step=how)
    content = cast("dict[str, Any]", document)
    unknown = sorted(str(key) for key in content.keys() - {"thresholds", "noiseThresholds"})
    if unknown:
        raise UsageError(
            f"{name}: unknown key {', '.join(unknown)}; known are thresholds and noiseThresholds.", next_step=how
        )
    texts, noise = content.get("thresholds") or [], content.get("noiseThresholds") or {}
    if not isinstance(texts, list) or not all(isinstance(item, str) for item in cast("list[object]", texts)):
        raise UsageError(f"{name}: thresholds must be a list of texts such as 'inference_s <= 1.1'.", next_step=how)
    if not isinstance(noise, dict):
        raise UsageError(f"{name}: noiseThresholds must map metrics to numbers such as 0.02.", next_step=how)
    thresholds = tuple(parse_threshold(item, f"{name}: thresholds:") for item in cast("list[str]", texts))
    noise_texts = [f"{key}={value}" for key, value in cast("dict[object, object]", noise).items()]
    return ThresholdFile(thresholds, parse_noise_thresholds(noise_texts, f"{name}: noiseThresholds:"))


def parse_noise_thresholds(texts: Sequence[str], where: str = "--noise-threshold") -> dict[str, float]:
    """Read practical thresholds: `0.03` for all metrics, `inference_s=3%` for one. The key "" stands for all.

    Raises:
        UsageError: One cannot be read, is not in 0 to 10, or is about no metric.
    """
    found: dict[str, float] = {}
    for text in texts:
        key, _, number = text.rpartition("=") if "=" in text else ("", "", text)
        key, number = key.strip(), number.strip()
        try:
            value = float(number.removesuffix("%")) * (0.01 if number.endswith("%") else 1.0)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 10:
            raise UsageError(
                f"{where} {text!r}: {number!r} must be a share from 0 to 10, such as 0.02 or 2%.",
                next_step=f"{where} inference_s=2%",
            )
        if key and key.partition("{")[0] not in RULES:
            near = difflib.get_close_matches(key, RULES, n=4, cutoff=0.4)
            raise UsageError(
                f"{where} {text!r}: there is no metric {key}; metrics: {', '.join(near or RULES)}.",
                next_step=f"{where} inference_s=2%",
            )
        found[key] = value
    return found


def judge(thresholds: Sequence[Threshold], comparison: Comparison) -> tuple[Judgement, ...]:
    """Hold a comparison against thresholds.

    Raises:
        UsageError: One is for a contender that takes no part, or its unit is not one of the metric's.
    """
    rows = {row.key: row for row in comparison.rows}
    names = [contender.name for contender in comparison.contenders]
    found: list[Judgement] = []
    for threshold in thresholds:
        if threshold.contender is not None and threshold.contender not in names:
            raise UsageError(
                f"{threshold.text!r} is for {threshold.contender}, which takes no part; contenders: "
                f"{', '.join(names)}.",
                next_step="name one of them, or leave the name out",
            )
        row = rows.get(threshold.key)
        found += [
            _judged(threshold, name, row)
            for name in (names if threshold.contender is None else [threshold.contender])
            if threshold.is_absolute or name != comparison.baseline
        ]
    return tuple(found)


def _judged(threshold: Threshold, contender: str, row: Row | None) -> Judgement:
    if row is None:
        limit, unit = threshold.number * RATIO_UNITS.get(threshold.unit, 1.0), ""
        return Judgement(
            threshold.text, contender, threshold.key, None, None, limit, unit, "undecided", "no record has this metric"
        )
    cell, unit = row.cell(contender), row.unit if threshold.is_absolute else "1"
    limit = threshold.number * _factor(threshold, unit)
    value, interval = (cell.estimate, cell.interval) if threshold.is_absolute else (cell.ratio, cell.ratio_interval)
    outcome, reason = _outcome(threshold.operator, limit, value, interval, _why_open(cell, row))
    return Judgement(threshold.text, contender, row.key, value, interval, limit, unit, outcome, reason)


def _outcome(
    operator: Operator, limit: float, value: float | None, interval: Interval | None, why: str
) -> tuple[Outcome, str]:
    if value is None or interval is None:
        return "undecided", why
    keeps = [_keeps(end, operator, limit) for end in interval]
    if all(keeps):
        return "kept", ""
    return ("undecided", "the interval holds the limit") if any(keeps) else ("broken", "")


def _keeps(value: float, operator: Operator, limit: float) -> bool:
    match operator:
        case "<=":
            return value <= limit
        case "<":
            return value < limit
        case ">=":
            return value >= limit
        case ">":
            return value > limit


def _why_open(cell: Cell, row: Row) -> str:
    if cell.missing is not None:
        return f"missing ({cell.missing})"
    if row.cells[0].missing is not None:
        return f"the baseline is missing ({row.cells[0].missing})"
    if cell.ratio is None and cell is not row.cells[0] and cell.difference is not None:
        return "there is no ratio to a baseline that cannot be told from 0"
    return f"{cell.n} repetitions carry no interval"


def _factor(threshold: Threshold, unit: str) -> float:
    known = UNITS.get(unit, {"": 1.0, unit: 1.0}) if threshold.is_absolute else RATIO_UNITS
    if threshold.unit in known:
        return known[threshold.unit]
    raise UsageError(
        f"{threshold.text!r}: {threshold.key} is in {unit}, which cannot be written as {threshold.unit!r}; units: "
        f"{', '.join(name for name in known if name)}.",
        next_step="write one of these units, or none for the base unit",
    )
