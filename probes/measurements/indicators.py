"""The three indicators that follow from other metrics of the same repetition.

Each is computed per repetition and then summarised like any other metric, so that its interval follows from the
repetitions of its parts. A part that is missing makes the indicator missing for the same reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from probes.measurement import Measurement
from probes.metrics import Metric
from probes.readings import Reading

PART_MISSING = "part_missing"
PART_ZERO = "part_is_zero"


@dataclass(frozen=True)
class Indicator:
    """How an indicator follows from its parts."""

    metric: Metric
    parts: tuple[str, str]
    compute: Callable[[float, float], float]


def _indicator(
    name: str, unit: str, formula: str, parts: tuple[str, str], compute: Callable[[float, float], float]
) -> Indicator:
    metric = Metric(
        name,
        "",
        unit,
        formula,
        source=f"{parts[0]} and {parts[1]} of the same repetition",
        resolution="that of its parts",
        error_bound="the relative errors of its parts add up",
        missing={
            PART_MISSING: f"{parts[0]} or {parts[1]} was not measured at all",
            PART_ZERO: "a part is zero, so there is no quotient",
        },
    )
    return Indicator(metric, parts, compute)


INDICATORS = (
    _indicator(
        "startup_efficiency", "1/s", "1 / (install_s + ready_s)", ("install_s", "ready_s"), lambda a, b: 1 / (a + b)
    ),
    _indicator("energy_efficiency", "Hz/W", "frames_hz / power_w", ("frames_hz", "power_w"), lambda a, b: a / b),
    _indicator("deployment_overhead_ratio", "1", "install_s / ready_s", ("install_s", "ready_s"), lambda a, b: a / b),
)
METRICS = tuple(indicator.metric for indicator in INDICATORS)


class Measured(Measurement):
    """Computes the indicators once everything else of a repetition is known."""

    def derive(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        """Give the three indicators."""
        plain = {reading.name: reading for reading in readings if not reading.labels}
        return tuple(follow(indicator, plain) for indicator in INDICATORS)


def follow(indicator: Indicator, plain: Mapping[str, Reading]) -> Reading:
    """Compute one indicator from the unlabelled readings of a repetition.

    The reason of a missing part is passed on where any metric may be missing for it, else named `part_missing`.
    """
    name = indicator.metric.name
    values: list[float] = []
    for part in indicator.parts:
        reading = plain.get(part)
        if reading is None or reading.value is None:
            reason = (reading.missing if reading else None) or PART_MISSING
            declared = indicator.metric.why_missing(reason) is not None
            return Reading(name, missing=reason if declared else PART_MISSING)
        values.append(reading.value)
    try:
        return Reading(name, indicator.compute(values[0], values[1]))
    except ZeroDivisionError:
        return Reading(name, missing=PART_ZERO)
