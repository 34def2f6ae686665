"""Faults on demand: what they do follows from the frame's number, so that a run can be checked against it."""

import itertools
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

faults = module("ros2bench_nodes.faults")
parameters = module("ros2bench_nodes.parameters")
RATIOS = st.floats(0, 1)
SEEDS = st.integers(-(2**31), 2**31)


def faulty(**changes: Any) -> tuple[Any, list[float]]:
    waits: list[float] = []
    return faults.Faults(**changes, wait=waits.append), waits


@given(RATIOS, SEEDS, st.integers(0, 50))
def test_of_every_hundred_frames_the_ratio_is_dropped(ratio: float, seed: int, blocks: int) -> None:
    dropped = [number for number in range(100 * blocks) if faults.is_dropped(number, ratio, seed)]
    assert abs(len(dropped) - 100 * blocks * ratio) <= 0.5 + 1e-6


def test_the_same_seed_drops_the_same_frames() -> None:
    first, again, other = (
        [number for number in range(1000) if faults.is_dropped(number, 0.1, seed)] for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    assert len(first) == len(other) == 100
    gaps = {later - earlier for earlier, later in itertools.pairwise(first)}
    assert len(gaps) > 5, "drawn, not counted off"


def test_a_dropped_message_is_not_held() -> None:
    node, waits = faulty(delays_s=(0.5,), drop_ratio=1.0)
    assert not node.lets_pass(3)
    assert waits == []


def test_delays_take_turns_and_the_stall_comes_once() -> None:
    node, waits = faulty(delays_s=(0.0, 0.001, 0.1), stall_s=2.0, stall_frame=4)
    assert all(node.lets_pass(number) for number in range(7))
    assert waits == [0.001, 0.1, 2.001, 0.1]


def test_nothing_is_wrong_by_default() -> None:
    for kind in ("camera", "detector", "monitor"):
        node = faults.Faults.of(parameters.checked(kind, {}))
        began_s = time.perf_counter()
        assert all(node.lets_pass(number) for number in range(1000))
        assert time.perf_counter() - began_s < 0.5


def test_holding_is_exact() -> None:
    now_s = [10.0]
    slept: list[float] = []

    def sleep(duration_s: float) -> None:
        slept.append(duration_s)
        now_s[0] += duration_s + 0.00006

    def clock() -> float:
        now_s[0] += 0.00001
        return now_s[0]

    faults.hold(0.02, clock, sleep)
    assert slept == [0.02 - faults.SPIN_S]
    assert 0.02 <= now_s[0] - 10.00001 < 0.0201


def test_holding_takes_its_time_on_this_machine() -> None:
    began_s = time.perf_counter()
    faults.hold(0.01)
    assert time.perf_counter() - began_s >= 0.01
