"""T_CI: how long build, test, image and deploy of the commit took, as its pipeline noted it."""

import os
from collections.abc import Mapping
from pathlib import Path

from probes.errors import UsageError
from probes.measurement import Measurement, RunContext
from probes.metrics import Metric
from probes.pipeline_record import VARIABLE, PipelineRecord, read_mapping, read_record
from probes.pipeline_stages import (
    NO_SUCH_STAGE,
    STAGE_FAILED,
    STAGE_UNFINISHED,
    STAGES,
    Mapped,
    StageTime,
    stage_times,
)
from probes.provenance import PROJECT_ROOT, read_commit
from probes.readings import Reading

NO_RECORD = "no_pipeline_record"
UNUSABLE = "pipeline_record_unusable"
ANOTHER_COMMIT = "pipeline_of_another_commit"
METRICS = (
    Metric(
        "pipeline_s",
        "T_CI",
        "s",
        "time during which at least one job of a stage ran, for the commit that is measured",
        source=f"the file that {VARIABLE} names: written by make, or fetched from GitHub, GitLab or Jenkins",
        resolution="make: 1 us; GitHub: 1 s; GitLab and Jenkins: 1 ms",
        error_bound="the clock of whoever ran the job; time in a queue is not part of it",
        missing={
            NO_RECORD: f"{VARIABLE} names no file",
            UNUSABLE: "the file or the mapping of stages cannot be used; the sentence is shown while the run goes on",
            ANOTHER_COMMIT: "the file is about another commit than the checkout that is measured",
            NO_SUCH_STAGE: "no job of the pipeline belongs to the stage",
            STAGE_FAILED: "a job of the stage failed, so its time is not that of the stage",
            STAGE_UNFINISHED: "a job of the stage was still running when the jobs were fetched",
        },
        labels={
            "stage=build": "compiling and installing",
            "stage=test": "checks and tests",
            "stage=image": "building, checking and pushing images",
            "stage=deploy": "deploying",
        },
    ),
)


class Measured(Measurement):
    """Reads the file once per run."""

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give every stage, or why it is not known."""
        try:
            record, mapping = find_record(os.environ)
        except UsageError as problem:
            context.note(f"Pipeline times are missing: {problem.message}")
            return _all(UNUSABLE)
        if record is None:
            return _all(NO_RECORD)
        if record.commit != read_commit(PROJECT_ROOT).revision:
            return _all(ANOTHER_COMMIT)
        jobs = [noted.job() for noted in record.jobs]
        return tuple(reading_of(time) for time in stage_times(jobs, mapping, context.outputs.pattern))


def find_record(environment: Mapping[str, str]) -> tuple[PipelineRecord | None, Mapped]:
    """Read the pipeline's file, None where none is named, and which names of jobs mean which stage.

    Raises:
        UsageError: A file cannot be used.
    """
    named = environment.get(VARIABLE)
    return (read_record(Path(named)) if named else None), read_mapping(environment)


def reading_of(time: StageTime) -> Reading:
    """Give the reading of a stage."""
    labels = {"stage": time.stage}
    if time.seconds is None:
        return Reading("pipeline_s", missing=time.missing, labels=labels)
    return Reading("pipeline_s", time.seconds, labels=labels)


def _all(reason: str) -> tuple[Reading, ...]:
    return tuple(Reading("pipeline_s", missing=reason, labels={"stage": stage}) for stage in STAGES)
