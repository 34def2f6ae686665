"""A campaign's plan file, and what follows from it: its cells, their order, and what each changes in the spec. Pure."""

import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from probes.cell import Cell, Role
from probes.errors import UsageError
from probes.fault_order import fault_order
from probes.plan import Durations
from stacks.override import merged

Option = Literal["cycles", "regime", "fault", "platform"]
Design = Literal["full", "sensitivity"]
Scalar = bool | int | float | str | None
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$", max_length=40)]
DEFAULTS = Durations()
MOST_VISITS = 10_000


class Section(BaseModel):
    """Base of every section: strict, immutable, camelCase, unknown keys refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, validate_by_name=True, allow_inf_nan=False
    )


class Sweep(Section):
    """Levels at equal distances, ends included."""

    first: float = Field(alias="from", description="First level.")
    to: float = Field(description="Last level.")
    count: int = Field(ge=2, le=100, description="How many levels.")
    scale: Literal["linear", "log"] = Field(default="linear", description="Equal differences, or equal ratios.")

    @model_validator(mode="after")
    def _has_a_span(self) -> Self:
        if self.first == self.to:
            raise ValueError("from and to are the same")
        if self.scale == "log" and (self.first <= 0 or self.to <= 0):
            raise ValueError("a log scale needs from and to greater than 0")
        return self

    def levels(self) -> list[int | float]:
        """Give the levels, rounded to six digits; whole ones as such, because some keys take nothing else."""
        steps = [position / (self.count - 1) for position in range(self.count)]
        if self.scale == "log":
            ratio = math.log(self.to / self.first)
            found = [self.first * math.exp(step * ratio) for step in steps]
        else:
            found = [self.first + step * (self.to - self.first) for step in steps]
        rounded = [float(f"{level:.6g}") for level in found]
        return [int(level) if level.is_integer() else level for level in rounded]


class Factor(Section):
    """One thing that varies: a key of the spec, or an option of the runner."""

    spec: str | None = Field(
        default=None, pattern=r"^[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9_-]+)*$", description="Key of ros2bench:spec."
    )
    option: Option | None = Field(default=None, description="Option of the runner.")
    levels: list[Scalar] | dict[str, Any] | None = Field(
        default=None, description="Values, or names with the value of each. The first one is the baseline."
    )
    sweep: Sweep | None = Field(default=None, description="Instead of levels.")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.spec is None) == (self.option is None):
            raise ValueError("exactly one of spec and option says what varies")
        if (self.levels is None) == (self.sweep is None):
            raise ValueError("exactly one of levels and sweep says how")
        if len(self.named()) < 2 or (isinstance(self.levels, list) and len(self.named()) < len(self.levels)):
            raise ValueError("two or more different levels are needed, or nothing varies")
        return self

    def named(self) -> dict[str, Any]:
        """Give the values of the levels by their names, in their order."""
        if isinstance(self.levels, dict):
            return self.levels
        values: Sequence[Any] = self.sweep.levels() if self.sweep else self.levels or []
        return {_name(value): value for value in values}


class Phases(Section):
    """Lengths of the phases of a repetition, in seconds."""

    warmup_s: float = Field(default=DEFAULTS.warmup_s, ge=0, le=86_400, description="Wait before the window.")
    window_s: float = Field(default=DEFAULTS.window_s, ge=0.1, le=86_400, description="The measured window.")
    drain_s: float = Field(default=DEFAULTS.drain_s, ge=0, le=3600, description="Wait for late results.")
    cool_down_s: float = Field(default=DEFAULTS.cool_down_s, ge=0, le=86_400, description="Wait after a repetition.")
    ready_timeout_s: float = Field(default=DEFAULTS.ready_timeout_s, ge=0.1, le=86_400, description="Longest start.")


class PlanFile(Section):
    """Everything that a plan file may say."""

    campaign: Name = Field(description="Name of the campaign.")
    stacks: list[Name] = Field(min_length=1, description="Stacks, each of them a level of the factor `stack`.")
    repetitions: int = Field(default=5, ge=1, le=1000, description="Visits of each cell; 3 or more give an interval.")
    seed: int = Field(default=1, description="Seed of the order and of the intervals.")
    cycles: Literal["install", "update"] = Field(default="install", description="What a visit does to its stack.")
    design: Design = Field(
        default="full",
        description="`full`: every combination of levels. `sensitivity`: the baseline, and each other level alone.",
    )
    durations: Phases = Field(default_factory=Phases, description="Lengths of the phases.")
    settings: dict[str, Any] = Field(default_factory=dict[str, Any], description="Keys of the spec, the same for all.")
    factors: dict[Name, Factor] = Field(default_factory=dict[str, Factor], description="What varies.")
    platform: str | None = Field(default=None, description="Stack whose machine readers are asked.")
    store: str | None = Field(default=None, description="Where records go. None: the stacks' records setting.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if len(set(self.stacks)) != len(self.stacks):
            raise ValueError("a stack is named twice")
        if "stack" in self.factors:
            raise ValueError("the factor `stack` is the list of stacks")
        if (planned := visit_count(self)) > MOST_VISITS:
            raise ValueError(f"{planned} visits are planned; at most {MOST_VISITS} are done in one campaign")
        return self


@dataclass(frozen=True)
class Place:
    """A cell of the plan before it is repeated."""

    stack: str
    role: Role
    levels: Mapping[str, Any]
    names: Mapping[str, str]

    @property
    def name(self) -> str:
        """Stack and names of the levels."""
        return ", ".join([self.stack, *(f"{factor}={level}" for factor, level in self.names.items())])


@dataclass(frozen=True)
class Visit:
    """One repetition of one cell: what differs from every other, and its place in the record.

    Args:
        stack: The stack.
        cell: Its place.
        spec: Keys of the spec to override.
        options: Options of the runner.
    """

    stack: str
    cell: Cell
    spec: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells this visit apart in its campaign."""
        return self.cell.name, self.cell.role, self.cell.repetition


