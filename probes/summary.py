"""How the readings of all repetitions become one value for every metric of the catalogue."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from probes.catalogue import catalogue
from probes.metrics import NOT_MEASURED, Metric
from probes.readings import RUN, Reading
from probes.stats import CONFIDENCE, Method, estimate


@dataclass(frozen=True)
class Value:
    """One metric of a run: a value with its interval and the repetitions behind it, or a reason."""

    key: str
    unit: str
    value: float | None
    interval: tuple[float, float] | None
    n: int
    missing: str | None
    source: str = ""
    resolution: float | None = None
    method: Method | None = None

    def as_record(self) -> dict[str, object]:
        """Give the entry of the manifest."""
        if self.missing is not None:
            return {"missing": self.missing}
        entry: dict[str, object] = {
            "value": self.value,
            "unit": self.unit,
            "interval": None if self.interval is None else list(self.interval),
            "confidence": CONFIDENCE,
            "n": self.n,
        }
        entry |= {} if self.method is None else {"method": self.method}
        return entry | ({"source": self.source, "resolution": self.resolution} if self.source else {})


def summarise(readings: Iterable[Reading], *, seed: int) -> dict[str, Value]:
    """Turn the readings of all repetitions into one value for every metric of the catalogue.

    Args:
        readings: Readings of repetitions and of the run; their order does not matter.
        seed: Seed of the bootstrap, so that a record can be computed again to the same digits.

    Raises:
        ValueError: A reading is of a metric that no file declares.
    """
    groups: dict[str, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.key, []).append(reading)
    by_name: dict[str, list[str]] = {}
    for key in sorted(groups):
        by_name.setdefault(groups[key][0].name, []).append(key)
    known = catalogue()
    unknown = sorted(by_name.keys() - known.keys())
    if unknown:
        raise ValueError(f"readings of metrics that the catalogue does not have: {', '.join(unknown)}")
    summary: dict[str, Value] = {}
    for name, metric in known.items():
        for key in by_name.get(name, ()):
            summary[key] = _tagged(_combine(metric, key, groups[key], seed), groups[key])
        if name not in by_name:
            summary[name] = Value(name, metric.unit, None, None, 0, NOT_MEASURED)
    return summary


def _tagged(value: Value, group: list[Reading]) -> Value:
    """Name every source that a repetition's number came from, and the coarsest resolution among them."""
    known = [reading for reading in group if reading.value is not None]
    sources = sorted({reading.source for reading in known if reading.source})
    resolutions = [reading.resolution for reading in known if reading.resolution is not None]
    return replace(value, source=", ".join(sources), resolution=max(resolutions, default=None))


def _combine(metric: Metric, key: str, group: list[Reading], seed: int) -> Value:
    ordered = sorted(group, key=lambda reading: reading.repetition)
    values = [reading.value for reading in ordered if reading.value is not None]
    if not values:
        return Value(key, metric.unit, None, None, 0, ordered[0].missing)
    if ordered[0].labels.get("statistic") == "max" or metric.aggregate == "max":
        return Value(key, metric.unit, max(values), None, len(values), None)
    if metric.aggregate == "sum":
        return Value(key, metric.unit, sum(values), None, len(values), None)
    if ordered[-1].repetition == RUN:
        return Value(key, metric.unit, values[-1], None, 1, None)
    mean = estimate(values, seed)
    if mean is None:
        raise AssertionError(f"{key}: no value among {len(group)} readings")
    return Value(key, metric.unit, mean.value, mean.interval, mean.n, None, method=mean.method)
