"""The search for the largest rate, against systems whose largest rate is known."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.search import Limits, NoPeak, Peak, Trial, search

LIMITS = Limits(start_hz=10, least_hz=0.5, most_hz=1000)
STARTS = st.sampled_from([0.5, 1.0, 10.0, 250.0, 1000.0])


def run(limits: Limits, loss: Callable[[float], float]) -> tuple[Peak | NoPeak, list[Trial]]:
    """Answer a search with a system's loss; gives the result and the trials."""
    trials: list[Trial] = []
    searching = search(limits)
    try:
        trial = next(searching)
        while True:
            trials.append(trial)
            trial = searching.send(loss(trial.rate_hz))
    except StopIteration as ended:
        return ended.value, trials


def saturating(capacity_hz: float) -> Callable[[float], float]:
    """What is above the capacity is lost."""
    return lambda rate_hz: max(0.0, 1 - capacity_hz / rate_hz)


@given(st.floats(0.6, 900), STARTS)
def test_the_peak_of_a_saturating_system_is_found_within_the_resolution(capacity_hz: float, start_hz: float) -> None:
    true_hz = capacity_hz / 0.95
    found, trials = run(replace(LIMITS, start_hz=start_hz), saturating(capacity_hz))
    assert isinstance(found, Peak)
    assert found.rate_hz < true_hz
    assert found.rate_hz >= true_hz / (1 + 2 * LIMITS.resolution)
    assert found.failing_hz is None or found.failing_hz >= true_hz
    assert len(trials) <= LIMITS.most_trials
    assert all(LIMITS.least_hz <= trial.rate_hz <= LIMITS.most_hz for trial in trials)


@given(st.floats(2, 500), st.integers(0, 2**31), st.sampled_from([0.002, 0.01]))
def test_scatter_moves_the_answer_by_no_more_than_it_is_wide(capacity_hz: float, seed: int, size: float) -> None:
    generator = np.random.default_rng(seed)
    system = saturating(capacity_hz)
    found, trials = run(LIMITS, lambda rate_hz: max(0.0, system(rate_hz) + float(generator.normal(0, size))))
    assert isinstance(found, Peak), trials
    true_hz = capacity_hz / 0.95
    width = 2 * LIMITS.resolution + 5 * size
    assert true_hz / (1 + width) <= found.rate_hz <= true_hz * (1 + width)


@given(st.floats(1, 400), st.integers(0, 2**31))
def test_a_burst_of_foreign_load_in_one_trial_of_ten_does_not_break_the_search(capacity_hz: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    system = saturating(capacity_hz)
    found, trials = run(LIMITS, lambda rate_hz: 0.5 if generator.random() < 0.1 else system(rate_hz))
    if isinstance(found, Peak):
        assert found.rate_hz < capacity_hz / 0.95
    assert len(trials) <= LIMITS.most_trials


@given(st.floats(20, 400), st.floats(0.03, 0.4))
def test_a_peak_was_seen_to_hold_twice_in_a_row(capacity_hz: float, resolution: float) -> None:
    limits = replace(LIMITS, resolution=resolution)
    found, trials = run(limits, saturating(capacity_hz))
    assert isinstance(found, Peak)
    checked = [trial.rate_hz for trial in trials if trial.stage == "check"]
    assert checked.count(found.rate_hz) >= 2


def test_the_stages_follow_one_another() -> None:
    _, trials = run(LIMITS, saturating(33))
    stages = [trial.stage for trial in trials]
    assert stages == sorted(stages, key=("double", "bisect", "check").index)
    assert [trial.rate_hz for trial in trials if trial.stage == "double"] == [10, 20, 40]


def test_a_lucky_trial_is_found_out_by_the_check() -> None:
    lucky: list[float] = []

    def loss(rate_hz: float) -> float:
        if rate_hz == 20 and not lucky:
            lucky.append(rate_hz)
            return 0.0
        return saturating(10)(rate_hz)

    found, _ = run(LIMITS, loss)
    assert isinstance(found, Peak)
    assert found.rate_hz < 10 / 0.95


def test_a_system_without_a_limit_holds_the_largest_rate_that_may_be_tried() -> None:
    found, trials = run(LIMITS, lambda _rate_hz: 0.0)
    assert found == Peak(1000, None)
    assert math.isclose(trials[-1].rate_hz, 1000)


def test_a_system_that_carries_nothing_has_no_peak() -> None:
    assert run(LIMITS, lambda _rate_hz: 1.0)[0] == NoPeak("no_rate_holds")
    assert run(replace(LIMITS, start_hz=0.5), lambda _rate_hz: 1.0)[0] == NoPeak("no_rate_holds")


def test_trials_are_not_endless() -> None:
    found, trials = run(replace(LIMITS, most_trials=3), saturating(77))
    assert found == NoPeak("search_not_converged")
    assert len(trials) == 3


def test_exactly_the_limit_is_lost_too_much() -> None:
    found, _ = run(Limits(start_hz=10, least_hz=10, most_hz=10), lambda _rate_hz: 0.05)
    assert found == NoPeak("no_rate_holds")


@pytest.mark.parametrize(
    "limits",
    [
        Limits(start_hz=1, least_hz=2),
        Limits(start_hz=2000),
        Limits(least_hz=0),
        Limits(loss_limit=0),
        Limits(resolution=1),
        Limits(most_trials=0),
    ],
)
def test_limits_that_contradict_one_another_are_refused(limits: Limits) -> None:
    with pytest.raises(ValueError, match="must"):
        search(limits)
