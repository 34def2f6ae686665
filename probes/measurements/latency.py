"""T_inf with its split, J_inf, f_FPS and the fate of every frame, from the samples of the result topic.

inference_s              received - intended: the wait behind a late camera or a full queue is part of it
inference_s{part=app}        published - intended     work of the application
inference_s{part=serialise}  source - published       publish call until the middleware's stamp
inference_s{part=transport}  received - source        middleware and network
inference_s{part=probe}      taken - received         the recorder's own delay; never added to the others
"""

import numpy as np

from probes.frames import FrameCount, count_frames, first_arrivals
from probes.measurement import Evidence, Measurement
from probes.metrics import CLOCK_UNPROVEN, NO_SAMPLES, TOO_FEW_SAMPLES, Metric
from probes.readings import Reading, finite
from probes.samples import ABSENT, Samples, Window
from probes.stats import FloatArray, quantile

NO_STAMP = "no_stamp_in_message"
NO_FRAME_NUMBER = "no_frame_number_in_message"
PARTS = {
    "app": ("intended_ns", "published_ns"),
    "serialise": ("published_ns", "source_ns"),
    "transport": ("source_ns", "received_ns"),
    "probe": ("received_ns", "taken_ns"),
}
PROBE_PART = "probe"
STAMPS = "stamps of each message: intended (in it), published (in it), DDS source, DDS received, taken by the recorder"
WHY_NO_STAMP = {NO_STAMP: "the message carries no such stamp (see the topic's `stamp` setting)"}
FRAME_SOURCE = "frame numbers of the results, and the camera's schedule, which also counts frames that it had to skip"


def _latency_metric(name: str, symbol: str, definition: str, labels: dict[str, str] | None = None) -> Metric:
    return Metric(
        name,
        symbol,
        "s",
        definition,
        source=STAMPS,
        resolution="1 ns (stamps); DDS stamps are set by the middleware, when it is scheduled",
        error_bound="on one clock the scheduling of the middleware alone; `make prove` injects delays of 0 to 100 ms "
        "and wants 0.3 ms or 2 % at the median; on two clocks withheld",
        missing=WHY_NO_STAMP,
        labels=labels or {},
    )


def _frame_metric(name: str, definition: str, *, is_count: bool = True) -> Metric:
    return Metric(
        name,
        "",
        "1",
        definition,
        source=FRAME_SOURCE,
        resolution="1 frame",
        error_bound="1 frame at each edge of the window",
        missing={NO_FRAME_NUMBER: "the message carries no frame number, so losses cannot be told"},
        aggregate="sum" if is_count else "mean",
    )


METRICS = (
    _latency_metric(
        "inference_s",
        "T_inf",
        "per frame from the intended capture time to the arrival of its result: median of the frames that were due in "
        "the window; the wait behind a late camera or a full queue is part of it",
        {
            "part=app": "work of the application: intended capture time to publish call, median",
            "part=serialise": "publish call to the middleware's stamp, median",
            "part=transport": "middleware and network: source stamp to receipt, median",
            "part=probe": "delay of the recorder itself: receipt to take, median; not part of inference_s",
            "statistic=p95": "95th percentile of frames",
            "statistic=p99": "99th percentile of frames",
            "statistic=max": "slowest frame of all repetitions",
            "statistic=mean": "mean of frames",
        },
    ),
    Metric(
        "frames_hz",
        "f_FPS",
        "Hz",
        "results from first to last arrival inside the window, over that time",
        source="receipt stamps at the recorder",
        resolution="1 result in the window",
        error_bound="exact for what arrived: the clock's rate error (below 0.01 %) remains",
    ),
    _latency_metric("jitter_s", "J_inf", "p95 - p50 of inference_s in a repetition"),
    _latency_metric("inference_deviation_s", "", "standard deviation of inference_s in a repetition"),
    _frame_metric("frames_intended", "frames that were due inside the windows, sent or not"),
    _frame_metric("frames_delivered", "intended frames with a result"),
    _frame_metric("frames_on_time", "delivered within one period of the intended time"),
    _frame_metric("frames_late", "delivered after one period, within two"),
    _frame_metric("frames_too_late", "delivered after two periods, before the drain ended"),
    _frame_metric("frames_lost", "intended frames without a result"),
    _frame_metric("frames_duplicate", "further results for a frame that had one"),
    _frame_metric("frames_delivered_ratio", "frames_delivered / frames_intended", is_count=False),
    Metric(
        "recorder_cpu_cores",
        "",
        "1",
        "CPU time of the recorder per time while it captured",
        source="the recorder's own process clock",
        resolution="1 ns of CPU time (CLOCK_PROCESS_CPUTIME_ID)",
        error_bound="below 1 %; threads of the middleware are included",
    ),
)


