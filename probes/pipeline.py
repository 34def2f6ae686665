"""`python -m probes.pipeline`: keeps how long the stages of a commit took (T_CI).

`stage` is what `make` calls at the end of a target when ROS2BENCH_PIPELINE names a file; `fetch` asks GitHub, GitLab or
Jenkins for the jobs of a run that has ended. Tokens come from the environment, never from the command line.
"""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx
import typer

from probes.errors import ProbeError, TargetError, UsageError
from probes.pipeline_answers import Provider, jobs_of
from probes.pipeline_record import VARIABLE, PipelineRecord, append_job, noted, write_record
from probes.pipeline_stages import Job
from probes.provenance import PROJECT_ROOT

TIMEOUT_S = 30.0
PAGE = 100
MOST_PAGES = 50
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ADDRESSES: Mapping[Provider, str] = {"github": "https://api.github.com", "gitlab": "https://gitlab.com"}
TOKENS: Mapping[Provider, str] = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN", "jenkins": "JENKINS_TOKEN"}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__)


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="Name of the job, for example the target of make.")],
    began_ns: Annotated[int, typer.Option(help="Start, in nanoseconds since the Unix epoch: date +%s%N.")],
    ended_ns: Annotated[int | None, typer.Option(help="End, likewise. Default: now.")] = None,
    code: Annotated[int, typer.Option(help="Exit code of the job.")] = 0,
    pattern: Annotated[str | None, typer.Option(help="Pattern that it was for. Default: all.")] = None,
) -> None:
    """Note in $ROS2BENCH_PIPELINE that a job has just ended."""
    _showing(
        lambda: note_stage(
            Job(name, began_ns, ended_ns or time.time_ns(), "failure" if code else "success", pattern=pattern)
        )
    )


@app.command()
def fetch(
    provider: Annotated[Literal["github", "gitlab", "jenkins"], typer.Argument(help="Who ran the pipeline.")],
    project: Annotated[str, typer.Option(help="OWNER/NAME, group/name or its number, or the job's path in Jenkins.")],
    run: Annotated[str, typer.Option(help="Number of the workflow run, pipeline or build.")],
    commit: Annotated[str, typer.Option(help="Commit that it ran for, all 40 digits.")],
    address: Annotated[str | None, typer.Option(help="Address of the service. Default: the public one.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write. Default: $ROS2BENCH_PIPELINE.")] = None,
) -> None:
    """Ask a CI service for the jobs of a run and keep them.

    Reads $GITHUB_TOKEN, $GITLAB_TOKEN, or $JENKINS_USER and $JENKINS_TOKEN; without one it asks as anybody.
    """

    def work() -> None:
        path = output or _named_file()
        with httpx.Client(timeout=TIMEOUT_S, auth=authorisation(provider, os.environ)) as client:
            answer = ask(client, provider, address or _default_address(provider), project, run)
        write_record(path, record_of(provider, commit, answer))
        typer.echo(f"wrote {path}")

    _showing(work)


def note_stage(job: Job) -> None:
    """Add a job that has ended.

    Raises:
        UsageError: The file cannot be written, or the commit is unknown.
    """
    if not 0 < job.started_ns <= job.ended_ns <= time.time_ns():
        raise UsageError(
            f"--began-ns is {job.started_ns} and --ended-ns {job.ended_ns}: not one after the other and before now.",
            next_step="--began-ns $(date +%s%N), taken before the job",
        )
    append_job(_named_file(), _commit(), "make", job)


def record_of(provider: Provider, commit: str, answer: object) -> PipelineRecord:
    """Turn an answer into the file's content.

    Raises:
        TargetError: The answer is not what the service's documentation says.
    """
    try:
        jobs = jobs_of(provider, answer)
    except ValueError as error:
        raise TargetError(
            f"The answer of {provider} cannot be read: {error}.",
            next_step="check --project and --run",
            reason="pipeline_answer_unknown",
        ) from None
    return PipelineRecord(commit=commit, source=provider, jobs=[noted(job) for job in jobs])


