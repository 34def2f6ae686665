"""How long the service was silent: the largest gap between results while the window lasted."""

import numpy as np

from probes.measurement import Evidence, Measurement
from probes.measurements.update import CHANGE_LABELS, NO_RESULT, NOT_MADE, gap_s
from probes.metrics import NO_SAMPLES, Metric
from probes.readings import Reading
from probes.samples import Samples, Window
from probes.update_evidence import UpdateCycle

METRICS = (
    Metric(
        "service_gap_s",
        "",
        "s",
        "largest silence of the result topic in the window: between two arrivals, or between an arrival and the edge "
        "of the window",
        source="receipt stamps at the recorder",
        resolution="one period of the source: a gap cannot be shorter",
        error_bound="one period: the source may fall silent right after a message, or right before the next",
        missing={NO_RESULT: "no result came after the change, so the silence has no known end", **NOT_MADE},
        labels={
            **CHANGE_LABELS,
            "part=update": "largest silence that reaches beyond the start of the defined update",
            "part=rollback": "the same on the way back",
            "part=swap": "while one node is exchanged by its pattern's own means (python -m probes.endurance)",
        },
        aggregate="max",
    ),
)


class Measured(Measurement):
    """Reads the samples of a repetition."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give service_gap_s: in the window, and of every update that was made."""
        gap_s = largest_gap_s(evidence.samples, evidence.window)
        plain = Reading("service_gap_s", missing=NO_SAMPLES) if gap_s is None else Reading("service_gap_s", gap_s)
        return plain, *(reading for cycle in evidence.updates for reading in update_gaps(cycle))


def update_gaps(cycle: UpdateCycle) -> tuple[Reading, ...]:
    """Give the silence of an update and of its rollback."""
    readings: list[Reading] = []
    for part, turn in (("update", cycle.update), ("rollback", cycle.rollback)):
        labels, found = {"change": cycle.change, "part": part}, gap_s(turn)
        value = cycle.reason(part) if found is None else found
        if isinstance(value, str):
            readings.append(Reading("service_gap_s", missing=value, labels=labels))
        else:
            readings.append(Reading("service_gap_s", value, labels=labels))
    return tuple(readings)


def largest_gap_s(samples: Samples, window: Window) -> float | None:
    """Give the largest silence inside a window; None where nothing arrived in it, so that its gap has no known end.

    Args:
        samples: Samples of one topic.
        window: In the recorder's clock.
    """
    arrivals = samples.column("received_ns")
    inside = np.sort(arrivals[window.holds(arrivals)])
    if inside.size == 0:
        return None
    edges = np.concatenate(([window.start_ns], inside, [window.end_ns]))
    return float(np.diff(edges).max()) / 1e9
