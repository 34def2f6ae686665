"""The largest rate at which nothing is lost: doubled, then the interval halved. Needs no ROS."""

from collections.abc import Callable
from dataclasses import dataclass

LOWEST_HZ = 500.0
HIGHEST_HZ = 1_000_000.0
PRECISION = 1.1
ATTEMPTS = 2
LEAST_ACHIEVED = 0.9


@dataclass(frozen=True)
class Round:
    """One round of messages.

    Attributes:
        sent: how many were sent.
        received: how many arrived.
        achieved_hz: rate at which they were sent; less than asked where the sender is the slower.
    """

    sent: int
    received: int
    achieved_hz: float


@dataclass(frozen=True)
class LossFree:
    """What was found.

    Attributes:
        rate_hz: largest rate without a loss; 0 if even the lowest lost.
        is_bound: the sender could not send faster, so that the true rate may be larger.
    """

    rate_hz: float
    is_bound: bool


def largest_loss_free(send: Callable[[float], Round]) -> LossFree:
    """Search; a rate counts as free of loss if one of two rounds was.

    Args:
        send: does a round at a rate in messages per second.
    """
    best, rate_hz, failed_hz = 0.0, LOWEST_HZ, HIGHEST_HZ
    while best * PRECISION < failed_hz:
        found = _free_round(send, rate_hz)
        if found is None:
            failed_hz = rate_hz
        else:
            best = max(best, found.achieved_hz)
            if found.achieved_hz < LEAST_ACHIEVED * rate_hz:
                return LossFree(best, is_bound=True)
        if best == 0.0:
            return LossFree(0.0, is_bound=False)
        doubled_hz = min(2 * rate_hz, HIGHEST_HZ)
        rate_hz = (best * failed_hz) ** 0.5 if failed_hz < HIGHEST_HZ else doubled_hz
    return LossFree(best, is_bound=failed_hz == HIGHEST_HZ)


def _free_round(send: Callable[[float], Round], rate_hz: float) -> Round | None:
    for _ in range(ATTEMPTS):
        done = send(rate_hz)
        if done.received >= done.sent:
            return done
    return None
