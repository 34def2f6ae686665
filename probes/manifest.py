"""The manifest of a record as a typed model: what a record must hold to be read at all.

Strict about types; a key that this version does not know is left alone, because a later program of the same schema
may say more. What earlier records of schema 1 lack has a default here, with its meaning. docs/manifest.schema.json is
the same as a JSON Schema.
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from probes.errors import RecordInvalid, SchemaTooNew
from probes.integrity import SCHEMA

UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""For each older schema the function that makes a document of the next one of it; there is only schema 1 so far."""

TableFile = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.parquet$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
State = Literal["complete", "invalid", "failed", "aborted"]
Role = Literal["cell", "control", "trial", "summary"]


class Entry(BaseModel):
    """Base of every object of the manifest."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, populate_by_name=True)


class Part(Entry):
    """A table of the record."""

    name: TableFile = Field(description="File name beside the manifest.")
    bytes: int = Field(ge=0, description="Size.")
    sha256: Sha256 = Field(description="Digest of the content.")


class Measured(Entry):
    """A metric with a value."""

    value: float = Field(description="Value of the run, in its unit.")
    unit: str = Field(description="Base unit; 1 for ratios and counts.")
    interval: tuple[float, float] | None = Field(description="Of the mean over repetitions; null below three.")
    confidence: float = Field(description="Confidence of the interval.")
    method: str | None = Field(
        default=None,
        description="How the interval was computed: student_t, or student_t_or_bca (at each end the wider of Student's "
        "t and the BCa bootstrap). Absent beside an interval: plain BCa, of the first records.",
    )
    n: int = Field(ge=1, description="Repetitions with a value.")
    source: str | None = Field(default=None, description="Where the value came from, where that varies.")
    resolution: float | None = Field(default=None, description="Coarsest resolution among its sources.")
    missing: None = Field(default=None, description="Never beside a value.")


class Missing(Entry):
    """A metric without a value."""

    missing: str = Field(min_length=1, description="Why there is no value.")
    value: None = Field(default=None, description="Never beside a reason.")


class Cell(Entry):
    """Place of the run in a campaign."""

    campaign: str = Field(description="Identifier that all records of the campaign share.")
    name: str = Field(description="Stack and levels, for people; the same in every repetition.")
    repetition: int = Field(description="Block of the order.")
    role: Role = Field(description="Measurement, second half of an A/A pair, step of a search, or what followed.")
    levels: dict[str, Any] = Field(description="Level of each factor.")


class Git(Entry):
    """Commit of the program that measured."""

    revision: str | None = Field(description="Commit; null without a repository.")
    is_dirty: bool | None = Field(description="Whether tracked files differed from it.")


class Machine(Entry):
    """A Kubernetes node, as its status reports it."""

    name: str = Field(description="Name in the cluster.")
    boot_id: str = Field(description="Boot of its kernel: equal ones share a kernel and a clock.")
    kernel: str = Field(description="Kernel version.")
    os_image: str = Field(description="Operating system.")
    architecture: str = Field(description="Architecture, as Go names it.")
    container_runtime: str = Field(description="Container runtime and version.")
    kubelet: str = Field(description="Version of the kubelet.")
    allocatable: dict[str, str] = Field(description="What pods may have, as Kubernetes quantities.")
    is_ready: bool = Field(description="Whether it was ready when the run began.")


class Plan(Entry):
    """What was asked for; searches and other derived records say more here."""

    repetitions: int = Field(ge=0, description="Repetitions planned; 0 for a record that only sums up others.")
    cycles: str = Field(description="What each repetition deploys: none, install or update.")
    seed: int = Field(description="Seed of the order and of every bootstrap.")
    durations: dict[str, float] = Field(description="Lengths of the phases of a repetition, in seconds.")
    fault: dict[str, Any] | None = Field(default=None, description="Fault on the network in every window.")


class Finding(Entry):
    """A precondition that was not as it should be."""

    check: str = Field(description="Code of the check.")
    severity: str = Field(description="warning: blocking ones end the command.")
    message: str = Field(description="Sentence.")
    next_step: str = Field(description="What to do about it.")


class Gate(Entry):
    """A verdict on one repetition."""

    name: str = Field(description="Code of the gate.")
    passed: bool = Field(description="Whether the repetition may be used.")
    watched: bool = Field(
        default=True, description="False where nobody could see what the gate is about; it has passed nevertheless."
    )
    detail: str = Field(description="Sentence with the numbers.")
    repetition: int = Field(ge=0, description="Number of the repetition.")


class Repetition(Entry):
    """Facts of one repetition; null where the record's version or the cycle has none."""

    repetition: int = Field(ge=0, description="Number of the repetition.")
    window: dict[str, Any] | None = Field(default=None, description="start_ns and end_ns in the recorder's clock.")
    deployment: dict[str, Any] | None = Field(default=None, description="Times of the deployment, if one was made.")
    clock: dict[str, Any] | None = Field(default=None, description="Relation of runner's and recorder's clock.")
    capture: dict[str, Any] | None = Field(default=None, description="What the recorder took, and what it cost.")
    load_average: dict[str, Any] | None = Field(default=None, description="Of the runner's machine, before and after.")
    regime: dict[str, Any] | None = Field(default=None, description="What was there, what was pulled, why unproven.")
    readers: dict[str, Any] | None = Field(default=None, description="By machine: what its reader captured.")
    updates: list[dict[str, Any]] | None = Field(default=None, description="Updates after the window.")
    faults: list[dict[str, Any]] | None = Field(default=None, description="Faults injected, and whether verified.")
    recommendations: dict[str, Any] | None = Field(
        default=None, description="What each container asks for and should; null where the stack does not want to know."
    )


