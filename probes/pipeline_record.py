"""The file in which a pipeline notes how long its jobs took: written by `make`, or fetched from a CI service."""

import fcntl
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field

from probes.errors import UsageError
from probes.pipeline_stages import DEFAULT_MAPPING, STAGES, Job, Mapped, Outcome

VARIABLE = "ROS2BENCH_PIPELINE"
STAGES_VARIABLE = "ROS2BENCH_PIPELINE_STAGES"


class Strict(BaseModel):
    """Base of the file's parts: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NotedJob(Strict):
    """One job."""

    name: str = Field(description="As the pipeline calls it.")
    stage: str = Field(default="", description="As the pipeline calls its stage, where it has any.")
    started_ns: int = Field(description="Nanoseconds since the Unix epoch.")
    ended_ns: int = Field(description="The same.")
    outcome: Outcome = Field(description="success, failure or unfinished.")
    pattern: str | None = Field(default=None, description="Pattern that it was for; none for all.")

    def job(self) -> Job:
        """Give it as the computation takes it."""
        return Job(self.name, self.started_ns, self.ended_ns, self.outcome, self.stage, self.pattern)


class PipelineRecord(Strict):
    """The jobs of one commit."""

    contract: Literal[1] = 1
    commit: str = Field(description="The commit that the pipeline ran for.")
    source: str = Field(description="make, github, gitlab or jenkins.")
    jobs: list[NotedJob] = Field(description="In the order in which they ended or were answered.")


def noted(job: Job) -> NotedJob:
    """Give a job as the file holds it."""
    return NotedJob(
        name=job.name,
        stage=job.stage,
        started_ns=job.started_ns,
        ended_ns=job.ended_ns,
        outcome=job.outcome,
        pattern=job.pattern,
    )


def read_record(path: Path) -> PipelineRecord:
    """Read the file.

    Raises:
        UsageError: It cannot be read, or is none.
    """
    hint = f"{VARIABLE} names a file that make or python -m probes.pipeline wrote; docs/campaigns.md"
    try:
        return PipelineRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UsageError(f"{path} is no record of a pipeline: {where}: {first['msg']}.", next_step=hint) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", next_step=hint) from None


def write_record(path: Path, record: PipelineRecord) -> None:
    """Write the file in one move.

    Raises:
        UsageError: The place cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(record.model_dump(), indent=1) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", next_step=f"check {VARIABLE}") from None


def append_job(path: Path, commit: str, source: str, job: Job) -> None:
    """Add a job; of another commit nothing is kept. Safe beside other processes that do the same.

    Raises:
        UsageError: The file is none, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = path.with_name(f".{path.name}.lock").open("w")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", next_step=f"check {VARIABLE}") from None
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        before: Sequence[NotedJob] = ()
        if path.exists():
            known = read_record(path)
            before = known.jobs if known.commit == commit else ()
        write_record(path, PipelineRecord(commit=commit, source=source, jobs=[*before, noted(job)]))


def read_mapping(environment: Mapping[str, str]) -> Mapped:
    """Read which names of jobs mean which stage: the file that a variable names, else the default.

    Raises:
        UsageError: The file cannot be used.
    """
    named = environment.get(STAGES_VARIABLE)
    if not named:
        return DEFAULT_MAPPING
    hint = f"a mapping of {', '.join(STAGES)} to lists of patterns is expected; docs/campaigns.md"
    try:
        document: Any = yaml.safe_load(Path(named).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{STAGES_VARIABLE}: {named} cannot be read: {error}.", next_step=hint) from None
    if not isinstance(document, dict) or not document:
        raise UsageError(f"{STAGES_VARIABLE}: {named} is {document!r}.", next_step=hint)
    for stage, patterns in cast("dict[Any, Any]", document).items():
        if stage not in STAGES:
            raise UsageError(f"{STAGES_VARIABLE}: {named}: there is no stage {stage!r}.", next_step=hint)
        if not isinstance(patterns, list) or not all(isinstance(each, str) for each in cast("list[Any]", patterns)):
            raise UsageError(f"{STAGES_VARIABLE}: {named}: {stage} is {patterns!r}.", next_step=hint)
    return cast("Mapped", document)
