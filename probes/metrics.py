"""The catalogue: every metric that a record holds, with its unit, and how repetitions become one value.

A record names every metric of this catalogue: measured, or missing with a reason. Adding a metric is a line here and
a file in `probes/measurements/`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from probes.readings import RUN, Reading
from probes.stats import CONFIDENCE, estimate

NOT_IMPLEMENTED = "not_implemented_in_this_version"
NO_PLATFORM = "no_platform"
NOT_MEASURED = "not_measured"

Aggregate = Literal["mean", "sum", "max"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    `aggregate` says how repetitions become the run's value: `mean` has a bootstrap interval, `sum` (counts) and
    `max` (an extreme) have none. `built` is false for a metric that this version does not measure yet.
    """

    name: str
    symbol: str
    unit: str
    meaning: str
    aggregate: Aggregate = "mean"
    built: bool = True
    needs_platform: bool = False


METRICS: tuple[Metric, ...] = (
    Metric("image_bytes_wire", "S_img", "B", "compressed bytes that a machine without any image pulls"),
    Metric("image_bytes_disk", "S_img", "B", "bytes of the unpacked layers, each layer once"),
    Metric("image_bytes_unique", "S_img", "B", "compressed bytes in layers that one image of the pattern has"),
    Metric("install_s", "T_install", "s", "start of `pulumi up` to the last application pod Ready"),
    Metric("ready_s", "T_ready", "s", "start of `pulumi up` to the first valid result at the recorder"),
    Metric("inference_s", "T_inf", "s", "intended capture time to arrival of the result, median of frames"),
    Metric("frames_hz", "f_FPS", "Hz", "results from first to last arrival inside the window"),
    Metric("jitter_s", "J_inf", "s", "p95 - p50 of inference_s in a repetition"),
    Metric("cpu_cores", "U_CPU", "1", "CPU time per time, from cgroup counters", built=False),
    Metric("gpu_ratio", "U_GPU", "1", "share of the GPU in use", built=False, needs_platform=True),
    Metric("io_read_bytes_per_s", "L_IO", "B/s", "bytes read per second", built=False),
    Metric("io_write_bytes_per_s", "L_IO", "B/s", "bytes written per second", built=False),
    Metric("power_w", "P_avg", "W", "mean power in the window", built=False, needs_platform=True),
    Metric("energy_per_frame_j", "E_inf", "J", "energy above idle per frame", built=False, needs_platform=True),
    Metric("network_rtt_s", "L_net", "s", "round trip between the pods' machines", built=False),
    Metric("network_bandwidth_bytes_per_s", "L_net", "B/s", "bandwidth between the machines", built=False),
    Metric("pod_phase_s", "T_sched", "s", "queued, scheduled, pulled, started, ready per pod", built=False),
    Metric("config_lines_changed", "C_cfg", "1", "lines changed by the defined update", built=False),
    Metric("config_files_changed", "C_cfg", "1", "files changed by the defined update", built=False),
    Metric("pipeline_s", "T_CI", "s", "build, test, image, deploy of one commit", built=False),
    Metric("startup_efficiency", "", "1/s", "1 / (install_s + ready_s)"),
    Metric("energy_efficiency", "", "Hz/W", "frames_hz / power_w", built=False, needs_platform=True),
    Metric("deployment_overhead_ratio", "", "1", "install_s / ready_s"),
    Metric("inference_deviation_s", "", "s", "standard deviation of inference_s in a repetition"),
    Metric("frames_intended", "", "1", "frames that were due inside the windows", aggregate="sum"),
    Metric("frames_delivered", "", "1", "intended frames with a result", aggregate="sum"),
    Metric("frames_on_time", "", "1", "delivered within one period", aggregate="sum"),
    Metric("frames_late", "", "1", "delivered after one period, within two", aggregate="sum"),
    Metric("frames_too_late", "", "1", "delivered after two periods", aggregate="sum"),
    Metric("frames_lost", "", "1", "intended frames without a result", aggregate="sum"),
    Metric("frames_duplicate", "", "1", "further results for a frame that had one", aggregate="sum"),
    Metric("frames_delivered_ratio", "", "1", "frames_delivered / frames_intended"),
    Metric("recorder_cpu_cores", "", "1", "CPU time of the recorder per time while it captured"),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}