class RatioOfArms(Entry):
    """A/A control of one metric."""

    median_ratio: float = Field(description="Median of second over first, repetition by repetition.")
    interval: tuple[float, float] | None = Field(description="Of their geometric mean; null below three pairs.")
    confidence: float = Field(description="Confidence of the interval.")
    n: int = Field(ge=1, description="Pairs.")


class NoiseFloor(Entry):
    """What the A/A control of the campaign says."""

    stack: str = Field(description="Stack that was measured twice.")
    arms: list[str] = Field(description="Names of the two arms.")
    ratios: dict[str, RatioOfArms] = Field(description="By metric key.")


class Manifest(Entry):
    """`manifest.json` of a record."""

    version: Literal[1] = Field(alias="schema", description="Version of the record's schema.")
    run_id: str = Field(min_length=1, description="Identifier of the run: UUID version 7.")
    campaign: str = Field(description="Identifier that the runs of one command share.")
    cell: Cell | None = Field(default=None, description="Place in a campaign, search or endurance run.")
    created_at: AwareDatetime = Field(description="When the run began, UTC.")
    stack: str = Field(description="Stack that was measured.")
    pattern: str = Field(description="Its pattern; none for a stack without one.")
    arm: str | None = Field(default=None, description="Arm of an A/A control.")
    platform: str | None = Field(default=None, description="Stack whose machine readers were asked.")
    state: State = Field(description="How the run ended.")
    reason: str | None = Field(description="Why it is not complete.")
    spec: dict[str, Any] = Field(description="The stack's spec with its defaults, as YAML would hold it.")
    outputs: dict[str, Any] = Field(description="The stack's contract (docs/contracts.md, section 4).")
    images: dict[str, str] = Field(description="Image of each pod, by digest.")
    git: Git = Field(description="Program that measured.")
    machines: list[Machine] = Field(description="All machines of the cluster.")
    operator: dict[str, Any] = Field(description="Machine and versions of the runner.")
    plan: Plan = Field(description="What was asked for.")
    thresholds: dict[str, float] = Field(description="Limits of the gates.")
    findings: list[Finding] = Field(description="Preconditions that were not as they should be.")
    cycle_regime: str | None = Field(description="What was on the machines before an install; null without one.")
    repetitions_done: int = Field(ge=0, description="Repetitions that came to their end.")
    repetitions: list[Repetition] = Field(description="Facts of each.")
    gates: list[Gate] = Field(description="Verdicts on each.")
    metrics: dict[str, Measured | Missing] = Field(description="By key: name{label=value,…}.")
    parts: list[Part] = Field(description="Every table of the record.")
    damaged: list[str] | None = Field(default=None, description="Files of the run that were not what was written.")
    noise_floor: NoiseFloor | None = Field(default=None, description="A/A control of the campaign, if it had one.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.state == "complete") != (self.reason is None):
            raise ValueError(f"state is {self.state} with reason {self.reason}")
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise ValueError(f"parts names a table twice: {', '.join(names)}")
        return self


def parse_manifest(payload: bytes, address: str) -> Manifest:
    """Read a manifest.

    Args:
        payload: Its bytes.
        address: Where it was read, for the error.

    Raises:
        SchemaTooNew: A later version of the program wrote it.
        RecordInvalid: It is none.
    """
    try:
        # The common case in one pass; what fails is looked at again for a better sentence.
        return Manifest.model_validate_json(payload)
    except ValidationError as error:
        problem = error
    document = _document(payload, address)
    version = document.get("schema")
    if isinstance(version, int) and version > SCHEMA:
        raise too_new(address, version)
    if isinstance(version, int) and version in UPGRADES:
        return parse_manifest(json.dumps(_upgraded(document, version)).encode(), address)
    raise _invalid(address, problem)


def read_document(payload: bytes, address: str) -> dict[str, Any]:
    """Read a manifest as plain JSON values, checked, of the present schema, with every top-level key there.

    Raises:
        SchemaTooNew: A later version of the program wrote it.
        RecordInvalid: It is none.
    """
    parse_manifest(payload, address)
    document = _document(payload, address)
    return {**OPTIONAL, **_upgraded(document, document["schema"])}


def too_new(address: str, version: int) -> SchemaTooNew:
    """Say that a record was written by a later version of the program."""
    return SchemaTooNew(
        f"{address} is of schema {version}; this version of the program reads up to schema {SCHEMA}.",
        next_step="update the program (git pull, then make setup), or leave the run out",
    )


def _upgraded(document: dict[str, Any], version: int) -> dict[str, Any]:
    while version in UPGRADES:
        document = UPGRADES[version](document)
        version += 1
    return document


def _document(payload: bytes, address: str) -> dict[str, Any]:
    try:
        document: object = json.loads(payload)
    except ValueError as error:
        raise RecordInvalid(
            f"{address} is no JSON: {error}.", next_step="python -m probes.verify says what else is wrong with it"
        ) from None
    if not isinstance(document, dict):
        raise RecordInvalid(
            f"{address} holds no JSON object.", next_step="python -m probes.verify says what else is wrong with it"
        )
    return document


def _invalid(address: str, error: ValidationError) -> RecordInvalid:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(step) for step in first["loc"]) or "the manifest"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return RecordInvalid(
        f"{address} is no manifest of schema {SCHEMA}: {key}: {first['msg']}{more}.",
        next_step="python -m probes.verify says what else is wrong with it",
    )


OPTIONAL: Mapping[str, Any] = {
    field.alias or name: field.default for name, field in Manifest.model_fields.items() if not field.is_required()
}
"""What earlier records of schema 1 do not say, and what that means."""
