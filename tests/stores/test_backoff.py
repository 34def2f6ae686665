"""Waiting before another request: jittered, growing, bounded in number and time."""

import random

from hypothesis import given
from hypothesis import strategies as st

from probes.backoff import Backoff


@given(st.integers(0, 12), st.integers(0, 2**32), st.floats(0, 1000))
def test_a_wait_is_within_its_bounds(attempt: int, seed: int, told_s: float) -> None:
    backoff = Backoff(chance=random.Random(seed))  # noqa: S311 - waits, not secrets
    wait_s = backoff.wait_s(attempt, told_s)
    assert min(told_s, backoff.longest_s) <= wait_s <= backoff.longest_s
    assert wait_s <= max(backoff.first_s * 2**attempt, told_s)


def test_waits_are_spread_so_that_many_runners_do_not_come_back_together() -> None:
    backoff = Backoff(chance=random.Random(1))  # noqa: S311 - waits, not secrets
    waits = [backoff.wait_s(4) for _ in range(200)]
    assert min(waits) < 0.1 * backoff.first_s * 2**4
    assert max(waits) > 0.9 * backoff.first_s * 2**4


def test_no_request_follows_the_last_or_one_that_would_begin_too_late() -> None:
    now = [100.0]
    backoff = Backoff(attempts=3, total_s=10, clock=lambda: now[0])
    assert backoff.may_go_on(0, 100, 1)
    assert backoff.may_go_on(1, 100, 1)
    assert not backoff.may_go_on(2, 100, 1)
    now[0] = 109.5
    assert not backoff.may_go_on(0, 100, 1)
