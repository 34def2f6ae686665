"""The drain loop rests only while no queue can fill meanwhile."""

from typing import Any

import pytest

from tests.images.in_cluster import module

pace = module("ros2bench_recorder.pace")
MILLISECOND_NS = 1_000_000


@pytest.mark.parametrize(
    ("topics", "depth", "rest_s"),
    [(1, 1000, 0.002), (5, 1000, 0.01), (50, 1000, 0.1), (500, 1000, 0.1), (50, 20, 0.05), (50, 10, 0.025)],
)
def test_rests_grow_with_what_a_turn_costs_and_end_before_a_queue_is_full(
    topics: int, depth: int, rest_s: float
) -> None:
    assert pace.Pace(topics, depth).rest_s == pytest.approx(rest_s)


@pytest.mark.parametrize(("topics", "depth"), [(50, 10), (50, 20), (1, 10), (50, 1000)])
def test_a_topic_that_begins_at_400_hz_fills_no_queue(topics: int, depth: int) -> None:
    _, fullest = turns(400, depth, topics)
    assert fullest <= depth


def turns(rate_hz: float, depth: int, topics: int, count: int = 400) -> tuple[list[bool], int]:
    """Feed turns as the loop makes them; gives whether each was followed by a rest, and the fullest queue."""
    paced: Any = pace.Pace(topics, depth)
    now_s, arrived, taken, rests, fullest = 1.0, 0, 0, [], 0
    for _ in range(count):
        arrived = int((now_s - 1.0) * rate_hz)
        fullest = max(fullest, arrived - taken)
        paced.note(0, arrived - taken)
        taken = arrived
        rests.append(paced.may_rest(round(now_s * 1e9)))
        now_s += paced.rest_s if rests[-1] else 0.0002
    return rests, fullest


def test_slow_topics_are_taken_by_the_dozen() -> None:
    rests, _ = turns(30, 20, 50)
    assert all(rests)


@pytest.mark.parametrize(("rate_hz", "topics"), [(200_000, 1), (9_000, 50), (3000, 50)])
def test_fast_topics_get_no_rest_and_never_fill_their_queue(rate_hz: float, topics: int) -> None:
    rests, fullest = turns(rate_hz, 1000, topics)
    assert not any(rests[-100:])
    assert fullest <= 1000


def test_after_a_burst_it_rests_again() -> None:
    paced = pace.Pace(1, 1000)
    paced.note(0, 900)
    seen = [paced.may_rest((number + 1) * 2 * MILLISECOND_NS) for number in range(4)]
    assert seen == [False, True, True, True]
