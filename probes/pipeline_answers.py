"""Pure: what the APIs of GitHub Actions, GitLab and Jenkins answer, as jobs.

github   GET /repos/OWNER/NAME/actions/runs/ID/jobs
gitlab   GET /projects/ID/pipelines/ID/jobs
jenkins  GET /job/NAME/NUMBER/wfapi/describe (Pipeline: Stage View, or Pipeline: REST API)
"""

from datetime import UTC, datetime
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from probes.pipeline_stages import Job, Outcome

Provider = Literal["github", "gitlab", "jenkins"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SKIPPED = frozenset({"skipped", "neutral", "manual", "created", "NOT_EXECUTED"})
SUCCESSES = frozenset({"success", "SUCCESS"})
RUNNING = frozenset(
    {"queued", "in_progress", "waiting", "requested", "pending", "running", "preparing", "scheduled", "IN_PROGRESS",
     "PAUSED_PENDING_INPUT"}
)  # fmt: skip


class Answer(BaseModel):
    """Base of the answers: frozen; keys that are not needed here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class GithubJob(Answer):
    """A job of a workflow run."""

    name: str
    status: str
    conclusion: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


class GithubJobs(Answer):
    """All jobs of a workflow run; more than a page has are not in `jobs`."""

    total_count: int
    jobs: list[GithubJob]


class GitlabJob(Answer):
    """A job of a pipeline."""

    name: str
    stage: str
    status: str
    allow_failure: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None


class JenkinsStage(Answer):
    """A stage of a build."""

    name: str
    status: str
    started_ms: int = Field(alias="startTimeMillis")
    duration_ms: int = Field(alias="durationMillis")
    pause_ms: int = Field(default=0, alias="pauseDurationMillis")


class JenkinsBuild(Answer):
    """A build of a pipeline project."""

    stages: list[JenkinsStage]


def jobs_of(provider: Provider, answer: object) -> tuple[Job, ...]:
    """Read the jobs of an answer; what was skipped is no job.

    Raises:
        ValueError: The answer is not of this API, or holds a part of the jobs only.
    """
    match provider:
        case "github":
            return _github(GithubJobs.model_validate(answer))
        case "gitlab":
            if not isinstance(answer, list):
                raise ValueError("GitLab answers with a list of jobs")  # noqa: TRY004 - the answer is wrong
            jobs = [GitlabJob.model_validate(item) for item in cast("list[Any]", answer)]
            return tuple(
                Job(
                    job.name,
                    _ns(job.started_at),
                    _ns(job.finished_at),
                    _outcome(job.status, may_fail=job.allow_failure),
                    job.stage,
                )
                for job in jobs
                if job.status not in SKIPPED
            )
        case "jenkins":
            return tuple(
                Job(
                    stage.name,
                    stage.started_ms * 10**6,
                    (stage.started_ms + stage.duration_ms - stage.pause_ms) * 10**6,
                    _outcome(stage.status),
                    stage.name,
                )
                for stage in JenkinsBuild.model_validate(answer).stages
                if stage.status not in SKIPPED
            )


def _github(answer: GithubJobs) -> tuple[Job, ...]:
    if answer.total_count != len(answer.jobs):
        raise ValueError(f"{len(answer.jobs)} of {answer.total_count} jobs: the answer is one page of several")
    return tuple(
        Job(job.name, _ns(job.started_at), _ns(job.completed_at), _outcome(job.conclusion or job.status))
        for job in answer.jobs
        if (job.conclusion or job.status) not in SKIPPED
    )


def _outcome(status: str, *, may_fail: bool = False) -> Outcome:
    if status in SUCCESSES or (may_fail and status == "failed"):
        return "success"
    return "unfinished" if status in RUNNING else "failure"


def _ns(at: datetime | None) -> int:
    """Give nanoseconds since the Unix epoch, exactly; 0 where there is no time."""
    if at is None:
        return 0
    since = at - EPOCH
    return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000