def read_plan(path: Path) -> PlanFile:
    """Read a plan file.

    Raises:
        UsageError: It cannot be read, or a key is wrong.
    """
    hint = "docs/campaigns.md lists every key"
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        plan = PlanFile.model_validate_json(json.dumps(document), by_alias=True, by_name=False)
    except pydantic.ValidationError as error:
        faults = [f"{_where(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise UsageError(f"{path}: {'; '.join(faults)}.", next_step=hint) from None
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", next_step=hint) from None
    try:
        for factor in plan.factors.values():
            for level in factor.named().values() if factor.option == "fault" else ():
                fault_order(level)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", next_step=error.next_step) from None
    return plan


def identifier(plan: PlanFile) -> str:
    """Identify a campaign by its name and everything that its plan says, so that the same plan goes on."""
    content = json.dumps(plan.model_dump(mode="json", by_alias=True), sort_keys=True)
    return f"{plan.campaign}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def visit_count(plan: PlanFile) -> int:
    """Count the visits without making them: a plan with a slip may ask for millions."""
    levels = [len(factor.named()) for factor in plan.factors.values()]
    combinations = math.prod(levels) if plan.design == "full" else 1 + sum(levels) - len(levels)
    return len(plan.stacks) * (combinations + 1) * plan.repetitions


def cells(plan: PlanFile) -> tuple[Place, ...]:
    """Give every cell; for each stack its baseline comes twice, which is the A/A control."""
    named = {factor: definition.named() for factor, definition in plan.factors.items()}
    found: list[Place] = []
    for stack in plan.stacks:
        for position, names in enumerate(_combinations(plan.design, named)):
            levels = {factor: named[factor][name] for factor, name in names.items()}
            found.append(Place(stack, "cell", levels, names))
            if position == 0:
                found.append(Place(stack, "control", levels, names))
    return tuple(found)


def visits(plan: PlanFile, campaign: str) -> tuple[Visit, ...]:
    """Order all visits in randomised blocks: each holds every cell once, so that slow drift falls on all alike."""
    generator = random.Random(plan.seed)  # noqa: S311 - an order to be repeated, not a secret
    ordered: list[Visit] = []
    for repetition in range(plan.repetitions):
        block = list(cells(plan))
        generator.shuffle(block)
        ordered += [_visit(plan, place, campaign, repetition) for place in block]
    return tuple(ordered)


def nested(key: str, value: Any) -> dict[str, Any]:
    """Give the mapping that has a value at a dotted key."""
    head, _, rest = key.partition(".")
    return {head: nested(rest, value) if rest else value}


def _visit(plan: PlanFile, place: Place, campaign: str, repetition: int) -> Visit:
    spec: dict[str, Any] = dict(plan.settings)
    options: dict[str, Any] = {}
    for factor, value in place.levels.items():
        definition = plan.factors[factor]
        if definition.spec is not None:
            spec = merged(spec, nested(definition.spec, value))
        if definition.option is not None:
            options[definition.option] = value
    return Visit(place.stack, Cell(campaign, place.name, repetition, place.role, place.levels), spec, options)


def _combinations(design: Design, named: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Give the names of the levels of each cell, the baseline first."""
    if design == "full":
        for combination in itertools.product(*named.values()):
            yield dict(zip(named, combination, strict=True))
        return
    baseline = {factor: next(iter(levels)) for factor, levels in named.items()}
    yield baseline
    for factor, levels in named.items():
        for name in list(levels)[1:]:
            yield baseline | {factor: name}


def _name(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _where(location: Sequence[Any]) -> str:
    return ".".join(str(part) for part in cast("Sequence[object]", location)) or "the whole"
