"""Proof 10: inference_s of each pattern in each network mode, with intervals, from one plan.

What is proved is that every combination can be measured: a cell is a value with its interval, or the reason why not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.proofs.bench import Bench
from benchmarks.proofs.finding import Finding, milliseconds, no_data, verdict_of
from probes.errors import ProbeError

NUMBER = 10
PATTERNS = ("monolithic", "microservices", "composition", "overlay")
MODES = ("server", "multicast", "static-peers", "host-network")
REPETITIONS = 3
"""The fewest that give an interval."""
WINDOW_S = 10.0
FIGURE = "a value with an interval"


@dataclass(frozen=True)
class Cell:
    """inference_s of one combination, or why there is none."""

    pattern: str
    mode: str
    value_s: float | None
    interval_s: tuple[float, float] | None
    reason: str = ""


def findings(cells: Sequence[Cell], *, needs_interval: bool = True) -> list[Finding]:
    """Judge every cell.

    Args:
        cells: What was measured.
        needs_interval: Whether there were enough repetitions to ask for one.
    """
    return [_finding(cell, needs_interval=needs_interval) for cell in cells]


def _finding(cell: Cell, *, needs_interval: bool) -> Finding:
    claim = f"inference_s of {cell.pattern} over {cell.mode}"
    if cell.value_s is None:
        return no_data(NUMBER, claim, FIGURE, cell.reason)
    interval = cell.interval_s
    shown = "none" if interval is None else milliseconds(interval[0], interval[1])
    holds = interval is not None or not needs_interval
    return Finding(NUMBER, claim, FIGURE, milliseconds(cell.value_s), shown, verdict_of(holds=holds))


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Measure every combination; one that cannot be deployed does not keep the others from being measured."""
    patterns, modes = (PATTERNS[:1], MODES[:2]) if reduced else (PATTERNS, MODES)
    repetitions = 1 if reduced else REPETITIONS
    cells = [_cell(bench, pattern, mode, repetitions) for pattern in patterns for mode in modes]
    return findings(cells, needs_interval=not reduced)


def _cell(bench: Bench, pattern: str, mode: str, repetitions: int) -> Cell:
    try:
        bench.deploy(pattern, {"network": {"discovery": mode}})
        evidence = bench.measure(repetitions=repetitions, duration_s=WINDOW_S)
    except ProbeError as problem:
        return Cell(pattern, mode, None, None, problem.message.splitlines()[0])
    if evidence.problem:
        return Cell(pattern, mode, None, None, evidence.problem)
    value_s = evidence.value("inference_s")
    if value_s is None:
        return Cell(pattern, mode, None, None, f"missing({evidence.missing('inference_s')})")
    interval = evidence.manifest["metrics"]["inference_s"]["interval"]
    return Cell(pattern, mode, value_s, (interval[0], interval[1]) if interval else None)
