"""Injected delays: found where they are, missed where they are not."""

import random

import pytest

from benchmarks.proofs import proof_01_delay as proof
from tests.benchmarks.proofs.synthetic import samples_of


def verdicts(error_s: float = 0.0, error_ratio: float = 0.0, frames: int = 300) -> list[str]:
    chance = random.Random(1)  # noqa: S311

    def latency_s(number: int) -> float:
        delay_s = proof.DELAYS_S[number % len(proof.DELAYS_S)]
        noise_s = chance.expovariate(1 / 0.0002)
        return 0.004 + noise_s + delay_s * (1 + error_ratio) + (error_s if delay_s else 0.0)

    samples, window = samples_of(proof.RATE_HZ, frames, latency_s)
    return [found.verdict for found in proof.findings(samples, window, proof.DELAYS_S)]


def test_true_delays_hold() -> None:
    assert verdicts() == ["holds"] * 4


def test_an_error_beyond_the_limit_fails_at_small_delays() -> None:
    assert verdicts(error_s=0.0008) == ["fails", "fails", "fails", "holds"]


def test_a_wrong_scale_fails_at_large_delays() -> None:
    assert verdicts(error_ratio=0.05) == ["holds", "holds", "fails", "fails"]


def test_too_few_frames_prove_nothing() -> None:
    assert verdicts(frames=25) == ["not enough data"] * 4


def test_pairs_are_neighbours() -> None:
    samples, window = samples_of(5.0, 20, lambda number: 1.0 + number + (0.5 if number % 5 == 1 else 0.0))
    numbers = samples.column("frame_number") % 5
    differences = proof.paired_differences_s(samples.where(numbers == 0), samples.where(numbers == 1))
    assert differences == pytest.approx([1.5] * 4, abs=1e-6)
    assert window.duration_s == 4.0
