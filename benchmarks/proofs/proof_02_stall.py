"""Proof 2: a stall counts for every frame that waits behind it (no coordinated omission).

The monitor stops for 2 s at one frame. The frames behind it are due on the camera's schedule all the same, so the n-th
of them waits 2 s less n periods. A program that measured from when a frame was looked at would see one slow frame.
"""

import numpy as np

from benchmarks.proofs.bench import SMALL_LOAD, Bench
from benchmarks.proofs.finding import Finding, milliseconds, no_data, verdict_of
from probes.frames import first_arrivals
from probes.samples import Samples, Window
from probes.stats import FloatArray, quantile

NUMBER = 2
STACK = "monolithic"
# Eight frames wait for two seconds at this rate: fewer than the queues of the reference application hold.
RATE_HZ = 4.0
STALL_S = 2.0
STALL_FRAME = 120
LIMIT_RATIO = 0.02
RESULT = "/results"
CLAIM = "p99 of inference_s after a stall of 2 s is that of every frame that waited"
FIGURE = "within 2 % of the value that follows from the schedule"


def finding(
    samples: Samples, window: Window, reported_p99_s: float | None, stall_frame: int, stall_s: float, rate_hz: float
) -> Finding:
    """Compare the reported p99 with the one that must be.

    Args:
        samples: Results of one repetition.
        window: Its window.
        reported_p99_s: `inference_s{statistic=p99}` of the record.
        stall_frame: Frame whose message was held.
        stall_s: For how long.
        rate_hz: Rate of the frames.
    """
    arrived = first_arrivals(samples, window)
    numbers = arrived.column("frame_number")
    waiting = np.arange(stall_frame, stall_frame + int(np.ceil(stall_s * rate_hz)))
    if not np.isin(waiting, numbers).all():
        seen = int(np.isin(waiting, numbers).sum())
        reason = f"{seen} of the {waiting.size} frames that waited are in the window (frames "
        reason += f"{numbers.min()} to {numbers.max()})" if numbers.size else "none)"
        return no_data(NUMBER, CLAIM, FIGURE, reason)
    true = true_latencies_s(arrived, stall_frame, stall_s, rate_hz)
    expected_s = quantile(true, 0.99)
    if expected_s is None or reported_p99_s is None:
        return no_data(NUMBER, CLAIM, FIGURE, f"{true.size} frames carry no p99")
    ratio = reported_p99_s / expected_s
    return Finding(
        NUMBER,
        CLAIM,
        FIGURE,
        f"{milliseconds(reported_p99_s)} reported, {milliseconds(expected_s)} true: {100 * (ratio - 1):+.2f} %",
        f"one stall, {waiting.size} frames of {true.size} waited",
        verdict_of(holds=abs(ratio - 1) <= LIMIT_RATIO),
    )


def true_latencies_s(arrived: Samples, stall_frame: int, stall_s: float, rate_hz: float) -> FloatArray:
    """Latency that every frame must have: its own without the stall, and its wait behind it.

    Frames that did not wait keep what was measured; those that did have the median of the others and their wait.
    """
    measured = (arrived.column("received_ns") - arrived.column("intended_ns")) / 1e9
    wait_s = stall_s - (arrived.column("frame_number") - stall_frame) / rate_hz
    waited = (wait_s > 0) & (wait_s <= stall_s)
    usual_s = float(np.median(measured[~waited])) if (~waited).any() else 0.0
    return np.where(waited, wait_s + usual_s, measured)


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Deploy with a stall in the middle of the window; a new start of the camera begins to count at 0."""
    load = {**SMALL_LOAD, "rateHz": RATE_HZ, "faultNode": "monitor", "faultStallS": STALL_S}
    load |= {"faultStallFrame": STALL_FRAME}
    bench.deploy(STACK, {"application": {"load": load}})
    evidence = bench.measure(cycles="install", duration_s=45.0 if reduced else 120.0)
    if evidence.problem:
        return [no_data(NUMBER, CLAIM, FIGURE, evidence.problem)]
    reported_s = evidence.value("inference_s{statistic=p99}")
    return [
        finding(evidence.samples(0, RESULT), evidence.window(0), reported_s, STALL_FRAME, STALL_S, RATE_HZ),
    ]
