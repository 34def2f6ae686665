"""Pure: the largest rate that a system carries, found by asking for its loss at one rate after another.

    double       up from the start until a rate fails, or down until one holds
    bisect       between the largest rate that held and the smallest above it that failed, in ratios
    check        by equal steps: a rate counts only if it holds in two trials in a row; from one that does, upwards
                 until one fails; from one that does not, downwards until one holds

A trial is one measurement, and measurements scatter: the check makes sure that no single lucky one is the answer.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

Stage = Literal["double", "bisect", "check"]
CONFIRMATIONS = 2
NOTHING_HOLDS = "no_rate_holds"
NOT_CONVERGED = "search_not_converged"


@dataclass(frozen=True)
class Limits:
    """What is searched for, and where.

    Args:
        start_hz: First rate.
        least_hz: Smallest rate that is tried.
        most_hz: Largest rate that is tried.
        loss_limit: A rate holds if less than this share is lost.
        resolution: Width of the answer, as a share of it.
        most_trials: Trials after which the search gives up.
    """

    start_hz: float = 10.0
    least_hz: float = 0.5
    most_hz: float = 1000.0
    loss_limit: float = 0.05
    resolution: float = 0.05
    most_trials: int = 40


@dataclass(frozen=True)
class Trial:
    """One rate to measure, and why."""

    rate_hz: float
    stage: Stage


@dataclass(frozen=True)
class Peak:
    """The largest rate that held, and the smallest above it that did not; none where the largest allowed rate held."""

    rate_hz: float
    failing_hz: float | None


@dataclass(frozen=True)
class NoPeak:
    """There is no answer; `reason` is the code that a record keeps."""

    reason: str


Search = Generator[Trial, float, Peak | NoPeak]
Asking = Generator[Trial, float, bool]


def search(limits: Limits) -> Search:
    """Ask for the loss at one rate after another; send each answer; the return value is the result.

    Raises:
        ValueError: The limits contradict one another.
    """
    if not 0 < limits.least_hz <= limits.start_hz <= limits.most_hz:
        raise ValueError("0 < least_hz <= start_hz <= most_hz must hold")
    if not (0 < limits.loss_limit < 1 and 0 < limits.resolution < 1 and limits.most_trials > 0):
        raise ValueError("loss_limit and resolution must lie between 0 and 1, most_trials must be positive")
    return _limited(_searching(limits), limits.most_trials)


def _limited(searching: Search, most_trials: int) -> Search:
    try:
        trial = next(searching)
        for _ in range(most_trials):
            loss = yield trial
            trial = searching.send(loss)
    except StopIteration as ended:
        return ended.value
    return NoPeak(NOT_CONVERGED)


def _searching(limits: Limits) -> Search:
    holding, failing = yield from _double(limits)
    if holding is None:
        return NoPeak(NOTHING_HOLDS)
    if failing is not None:
        holding, failing = yield from _bisect(limits, holding, failing)
    return (yield from _check(limits, holding, failing))


def _double(limits: Limits) -> Generator[Trial, float, tuple[float | None, float | None]]:
    rate_hz = limits.start_hz
    if (yield from _holds(limits, rate_hz, "double")):
        while rate_hz < limits.most_hz:
            further_hz = min(2 * rate_hz, limits.most_hz)
            if not (yield from _holds(limits, further_hz, "double")):
                return rate_hz, further_hz
            rate_hz = further_hz
        return rate_hz, None
    while rate_hz > limits.least_hz:
        nearer_hz = max(rate_hz / 2, limits.least_hz)
        if (yield from _holds(limits, nearer_hz, "double")):
            return nearer_hz, rate_hz
        rate_hz = nearer_hz
    return None, rate_hz


def _bisect(limits: Limits, holding_hz: float, failing_hz: float) -> Generator[Trial, float, tuple[float, float]]:
    while failing_hz / holding_hz > 1 + limits.resolution:
        middle_hz = (holding_hz * failing_hz) ** 0.5
        if (yield from _holds(limits, middle_hz, "bisect")):
            holding_hz = middle_hz
        else:
            failing_hz = middle_hz
    return holding_hz, failing_hz


def _check(limits: Limits, rate_hz: float, failing_hz: float | None) -> Search:
    step_hz = limits.resolution * rate_hz
    if (yield from _confirmed(limits, rate_hz)):
        while rate_hz < limits.most_hz:
            further_hz = min(rate_hz + step_hz, limits.most_hz)
            if not (yield from _confirmed(limits, further_hz)):
                return Peak(rate_hz, further_hz)
            rate_hz = further_hz
        return Peak(rate_hz, None if failing_hz is None or failing_hz <= rate_hz else failing_hz)
    while rate_hz > limits.least_hz:
        nearer_hz = max(rate_hz - step_hz, limits.least_hz)
        if (yield from _confirmed(limits, nearer_hz)):
            return Peak(nearer_hz, rate_hz)
        rate_hz = nearer_hz
    return NoPeak(NOTHING_HOLDS)


def _confirmed(limits: Limits, rate_hz: float) -> Asking:
    for _ in range(CONFIRMATIONS):
        if not (yield from _holds(limits, rate_hz, "check")):
            return False
    return True


def _holds(limits: Limits, rate_hz: float, stage: Stage) -> Asking:
    loss = yield Trial(rate_hz, stage)
    return loss < limits.loss_limit
