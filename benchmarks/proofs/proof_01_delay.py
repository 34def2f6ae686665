"""Proof 1: a delay that a node really makes is the delay that is reported.

The monitor holds every message for 0, 1, 5, 20 or 100 ms, taking turns by frame number, so that whatever else the
machine does falls on all delays alike. Each turn is a set of pairs against its own frame without delay.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.proofs.bench import SMALL_LOAD, Bench
from benchmarks.proofs.finding import Finding, milliseconds, no_data, verdict_of
from benchmarks.proofs.intervals import median_with_interval
from probes.frames import first_arrivals
from probes.measurements.latency import latency_readings
from probes.samples import Samples, Window

NUMBER = 1
STACK = "monolithic"
# A frame that is held for the longest delay is sent before the next one arrives.
RATE_HZ = 8.0
DELAYS_S = (0.0, 0.001, 0.005, 0.02, 0.1)
LIMIT_S = 0.0003
LIMIT_RATIO = 0.02
LEAST_FRAMES = 10
RESULT = "/results"


def limit_s(delay_s: float) -> float:
    """Give the largest error of a delay."""
    return max(LIMIT_S, LIMIT_RATIO * delay_s)


def findings(samples: Samples, window: Window, delays_s: Sequence[float]) -> list[Finding]:
    """Compare every delay's reported p50 with that of no delay.

    Args:
        samples: Results of one repetition.
        window: Its window.
        delays_s: Delays by turns of frame numbers; the first is the reference.
    """
    arrived = first_arrivals(samples, window)
    turns = arrived.column("frame_number") % len(delays_s)
    return [_finding(arrived, turns == 0, turns == turn, delays_s[turn]) for turn in range(1, len(delays_s))]


def _finding(arrived: Samples, reference: np.ndarray, held: np.ndarray, delay_s: float) -> Finding:
    claim = f"a delay of {milliseconds(delay_s)} in a node is reported in inference_s at p50"
    figure = f"error of at most {milliseconds(limit_s(delay_s))}"
    before, after = arrived.where(reference), arrived.where(held)
    differences = paired_differences_s(before, after)
    if len(differences) < LEAST_FRAMES:
        return no_data(NUMBER, claim, figure, f"{len(differences)} pairs of frames, at least {LEAST_FRAMES}")
    error_s = reported_p50_s(after) - reported_p50_s(before) - delay_s
    spread = median_with_interval([difference - delay_s for difference in differences])
    return Finding(
        NUMBER,
        claim,
        figure,
        f"{milliseconds(error_s)} of error over {len(differences)} pairs",
        f"{spread.interval(1e3)} ms",
        verdict_of(holds=abs(error_s) <= limit_s(delay_s)),
    )


def reported_p50_s(samples: Samples) -> float:
    """What the runner reports as inference_s for these frames."""
    reading = next(item for item in latency_readings(samples, is_one_clock=True) if item.key == "inference_s")
    if reading.value is None:
        raise ValueError(f"inference_s is missing: {reading.missing}")
    return reading.value


def paired_differences_s(before: Samples, after: Samples) -> list[float]:
    """Latency of each held frame less that of the nearest earlier frame without delay."""
    reference = dict(zip(before.column("frame_number").tolist(), _latencies_s(before), strict=True))
    numbers = sorted(reference)
    found: list[float] = []
    for number, latency_s in zip(after.column("frame_number").tolist(), _latencies_s(after), strict=True):
        place = int(np.searchsorted(numbers, number)) - 1
        if place >= 0:
            found.append(latency_s - reference[numbers[place]])
    return found


def _latencies_s(samples: Samples) -> list[float]:
    return ((samples.column("received_ns") - samples.column("intended_ns")) / 1e9).tolist()


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Deploy with delays by turns and measure once."""
    load = {**SMALL_LOAD, "rateHz": RATE_HZ, "faultNode": "monitor", "faultDelaysS": list(DELAYS_S)}
    bench.deploy(STACK, {"application": {"load": load}})
    evidence = bench.measure(duration_s=40.0 if reduced else 120.0)
    if evidence.problem:
        return [no_data(NUMBER, "injected delays are reported", "0.3 ms or 2 %", evidence.problem)]
    return findings(evidence.samples(0, RESULT), evidence.window(0), DELAYS_S)
