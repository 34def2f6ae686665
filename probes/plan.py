"""What a campaign will do, decided before it touches anything: repetitions, their order, durations, seeds."""

import random
from dataclasses import asdict, dataclass
from typing import Literal

from probes.errors import UsageError
from probes.fault_order import FaultOrder

Cycles = Literal["none", "install", "update"]
Regime = Literal["warm", "image_cold", "pristine"]
DEPLOYING: frozenset[Cycles] = frozenset({"install", "update"})
"""Cycles that park and deploy a stack, so that several stacks can take turns and a regime can be made."""
CONTROL_ARMS = ("A", "A'")


@dataclass(frozen=True)
class Durations:
    """Lengths of the phases of one repetition, in seconds."""

    warmup_s: float = 5.0
    window_s: float = 20.0
    drain_s: float = 2.0
    cool_down_s: float = 2.0
    ready_timeout_s: float = 120.0
    idle_s: float = 10.0


@dataclass(frozen=True)
class Step:
    """One repetition of one stack, at its place in the order; `arm` is empty unless the stack is a control."""

    stack: str
    repetition: int
    arm: str = ""


@dataclass(frozen=True)
class Plan:
    """A campaign. The same seed gives the same order and the same bootstrap intervals.

    `network` says whether the network is probed: None where the application and its recorder use several machines.
    `fault` is held on the network in every window.
    """

    stacks: tuple[str, ...]
    repetitions: int
    cycles: Cycles
    durations: Durations
    seed: int
    order: tuple[Step, ...]
    regime: Regime = "warm"
    is_controlled: bool = False
    network: bool | None = None
    fault: FaultOrder | None = None

    def arms(self) -> tuple[tuple[str, str], ...]:
        """Give every run of the campaign as stack and arm: the control measures its stack twice."""
        return arms_of(self.stacks, is_controlled=self.is_controlled)

    def as_record(self) -> dict[str, object]:
        """Give the plan as plain values for the manifest."""
        return {**asdict(self), "fault": dict(self.fault.settings()) if self.fault else None}


def arms_of(stacks: tuple[str, ...], *, is_controlled: bool) -> tuple[tuple[str, str], ...]:
    """Give every run of a campaign as stack and arm; of a control the first stack twice."""
    if not is_controlled:
        return tuple((stack, "") for stack in stacks)
    return (*((stacks[0], arm) for arm in CONTROL_ARMS), *((stack, "") for stack in stacks[1:]))


def interleave(
    stacks: tuple[str, ...], repetitions: int, seed: int, *, is_controlled: bool = False
) -> tuple[Step, ...]:
    """Order the repetitions in randomised blocks: each block holds every run once, in an order of its own.

    Slow drift of the machine then falls on all of them alike.
    """
    generator = random.Random(seed)  # noqa: S311 - an order to be repeated, not a secret
    steps: list[Step] = []
    for repetition in range(repetitions):
        block = list(arms_of(stacks, is_controlled=is_controlled))
        generator.shuffle(block)
        steps += [Step(stack, repetition, arm) for stack, arm in block]
    return tuple(steps)


def make_plan(
    stacks: tuple[str, ...],
    repetitions: int,
    cycles: Cycles,
    durations: Durations,
    seed: int,
    *,
    regime: Regime = "warm",
    is_controlled: bool = False,
    network: bool | None = None,
    fault: FaultOrder | None = None,
) -> Plan:
    """Check the request and order it.

    Raises:
        UsageError: A number is out of range, a stack is named twice, a regime has no install to apply to, or several
            stacks are asked for without a cycle that deploys (exactly one experiment may run while it is measured, so
            the others must be parked).
    """
    if repetitions < 1:
        raise UsageError(
            f"--repetitions is {repetitions}; it must be 1 or more (3 or more give an interval).",
            next_step="python -m probes.run --repetitions 5",
        )
    repeated = sorted({stack for stack in stacks if stacks.count(stack) > 1})
    if repeated:
        raise UsageError(
            f"-s names {', '.join(repeated)} more than once; each stack is measured by --repetitions instead.",
            next_step="name each stack once",
        )
    if regime != "warm" and cycles not in DEPLOYING:
        raise UsageError(
            f"--regime {regime} is about what machines hold before an install, but --cycles {cycles} installs nothing.",
            next_step=f"python -m probes.run --cycles install --regime {regime} --platform STACK",
        )
    if len(stacks) > 1 and cycles not in DEPLOYING:
        raise UsageError(
            f"-s names {len(stacks)} stacks ({', '.join(stacks)}), but only one experiment may run while it is "
            "measured, and without --cycles install no stack is switched.",
            next_step="add --cycles install, or name one stack",
        )
    for option, value, least in (
        ("--warmup-s", durations.warmup_s, 0.0),
        ("--duration-s", durations.window_s, 0.1),
        ("--cool-down-s", durations.cool_down_s, 0.0),
        ("--ready-timeout-s", durations.ready_timeout_s, 0.1),
        ("--idle-s", durations.idle_s, 0.0),
    ):
        if not least <= value <= 86_400:
            raise UsageError(
                f"{option} is {value:g}; it must be from {least:g} to 86400 seconds.",
                next_step=f"give {option} a value in that range",
            )
    order = interleave(stacks, repetitions, seed, is_controlled=is_controlled)
    return Plan(stacks, repetitions, cycles, durations, seed, order, regime, is_controlled, network, fault)
