"""Paired ratios: a drift that hits both ways cancels, a difference shows, a control of equals holds 1."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.paired import compare, run_pairs

FACTORS = st.floats(0.2, 5.0)


@given(FACTORS, st.lists(st.floats(0.5, 2.0), min_size=10, max_size=12))
def test_a_drift_of_the_machine_cancels(factor: float, drift: list[float]) -> None:
    found = compare("x", [factor * speed for speed in drift], drift, seed=1)
    assert found.ratio == pytest.approx(factor)
    assert found.low == pytest.approx(factor)
    assert found.high == pytest.approx(factor)


def test_equals_hold_one_and_unequals_do_not() -> None:
    noise = [1.0, 1.02, 0.98, 1.01, 0.99, 1.03, 0.97, 1.0, 1.01, 0.99]
    assert compare("same", noise, noise[::-1], seed=1).holds_one
    assert not compare("slower", [2 * value for value in noise], noise[::-1], seed=1).holds_one


def test_both_ways_run_in_every_pair_in_an_order_of_chance() -> None:
    order: list[str] = []
    clock = itertools.count(1)

    def way(name: str) -> Callable[[], float]:
        def timed() -> float:
            order.append(name)
            return float(next(clock))

        return timed

    said: list[str] = []
    first, second = run_pairs(way("a"), way("b"), pairs=20, seed=3, tell=said.append)
    assert len(first) == len(second) == len(said) == 20
    assert all(set(pair) == {"a", "b"} for pair in zip(order[::2], order[1::2], strict=True))
    assert {order[index] for index in range(0, 40, 2)} == {"a", "b"}


def test_too_few_pairs_say_so() -> None:
    with pytest.raises(ValueError, match="x: 2 pairs carry no interval"):
        compare("x", [1.0, 1.0], [1.0, 1.0], seed=1)


@pytest.mark.parametrize(("limit", "verdict"), [(None, "reported"), (2.5, "kept"), (1.5, "broken"), (2.0, "undecided")])
def test_a_limit_is_kept_only_with_the_whole_interval(limit: float | None, verdict: str) -> None:
    found = compare("x", [1.9, 2.0, 2.1, 1.95, 2.05], [1.0] * 5, seed=1, limit=limit)
    assert found.verdict == verdict
