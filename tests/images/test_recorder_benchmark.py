"""The search for the largest rate without a loss, against listeners of known limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.recorder_against_subscriber import QUEUES
from components.recorder import QUEUE_DEPTH
from tests.images.in_cluster import module

benchmark = module("ros2bench_recorder.benchmark")
rates = module("ros2bench_recorder.benchmark.rates")


def listener(limit_hz: float, sender_hz: float = 10**9) -> object:
    def send(rate_hz: float) -> object:
        achieved_hz = min(rate_hz, sender_hz)
        sent = round(achieved_hz)
        return rates.Round(sent, sent - (achieved_hz > limit_hz), achieved_hz)

    return send


def test_the_recorder_that_is_searched_has_the_queue_of_the_deployed_one() -> None:
    assert benchmark.depth(1) == QUEUE_DEPTH
    assert benchmark.DEFAULT_DEPTH < QUEUE_DEPTH
    assert f"queue of {benchmark.DEFAULT_DEPTH}" in QUEUES["default"]


@given(st.floats(500, 400_000))
def test_the_limit_of_a_listener_is_found_within_the_precision(limit_hz: float) -> None:
    found = rates.largest_loss_free(listener(limit_hz))
    assert limit_hz / rates.PRECISION <= found.rate_hz <= limit_hz
    assert not found.is_bound


def test_a_sender_that_is_the_slower_one_gives_a_lower_bound() -> None:
    found = rates.largest_loss_free(listener(10**9, sender_hz=60_000))
    assert (found.rate_hz, found.is_bound) == (60_000, True)


def test_a_listener_that_always_loses_has_no_rate() -> None:
    assert rates.largest_loss_free(listener(1)) == rates.LossFree(0.0, is_bound=False)


def test_one_bad_round_of_two_is_forgiven() -> None:
    rounds = [0]

    def every_other_loses(rate_hz: float) -> object:
        rounds[0] += 1
        return rates.Round(100, 100 if rate_hz <= 5000 and rounds[0] % 2 == 0 else 99, rate_hz)

    assert rates.largest_loss_free(every_other_loses).rate_hz == pytest.approx(4757, abs=300)
