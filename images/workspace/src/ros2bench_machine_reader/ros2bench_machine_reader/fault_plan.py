"""What a network fault is: which traffic, and what happens to it."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from typing import Any

REQUIRED = ('fault', 'from', 'to', 'max_s')
OPTIONAL = ('delay_s', 'jitter_s', 'loss_ratio', 'rate_bytes_per_s', 'reorder_ratio', 'seed')
FAULT_ID = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')
MOST_NETWORKS = 32
LONGEST_DELAY_S = 10.0
LONGEST_S = 7_200.0
LEAST_RATE_BYTES_PER_S = 1_000.0
LARGEST_SEED = (1 << 63) - 1


class PlanError(ValueError):
    """A fault that makes no sense; the text names the key, what was given and what is possible."""


@dataclass(frozen=True)
class FaultPlan:
    """A fault on what this machine sends from some addresses to others, one way.

    Attributes:
        fault: its name.
        sources: networks in CIDR form, of pods of this machine.
        destinations: networks in CIDR form, of the pods of others.
        delay_s: added to every packet.
        jitter_s: each delay is drawn evenly from `delay_s` ± this; packets may overtake others.
        loss_ratio: probability with which a packet is lost.
        rate_bytes_per_s: IP bytes per second; None is unlimited.
        reorder_ratio: probability with which a packet is not delayed and so overtakes others.
        seed: of the draws.
        max_s: the fault ends by itself after this.
    """

    fault: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    max_s: float
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss_ratio: float = 0.0
    rate_bytes_per_s: float | None = None
    reorder_ratio: float = 0.0
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Content for `plan_of_json`."""
        return asdict(self)


def plan_of_json(content: dict[str, Any]) -> FaultPlan:
    """Inverse of `FaultPlan.as_json`."""
    content = {**content, 'sources': tuple(content['sources'])}
    return FaultPlan(**{**content, 'destinations': tuple(content['destinations'])})


def parse_plan(body: dict[str, Any]) -> FaultPlan:
    """Check the body of `POST /v1/network/faults`; its keys have been checked.

    Raises:
        PlanError: a value is refused.
    """
    fault = body['fault']
    if not isinstance(fault, str) or not FAULT_ID.fullmatch(fault):
        raise PlanError(f'fault is {fault!r} but must be letters, digits, ".", "_" and "-"')
    plan = FaultPlan(
        fault=fault,
        sources=_networks(body, 'from'),
        destinations=_networks(body, 'to'),
        max_s=_number(body, 'max_s', 0.1, LONGEST_S),
        delay_s=_number(body, 'delay_s', 0, LONGEST_DELAY_S),
        jitter_s=_number(body, 'jitter_s', 0, LONGEST_DELAY_S),
        loss_ratio=_number(body, 'loss_ratio', 0, 1),
        rate_bytes_per_s=_rate(body),
        reorder_ratio=_number(body, 'reorder_ratio', 0, 1),
        seed=int(_number(body, 'seed', 0, LARGEST_SEED, lambda value: isinstance(value, int))),
    )
    if plan.jitter_s > plan.delay_s:
        raise PlanError(
            f'jitter_s is {plan.jitter_s} but at most delay_s ({plan.delay_s}): no packet can '
            f'arrive before it was sent'
        )
    if plan.reorder_ratio and not plan.delay_s:
        raise PlanError('reorder_ratio needs a delay_s: only what waits can be overtaken')
    return plan


def _networks(body: dict[str, Any], key: str) -> tuple[str, ...]:
    given = body[key]
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_NETWORKS:
        raise PlanError(f'{key} must be a list of 1 to {MOST_NETWORKS} networks')
    found = []
    for text in given:
        try:
            network = IPv4Network(text)
        except ValueError as error:
            raise PlanError(f'{key}: {error}; wanted is one like 198.51.100.0/24') from error
        if not network.prefixlen:
            raise PlanError(f'{key}: {network} is everything, so that nobody could end the fault')
        found.append(str(network))
    return tuple(found)


def _rate(body: dict[str, Any]) -> float | None:
    if body.get('rate_bytes_per_s') is None:
        return None
    return _number(body, 'rate_bytes_per_s', LEAST_RATE_BYTES_PER_S, 1e12)


def _number(
    body: dict[str, Any],
    key: str,
    low: float,
    high: float,
    right: Callable[[Any], bool] = lambda value: isinstance(value, (int, float)),
) -> float:
    value = body.get(key, 0)
    if isinstance(value, bool) or not right(value) or not low <= value <= high:
        raise PlanError(f'{key} is {value!r} but must be a number from {low:g} to {high:g}')
    return value
