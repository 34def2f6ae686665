"""Losses: the truth is drawn twice, by the node and by the proof, and both draw the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.proofs import proof_03_loss as proof
from benchmarks.proofs.loss_draw import dropped
from probes.samples import Window
from tests.benchmarks.proofs.synthetic import START_NS, samples_of
from tests.images.in_cluster import module

faults = module("ros2bench_nodes.faults")
FRAMES = 3000


@given(st.floats(0, 1), st.integers(0, 2**31), st.integers(0, 500), st.integers(0, 500))
def test_proof_and_node_draw_the_same_frames(ratio: float, seed: int, first: int, count: int) -> None:
    node = {number for number in range(first, first + count + 1) if faults.is_dropped(number, ratio, seed)}
    assert dropped(first, first + count, ratio, seed) == node


@pytest.mark.parametrize("ratio", proof.RATIOS)
def test_a_true_count_holds(ratio: float) -> None:
    lost = dropped(0, FRAMES, ratio, proof.SEED)
    samples, window = samples_of(proof.RATE_HZ, FRAMES, lambda _: 0.004, lost)
    found = proof.finding(samples, window, ratio, proof.SEED, proof.RATE_HZ)
    assert found.verdict == "holds"
    assert "0 further frames missing, 0 dropped frames arrived" in found.measured


def test_a_window_in_the_middle_holds() -> None:
    lost = dropped(0, FRAMES, 0.1, proof.SEED)
    samples, _ = samples_of(proof.RATE_HZ, FRAMES, lambda _: 0.004, lost)
    window = Window(START_NS + 7_013_000_000, START_NS + 37_013_000_000)
    assert proof.finding(samples, window, 0.1, proof.SEED, proof.RATE_HZ).verdict == "holds"


def test_losses_that_nobody_ordered_are_not_hidden_by_the_ratio() -> None:
    lost = dropped(0, FRAMES, 0.01, proof.SEED) | frozenset(range(1000, 1030))
    samples, window = samples_of(proof.RATE_HZ, FRAMES, lambda _: 0.004, lost)
    found = proof.finding(samples, window, 0.01, proof.SEED, proof.RATE_HZ)
    assert found.verdict == "fails"
    assert "further frames missing" in found.measured


def test_a_frame_that_was_dropped_and_arrived_fails_whatever_the_ratio() -> None:
    other = dropped(0, FRAMES, 0.1, proof.SEED + 1)
    samples, window = samples_of(proof.RATE_HZ, FRAMES, lambda _: 0.004, other)
    assert proof.finding(samples, window, 0.1, proof.SEED, proof.RATE_HZ).verdict == "fails"


def test_nothing_proves_nothing() -> None:
    samples, window = samples_of(proof.RATE_HZ, 0, lambda _: 0.004)
    assert proof.finding(samples, window, 0.1, proof.SEED, proof.RATE_HZ).verdict == "not enough data"
