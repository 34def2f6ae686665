"""Pure: from the jobs of any pipeline to how long each stage of one commit took.

A stage's time is the time during which at least one of its jobs ran: jobs beside one another count once, waiting for a
free machine does not count.
"""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Stage = Literal["build", "test", "image", "deploy"]
STAGES: tuple[Stage, ...] = ("build", "test", "image", "deploy")
Outcome = Literal["success", "failure", "unfinished"]
STAGE_FAILED = "stage_failed"
STAGE_UNFINISHED = "stage_unfinished"
NO_SUCH_STAGE = "no_such_stage"

Mapped = Mapping[Stage, Sequence[str]]
DEFAULT_MAPPING: Mapped = {
    "build": ("build*", "compile*", "setup*"),
    "test": (
        "test",
        "tests",
        "test-unit*",
        "test-stores*",
        "test-browser*",
        "test-cluster*",
        "unit*",
        "check*",
        "lint*",
    ),
    "image": ("image*", "test-images", "docker*", "package*", "publish*"),
    "deploy": ("deploy*", "release*", "demo"),
}
"""Which names of jobs mean which stage: shell patterns, in which capitals do not count; the first one that fits."""


@dataclass(frozen=True)
class Job:
    """One job, or one step, of a pipeline; times are nanoseconds since the Unix epoch, 0 where it did not run.

    `stage` is what the pipeline itself calls its stage, where it has any. `pattern` says which pattern it was for; none
    for all.
    """

    name: str
    started_ns: int
    ended_ns: int
    outcome: Outcome
    stage: str = ""
    pattern: str | None = None


@dataclass(frozen=True)
class StageTime:
    """How long a stage took, or the reason why that is not known."""

    stage: Stage
    seconds: float | None
    missing: str | None


def stage_times(jobs: Iterable[Job], mapping: Mapped, pattern: str | None) -> tuple[StageTime, ...]:
    """Give every stage of a commit, for one pattern.

    Args:
        jobs: All jobs of the commit's pipeline.
        mapping: Names of jobs by stage.
        pattern: Jobs for another pattern do not count.
    """
    own = [job for job in jobs if job.pattern in {None, pattern}]
    return tuple(_time(stage, [job for job in own if stage_of(job, mapping) == stage]) for stage in STAGES)


def stage_of(job: Job, mapping: Mapped) -> Stage | None:
    """Give the stage that a job belongs to: by its own name, else by the pipeline's name of its stage."""
    for name in (job.name, job.stage):
        for stage in STAGES:
            if any(fnmatch.fnmatch(name.lower(), wanted.lower()) for wanted in mapping.get(stage, ())):
                return stage
    return None


def covered_ns(spans: Iterable[tuple[int, int]]) -> int:
    """Give the time that spans cover together, overlaps once."""
    total, until = 0, 0
    for start_ns, end_ns in sorted(spans):
        total += max(0, end_ns - max(start_ns, until))
        until = max(until, end_ns)
    return total


def _time(stage: Stage, jobs: Sequence[Job]) -> StageTime:
    if not jobs:
        return StageTime(stage, None, NO_SUCH_STAGE)
    if any(job.outcome == "failure" for job in jobs):
        return StageTime(stage, None, STAGE_FAILED)
    if any(job.outcome == "unfinished" for job in jobs):
        return StageTime(stage, None, STAGE_UNFINISHED)
    return StageTime(stage, covered_ns((job.started_ns, job.ended_ns) for job in jobs) / 1e9, None)
