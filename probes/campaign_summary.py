"""What a campaign found: each cell's values over its repetitions, and how far apart equal cells were (A/A). Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.cell import is_done
from probes.stats import Estimate, estimate

SHOWN = ("inference_s", "inference_s{statistic=p95}", "frames_hz", "frames_delivered_ratio", "install_s", "ready_s")
"""Metrics that a summary shows; records hold all of them."""

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class CellSummary:
    """One cell: the mean of each metric over its repetitions, and how many of them passed every gate."""

    name: str
    role: str
    values: Mapping[str, Estimate]
    complete: int
    invalid: int


@dataclass(frozen=True)
class Agreement:
    """How far equal cells are apart: control over cell, paired by repetition.

    `ratio` is the geometric mean; `floor` is how far from 1 its interval reaches: what is smaller says nothing.
    """

    stack: str
    metric: str
    ratio: float
    interval: tuple[float, float] | None
    pairs: int

    @property
    def floor(self) -> float | None:
        """Give the noise floor, None where the pairs are too few for an interval."""
        if self.interval is None:
            return None
        return max(1 - self.interval[0], self.interval[1] - 1, 0.0)


def summarise_cells(manifests: Sequence[Manifest], seed: int) -> list[CellSummary]:
    """Give each cell in order of its name, the cell before its control."""
    groups: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in manifests:
        if is_done(manifest):
            groups.setdefault((manifest["cell"]["name"], manifest["cell"]["role"]), []).append(manifest)
    return [_cell(name, role, found, seed) for (name, role), found in sorted(groups.items())]


def agreements(manifests: Sequence[Manifest], seed: int) -> list[Agreement]:
    """Compare every stack's control with the cell that it repeats."""
    controls = [item for item in manifests if is_done(item) and item["cell"]["role"] == "control"]
    cells = {_key(item): item for item in manifests if is_done(item) and item["cell"]["role"] == "cell"}
    found: list[Agreement] = []
    for stack in sorted({item["stack"] for item in controls}):
        pairs = [(item, cells[_key(item)]) for item in controls if item["stack"] == stack and _key(item) in cells]
        found += [agreed for name in SHOWN if (agreed := _agreement(stack, name, pairs, seed)) is not None]
    return found


def value_of(manifest: Manifest, key: str) -> float | None:
    """Give a metric of a manifest, None where it is missing."""
    return manifest["metrics"].get(key, {}).get("value")


def _cell(name: str, role: str, manifests: Sequence[Manifest], seed: int) -> CellSummary:
    values: dict[str, Estimate] = {}
    for key in SHOWN:
        mean = estimate(_known(value_of(manifest, key) for manifest in manifests), seed)
        if mean is not None:
            values[key] = mean
    complete = sum(manifest["state"] == "complete" for manifest in manifests)
    return CellSummary(name, role, values, complete, len(manifests) - complete)


def _agreement(stack: str, key: str, pairs: Iterable[tuple[Manifest, Manifest]], seed: int) -> Agreement | None:
    logs: list[float] = []
    for control, cell in pairs:
        one, other = value_of(control, key), value_of(cell, key)
        if one and other and one > 0 and other > 0:
            logs.append(math.log(one / other))
    mean = estimate(logs, seed, is_signed=True)
    if mean is None:
        return None
    interval = None if mean.interval is None else (math.exp(mean.interval[0]), math.exp(mean.interval[1]))
    return Agreement(stack, key, math.exp(mean.value), interval, mean.n)


def _key(manifest: Manifest) -> tuple[str, int]:
    return manifest["cell"]["name"], manifest["cell"]["repetition"]


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