def authorisation(provider: Provider, environment: Mapping[str, str]) -> httpx.Auth | None:
    """Give what proves who asks, from the environment; None asks as anybody."""
    token = environment.get(TOKENS[provider])
    if not token:
        return None
    if provider == "jenkins":
        return httpx.BasicAuth(environment.get("JENKINS_USER", ""), token)
    return BearerAuth(token)


class BearerAuth(httpx.Auth):
    """A token in the header that both GitHub and GitLab read."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def ask(client: httpx.Client, provider: Provider, address: str, project: str, run: str) -> object:
    """Fetch all jobs of a run, page by page.

    Raises:
        UsageError: The run is no number, or the address would show the token to others.
        TargetError: The service cannot be reached or refuses.
    """
    where = httpx.URL(address)
    if where.scheme != "https" and where.host not in LOOPBACK:
        raise UsageError(
            f"--address is {address!r}: a token goes over https only, or stays on this machine.",
            next_step="--address https://…",
        )
    if not run.isdigit():
        raise UsageError(f"--run is {run!r}; the number of a run is expected.", next_step="--run 123")
    base = address.rstrip("/")
    match provider:
        case "github":
            return _github(client, f"{base}/repos/{quote(project)}/actions/runs/{run}/jobs")
        case "gitlab":
            place = f"{base}/api/v4/projects/{quote(project, safe='')}/pipelines/{run}/jobs"
            pages = [page for page, _ in _pages(client, place)]
            return [job for page in pages for job in page]
        case "jenkins":
            path = "".join(f"/job/{quote(part)}" for part in project.strip("/").split("/"))
            return _get(client, f"{base}{path}/{run}/wfapi/describe", {}).json()


def _github(client: httpx.Client, place: str) -> object:
    jobs: list[Any] = []
    total = 0
    for page, size in _pages(client, place, key="jobs"):
        jobs += page
        total = size
        if len(jobs) >= total:
            break
    return {"total_count": total, "jobs": jobs}


def _pages(client: httpx.Client, place: str, key: str | None = None) -> Any:
    """Give each page's jobs and, where the service says so, how many there are in all."""
    for number in range(1, MOST_PAGES + 1):
        answer = _get(client, place, {"per_page": PAGE, "page": number})
        content = answer.json()
        jobs = content.get(key, []) if key and isinstance(content, dict) else content
        yield jobs, content.get("total_count", 0) if key and isinstance(content, dict) else len(jobs)
        if len(jobs) < PAGE:
            return


def _get(client: httpx.Client, place: str, parameters: Mapping[str, int]) -> httpx.Response:
    try:
        answer = client.get(place, params=dict(parameters), headers={"Accept": "application/json"})
    except httpx.TransportError as error:
        raise TargetError(
            f"{place} cannot be reached: {error or type(error).__name__}.",
            next_step="check --address",
            reason="ci_unreachable",
        ) from None
    if answer.is_error:
        tokens = ", ".join(sorted(TOKENS.values()))
        raise TargetError(
            f"{place} answered {answer.status_code}.",
            next_step=f"check --project and --run, and the token in the environment ({tokens})",
            reason="ci_refused",
        )
    return answer


def _default_address(provider: Provider) -> str:
    if provider not in ADDRESSES:
        raise UsageError(
            "--address is needed: every Jenkins has its own.", next_step="--address https://ci.example.org"
        )
    return ADDRESSES[provider]


def _named_file() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        raise UsageError(f"{VARIABLE} names no file.", next_step=f"export {VARIABLE}=$PWD/pipeline.json")
    return Path(named)


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(PROJECT_ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UsageError(f"git does not tell the commit: {done.stderr.strip()}.", next_step="run it in a checkout")
    return done.stdout.strip()


def _showing(work: Any) -> None:
    try:
        work()
    except ProbeError as problem:
        # `make` calls this after every target: what the screen of a run imports would cost it a second each time.
        typer.echo(f"error  {problem.message}\nnext   {problem.next_step}", err=True)
        raise typer.Exit(problem.exit_code) from None


if __name__ == "__main__":
    app()
