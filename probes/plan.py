"""What a campaign will do, decided before it touches anything: repetitions, their order, durations, seeds."""

import random
from dataclasses import asdict, dataclass
from typing import Literal

from probes.errors import UsageError

Cycles = Literal["none", "install"]


@dataclass(frozen=True)
class Durations:
    """Lengths of the phases of one repetition, in seconds."""

    warmup_s: float = 5.0
    window_s: float = 20.0
    drain_s: float = 2.0
    cool_down_s: float = 2.0
    ready_timeout_s: float = 120.0


@dataclass(frozen=True)
class Step:
    """One repetition of one stack, at its place in the order."""

    stack: str
    repetition: int


@dataclass(frozen=True)
class Plan:
    """A campaign. The same seed gives the same order and the same bootstrap intervals."""

    stacks: tuple[str, ...]
    repetitions: int
    cycles: Cycles
    durations: Durations
    seed: int
    order: tuple[Step, ...]

    def as_record(self) -> dict[str, object]:
        """Give the plan as plain values for the manifest."""
        return asdict(self)


def interleave(stacks: tuple[str, ...], repetitions: int, seed: int) -> tuple[Step, ...]:
    """Order the repetitions in randomised blocks: each block holds every stack once, in an order of its own.

    Slow drift of the machine then falls on all stacks alike.
    """
    generator = random.Random(seed)  # noqa: S311 - an order to be repeated, not a secret
    steps: list[Step] = []
    for repetition in range(repetitions):
        block = list(stacks)
        generator.shuffle(block)
        steps += [Step(stack, repetition) for stack in block]
    return tuple(steps)


def make_plan(stacks: tuple[str, ...], repetitions: int, cycles: Cycles, durations: Durations, seed: int) -> Plan:
    """Check the request and order it.

    Raises:
        UsageError: A number is out of range, a stack is named twice, or several stacks are asked for without
            a cycle (exactly one experiment may run while it is measured, so the others must be parked).
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
    if len(stacks) > 1 and cycles == "none":
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
    ):
        if not least <= value <= 86_400:
            raise UsageError(
                f"{option} is {value:g}; it must be from {least:g} to 86400 seconds.",
                next_step=f"give {option} a value in that range",
            )
    return Plan(stacks, repetitions, cycles, durations, seed, interleave(stacks, repetitions, seed))
