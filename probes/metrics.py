"""What a metric is: name, unit and definition, where it comes from, how fine and how sure it is, when it is missing.

The metrics themselves stand in the files of `probes/measurements/`, each as `METRICS`; `probes.catalogue` adds them up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Aggregate = Literal["mean", "sum", "max"]

NO_PLATFORM = "no_platform"
NO_MACHINE_READER = "no_machine_reader"
READER_UNREACHABLE = "machine_reader_unreachable"
READER_REFUSED = "machine_reader_refused"
READER_GARBLED = "machine_reader_garbled"
READER_CUT = "machine_reader_cut"
IDLE_NOT_MEASURED = "idle_not_measured"
NOT_REQUESTED = "not_requested"
NOT_MEASURED = "not_measured"
NO_APPLICATION = "no_application"
NO_SAMPLES = "no_samples"
TOO_FEW_SAMPLES = "too_few_samples"
CLOCK_UNPROVEN = "clock_unproven"
MEASUREMENT_FAILED = "measurement_failed"

SHARED_REASONS: Mapping[str, str] = {
    NO_PLATFORM: "neither the stack's `platform:` nor `--platform` names a platform: there is no machine reader",
    NO_MACHINE_READER: "the platform has no ready machine reader on that machine",
    READER_UNREACHABLE: "the machine reader did not answer, or was lost while it captured",
    READER_REFUSED: "the machine reader answered with an error; the sentence is shown while the run goes on",
    READER_GARBLED: "the machine reader's answer does not fit its contract, holds no number where one belongs, "
    "or goes back in time",
    READER_CUT: "the machine reader's capture began late, ended early or dropped rows",
    IDLE_NOT_MEASURED: "nothing was measured while the stack was parked (needs --cycles install or update, and for "
    "power a source of it)",
    NOT_REQUESTED: "the options of the run do not ask for what it takes",
    NOT_MEASURED: "no repetition came far enough to tell",
    NO_APPLICATION: "the stack holds no application",
    NO_SAMPLES: "no message of the result topic falls into the window",
    TOO_FEW_SAMPLES: "the samples in the window are too few for this number",
    CLOCK_UNPROVEN: "two clocks are involved and their offset is unknown, or known too loosely for this value",
    MEASUREMENT_FAILED: "the measurement itself broke on what it was given; what was collected is kept in the tables",
}
"""Reasons that any metric may be missing for; a metric's own are in its `missing`."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: Code name, snake case; ends with the unit where it has one.
        symbol: As the literature has it; empty where it has none.
        unit: Base unit; `1` for ratios and counts.
        definition: What the number is, exactly.
        source: Which instrument it is read from.
        resolution: The smallest difference that the source can tell.
        error_bound: How far a value may be from the truth, and why.
        missing: Reasons of its own for a missing value, each with a sentence; `SHARED_REASONS` hold for every metric.
        labels: What each label says that tells apart values of this metric, by `label=value` or by `label`.
        aggregate: How repetitions become the run's value: `mean` has an interval, `sum` (counts) and `max` (an
            extreme) have none.
    """

    name: str
    symbol: str
    unit: str
    definition: str
    source: str
    resolution: str
    error_bound: str
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    aggregate: Aggregate = "mean"

    def why_missing(self, reason: str) -> str | None:
        """Give the sentence of a reason; None for one that is declared nowhere."""
        return self.missing.get(reason) or SHARED_REASONS.get(reason)
