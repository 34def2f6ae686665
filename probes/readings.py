"""One measured value, or the reason why there is none: what a measurement yields."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

RUN = -1
"""Repetition number of a reading that belongs to the run as a whole."""


@dataclass(frozen=True)
class Reading:
    """A value in the metric's base unit, or `missing` with a reason; never both, never neither.

    `labels` tell apart the values of one metric, for example `{"statistic": "p95"}`. `source` and `resolution` (in the
    metric's unit) tag a value whose source is not always the same one.
    """

    name: str
    value: float | None = None
    missing: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    repetition: int = RUN
    source: str = ""
    resolution: float | None = None

    def __post_init__(self) -> None:
        """Refuse a reading that is neither or both: it would be wrong in silence."""
        if (self.value is None) == (self.missing is None):
            raise ValueError(f"{self.name}: a reading needs a value or a reason, got {self!r}")

    @property
    def key(self) -> str:
        """Name with its labels, as the manifest and the tables print it: `inference_s{statistic=p95}`."""
        return reading_key(self.name, self.labels)


def reading_key(name: str, labels: Mapping[str, str]) -> str:
    """Join a name and its labels; labels are sorted so that one value has one key."""
    if not labels:
        return name
    return f"{name}{{{','.join(f'{label}={labels[label]}' for label in sorted(labels))}}}"


def finite(name: str, value: float | None, reason: str, labels: Mapping[str, str] | None = None) -> Reading:
    """Make a reading of a value that may be absent."""
    if value is None:
        return Reading(name, missing=reason, labels=labels or {})
    return Reading(name, value=value, labels=labels or {})


def of_repetition(readings: Iterable[Reading], repetition: int) -> tuple[Reading, ...]:
    """Attach a repetition number to readings."""
    return tuple(replace(reading, repetition=repetition) for reading in readings)