class Measured(Measurement):
    """Reads the samples of a repetition."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give latency, jitter, rate, frame counts and the recorder's own cost."""
        samples, window = evidence.samples, evidence.window
        has_numbers = bool(np.any(samples.column("frame_number") != ABSENT))
        counted = first_arrivals(samples, window) if has_numbers else samples.where(samples.in_window(window))
        counts = count_frames(samples, window, evidence.topic.expected_rate_hz)
        return (
            *latency_readings(counted, is_one_clock=evidence.is_one_clock),
            *split_readings(counted, is_one_clock=evidence.is_one_clock),
            rate_reading(samples, window),
            *frame_readings(counts, is_one_clock=evidence.is_one_clock),
            recorder_reading(evidence),
        )


def latency_readings(samples: Samples, *, is_one_clock: bool) -> tuple[Reading, ...]:
    """Give inference_s and what describes its distribution; every frame counts, none is dropped as an outlier."""
    reason, values = _difference(samples, "intended_ns", "received_ns", is_one_clock=is_one_clock)
    statistics: dict[str, float | None] = {
        "p95": quantile(values, 0.95),
        "p99": quantile(values, 0.99),
        "max": float(values.max()) if values.size else None,
        "mean": float(values.mean()) if values.size else None,
    }
    median = quantile(values, 0.5)
    p95 = statistics["p95"]
    jitter = None if median is None or p95 is None else p95 - median
    deviation = float(values.std(ddof=1)) if values.size > 1 else None
    few = reason or TOO_FEW_SAMPLES
    return (
        finite("inference_s", median, few),
        *(finite("inference_s", value, few, {"statistic": name}) for name, value in statistics.items()),
        finite("jitter_s", jitter, few),
        finite("inference_deviation_s", deviation, few),
    )


def split_readings(samples: Samples, *, is_one_clock: bool) -> tuple[Reading, ...]:
    """Give the median of each part of inference_s."""
    readings: list[Reading] = []
    for part, (start, end) in PARTS.items():
        # Receipt and take are stamps of the recorder alone: no other clock is involved.
        proved = is_one_clock or part == PROBE_PART
        reason, values = _difference(samples, start, end, is_one_clock=proved)
        median = quantile(values, 0.5)
        readings.append(finite("inference_s", median, reason or TOO_FEW_SAMPLES, {"part": part}))
    return tuple(readings)


def rate_reading(samples: Samples, window: Window) -> Reading:
    """Give frames_hz: intervals between the first and the last arrival inside the window, over their time."""
    arrivals = samples.column("received_ns")
    arrivals = arrivals[window.holds(arrivals)]
    if arrivals.size < 2 or arrivals.max() == arrivals.min():
        return Reading("frames_hz", missing=TOO_FEW_SAMPLES if arrivals.size else NO_SAMPLES)
    return Reading("frames_hz", (arrivals.size - 1) / (float(arrivals.max() - arrivals.min()) / 1e9))


def frame_readings(counts: FrameCount | None, *, is_one_clock: bool) -> tuple[Reading, ...]:
    """Give the frame counts; classes by latency need one clock, plain delivery does not."""
    plain = ("frames_intended", "frames_delivered", "frames_lost", "frames_duplicate")
    timed = ("frames_on_time", "frames_late", "frames_too_late")
    if counts is None:
        names = (*plain, *timed, "frames_delivered_ratio")
        return tuple(Reading(name, missing=NO_FRAME_NUMBER) for name in names)
    values = {name: float(getattr(counts, name.removeprefix("frames_"))) for name in plain + timed}
    ratio = counts.delivered / counts.intended if counts.intended else None
    return (
        *(Reading(name, values[name]) for name in plain),
        *(finite(name, values[name] if is_one_clock else None, CLOCK_UNPROVEN) for name in timed),
        finite("frames_delivered_ratio", ratio, NO_SAMPLES),
    )


def recorder_reading(evidence: Evidence) -> Reading:
    """Give the recorder's CPU time per time while it captured."""
    capture = evidence.capture
    if capture.stopped_ns is None or capture.stopped_ns <= capture.started_ns:
        return Reading("recorder_cpu_cores", missing=NO_SAMPLES)
    return Reading("recorder_cpu_cores", capture.cpu_ns / (capture.stopped_ns - capture.started_ns))


def _difference(samples: Samples, start: str, end: str, *, is_one_clock: bool) -> tuple[str | None, FloatArray]:
    """Give end - start in seconds where both stamps exist, or the reason why there is nothing."""
    empty = np.empty(0, dtype=np.float64)
    if not is_one_clock:
        return CLOCK_UNPROVEN, empty
    if len(samples) == 0:
        return NO_SAMPLES, empty
    first, second = samples.column(start), samples.column(end)
    present = (first != ABSENT) & (second != ABSENT)
    if not present.any():
        return NO_STAMP, empty
    return None, (second[present] - first[present]) / 1e9
