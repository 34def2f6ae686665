"""A stall: the value that a program reports which omits the frames that waited does not pass."""

import numpy as np
import pytest

from benchmarks.proofs import proof_02_stall as proof
from benchmarks.proofs.finding import Finding
from probes.measurements.latency import latency_readings
from probes.samples import Samples, Window
from tests.benchmarks.proofs.synthetic import samples_of

BASE_S = 0.003
FRAMES = 480


def stalled(number: int) -> float:
    behind = number - proof.STALL_FRAME
    return BASE_S + (max(0.0, proof.STALL_S - behind / proof.RATE_HZ) if behind >= 0 else 0.0)


def reported_p99_s(samples: Samples) -> float | None:
    readings = {reading.key: reading.value for reading in latency_readings(samples, is_one_clock=True)}
    return readings["inference_s{statistic=p99}"]


def judged(samples: Samples, window: Window, reported_s: float | None) -> Finding:
    return proof.finding(samples, window, reported_s, proof.STALL_FRAME, proof.STALL_S, proof.RATE_HZ)


def test_what_the_runner_reports_holds() -> None:
    samples, window = samples_of(proof.RATE_HZ, FRAMES, stalled)
    found = judged(samples, window, reported_p99_s(samples))
    assert found.verdict == "holds"
    assert "8 frames of 480 waited" in found.interval


def test_coordinated_omission_fails() -> None:
    samples, window = samples_of(proof.RATE_HZ, FRAMES, stalled)
    # A closed loop sends the next frame only when the last one is answered: one slow frame, the others as ever.
    closed = samples_of(proof.RATE_HZ, FRAMES, lambda n: BASE_S + (proof.STALL_S if n == proof.STALL_FRAME else 0))[0]
    assert judged(samples, window, reported_p99_s(closed)).verdict == "fails"


@pytest.mark.parametrize("ratio", [0.97, 1.03])
def test_three_percent_are_too_much(ratio: float) -> None:
    samples, window = samples_of(proof.RATE_HZ, FRAMES, stalled)
    truth_s = reported_p99_s(samples)
    assert truth_s is not None
    assert judged(samples, window, ratio * truth_s).verdict == "fails"


def test_the_truth_does_not_follow_what_the_waiting_frames_measured() -> None:
    samples, _ = samples_of(proof.RATE_HZ, FRAMES, lambda _: BASE_S)
    truth = proof.true_latencies_s(samples, proof.STALL_FRAME, proof.STALL_S, proof.RATE_HZ)
    assert np.sort(truth)[-8:] == pytest.approx([BASE_S + 0.25 * step for step in range(1, 9)])


def test_a_stall_outside_the_window_or_frames_lost_behind_it_prove_nothing() -> None:
    short, window = samples_of(proof.RATE_HZ, 100, stalled)
    found = judged(short, window, 1.0)
    assert found.verdict == "not enough data"
    assert "0 of the 8 frames" in found.measured
    holes, window = samples_of(proof.RATE_HZ, FRAMES, stalled, lost=frozenset({proof.STALL_FRAME + 1}))
    assert "7 of the 8 frames" in judged(holes, window, 1.0).measured
    assert judged(*samples_of(proof.RATE_HZ, FRAMES, stalled), None).verdict == "not enough data"