LABEL_MEANINGS: Mapping[str, str] = {
    "part=app": "work of the application: intended capture time to publish call, median",
    "part=serialise": "publish call to the middleware's stamp, median",
    "part=transport": "middleware and network: source stamp to receipt, median",
    "part=probe": "delay of the recorder itself: receipt to take, median; not part of inference_s",
    "statistic=p95": "95th percentile of frames",
    "statistic=p99": "99th percentile of frames",
    "statistic=max": "slowest frame of all repetitions",
    "statistic=mean": "mean of frames",
}


def meaning_of(key: str) -> str:
    """Explain a key of a manifest's metrics for people; empty for one that this version does not know."""
    name, _, labels = key.rstrip("}").partition("{")
    return LABEL_MEANINGS.get(labels) or (BY_NAME[name].meaning if name in BY_NAME else "")


def place_of(key: str) -> tuple[int, str]:
    """Give the place of a key in the order of the catalogue; what is unknown comes last."""
    names = list(BY_NAME)
    name = key.partition("{")[0]
    return (names.index(name) if name in BY_NAME else len(names)), key


@dataclass(frozen=True)
class Value:
    """One metric of a run: a value with its interval and the repetitions behind it, or a reason."""

    key: str
    unit: str
    value: float | None
    interval: tuple[float, float] | None
    n: int
    missing: str | None

    def as_record(self) -> dict[str, object]:
        """Give the entry of the manifest."""
        if self.missing is not None:
            return {"missing": self.missing}
        return {
            "value": self.value,
            "unit": self.unit,
            "interval": None if self.interval is None else list(self.interval),
            "confidence": CONFIDENCE,
            "n": self.n,
        }


def derive(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Compute the indicators that follow from other metrics of the same repetition.

    A part that is missing makes the indicator missing for the same reason.
    """
    parts = {reading.name: reading for reading in readings if not reading.labels}
    install, ready = parts.get("install_s"), parts.get("ready_s")
    if install is None or ready is None:
        return ()
    if install.value is None or ready.value is None:
        reason = install.missing or ready.missing
        return (
            Reading("startup_efficiency", missing=reason),
            Reading("deployment_overhead_ratio", missing=reason),
        )
    return (
        Reading("startup_efficiency", 1 / (install.value + ready.value)),
        Reading("deployment_overhead_ratio", install.value / ready.value),
    )


def summarise(readings: Iterable[Reading], *, platform: str | None, seed: int) -> dict[str, Value]:
    """Turn the readings of all repetitions into one value for every metric of the catalogue.

    Args:
        readings: Readings of repetitions and of the run; their order does not matter.
        platform: The stack that holds the platform, if any.
        seed: Seed of the bootstrap, so that a record can be computed again to the same digits.
    """
    groups: dict[str, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.key, []).append(reading)
    summary: dict[str, Value] = {}
    for metric in METRICS:
        keys = [key for key in groups if groups[key][0].name == metric.name]
        for key in sorted(keys):
            summary[key] = _combine(metric, key, groups[key], seed)
        if metric.name not in summary:
            summary[metric.name] = Value(metric.name, metric.unit, None, None, 0, _why(metric, platform))
    unknown = sorted({group[0].name for group in groups.values()} - BY_NAME.keys())
    if unknown:
        raise ValueError(f"readings of metrics that the catalogue does not have: {', '.join(unknown)}")
    return summary


def _why(metric: Metric, platform: str | None) -> str:
    if metric.built:
        return NOT_MEASURED
    return NO_PLATFORM if metric.needs_platform and platform is None else NOT_IMPLEMENTED


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
    return Value(key, metric.unit, mean.value, mean.interval, mean.n, None)
