"""Stage times of a pipeline: from our own make, and from the answers of three CI services.

`answers/` holds answers in the shape that the services' documentation gives them.
"""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from probes import pipeline
from probes.errors import ExitCode, TargetError, UsageError
from probes.measurement import RunContext, undeclared
from probes.measurements.pipeline import Measured
from probes.pipeline import ask, authorisation, record_of
from probes.pipeline_answers import jobs_of
from probes.pipeline_record import PipelineRecord, append_job, noted, read_mapping, read_record, write_record
from probes.pipeline_stages import DEFAULT_MAPPING, Job, covered_ns, stage_of, stage_times
from probes.provenance import PROJECT_ROOT, read_commit
from tests.probes.standins import outputs_of

ANSWERS = Path(__file__).parent / "answers"
COMMIT = "f83a356604ae3c5d03e1b46ef4d1ca77d64a90b0"
SPANS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 50)).map(lambda span: (span[0], span[0] + span[1])))


def answer(provider: str) -> Any:
    return json.loads((ANSWERS / f"{provider}.json").read_text())


def times(jobs: Any, pattern: str | None = None) -> dict[str, float | str | None]:
    return {
        found.stage: found.missing if found.seconds is None else found.seconds
        for found in stage_times(jobs, DEFAULT_MAPPING, pattern)
    }


def conclude(**changes: Any) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    readings = asyncio.run(Measured().conclude(RunContext(outputs_of(**changes), (), (), said.append)))
    assert undeclared(Measured(), readings) == []
    return {r.labels["stage"]: r.missing if r.value is None else r.value for r in readings}, said


def test_github_jobs_beside_one_another_count_once_and_a_failed_stage_has_no_time() -> None:
    found = times(jobs_of("github", answer("github")))
    assert found == {"build": 120, "test": 180, "image": "stage_failed", "deploy": "no_such_stage"}


def test_gitlab_stages_are_found_by_their_own_names_and_jobs_may_fail() -> None:
    found = times(jobs_of("gitlab", answer("gitlab")))
    assert found["build"] == 90.5
    assert found["test"] == pytest.approx(0.192 + 0.173)
    assert found["image"] == "stage_unfinished"
    assert found["deploy"] == "no_such_stage"


def test_jenkins_stages_leave_out_the_time_they_were_paused() -> None:
    found = times(jobs_of("jenkins", answer("jenkins")))
    assert found == {"build": 30, "test": "stage_failed", "image": 20, "deploy": 7}


@pytest.mark.parametrize("provider", ["github", "gitlab", "jenkins"])
@pytest.mark.parametrize("content", [None, {}, [{}], {"jobs": 1}, "text", {"stages": [{"name": "x"}]}])
def test_an_answer_of_something_else_is_refused(provider: Any, content: Any) -> None:
    with pytest.raises(TargetError, match=f"The answer of {provider} cannot be read"):
        record_of(provider, COMMIT, content)


def test_one_page_of_several_is_not_taken_for_all() -> None:
    content = answer("github") | {"total_count": 6}
    with pytest.raises(ValueError, match="5 of 6 jobs"):
        jobs_of("github", content)


@given(SPANS)
def test_covered_time_counts_every_moment_once(spans: list[tuple[int, int]]) -> None:
    moments = {moment for start, end in spans for moment in range(start, end)}
    assert covered_ns(spans) == len(moments)


def test_names_mean_stages_by_configuration(tmp_path: Path) -> None:
    assert stage_of(Job("Test-Unit", 0, 1, "success"), DEFAULT_MAPPING) == "test"
    assert stage_of(Job("test-images", 0, 1, "success"), DEFAULT_MAPPING) == "image"
    assert stage_of(Job("clean", 0, 1, "success"), DEFAULT_MAPPING) is None
    file = tmp_path / "stages.yaml"
    file.write_text("build: [clean*]\n")
    mapping = read_mapping({"ROS2BENCH_PIPELINE_STAGES": str(file)})
    assert stage_of(Job("cleaning", 0, 1, "success"), mapping) == "build"
    assert stage_of(Job("test", 0, 1, "success"), mapping) is None


@pytest.mark.parametrize("content", ["building: [a]", "build: a", "build: [1]", "- a", "", "a: ["])
def test_a_wrong_mapping_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "stages.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"ROS2BENCH_PIPELINE_STAGES: .*stages\.yaml"):
        read_mapping({"ROS2BENCH_PIPELINE_STAGES": str(file)})


def test_a_job_for_one_pattern_counts_for_that_alone() -> None:
    jobs = [Job("deploy", 0, 10**9, "success", pattern="overlay"), Job("deploy", 0, 3 * 10**9, "success")]
    assert times(jobs, "monolithic")["deploy"] == 3
    assert times([jobs[0]], "monolithic")["deploy"] == "no_such_stage"
    assert times([jobs[0]], "overlay")["deploy"] == 1


def test_jobs_of_another_commit_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "below" / "pipeline.json"
    for commit, name in (("one", "a"), ("one", "b"), ("two", "c")):
        append_job(path, commit, "make", Job(name, 1, 2, "success"))
    assert [job.name for job in read_record(path).jobs] == ["c"]


def test_jobs_that_end_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    threads = [
        threading.Thread(target=append_job, args=(path, "one", "make", Job(str(number), 1, 2, "success")))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.name for job in read_record(path).jobs) == [str(number) for number in range(8)]


@pytest.mark.parametrize("content", ["", "{}", '{"contract": 2}', "[]"])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is no record of a pipeline"):
        read_record(path)


def test_make_notes_its_targets_with_their_outcome(tmp_path: Path) -> None:
    makefile, record = tmp_path / "Makefile", tmp_path / "pipeline.json"
    makefile.write_text(f"include {PROJECT_ROOT}/Makefile\ngood:\n\t$(STAGE)\n\tsleep 0.2\nbad:\n\t$(STAGE)\n\tfalse\n")
    environment = {"PATH": "/usr/bin:/bin", "ROS2BENCH_PIPELINE": str(record), "HOME": str(tmp_path)}
    before_ns = time.time_ns()
    command = ["make", "-f", str(makefile), "good", "bad"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    good, bad = read_record(record).jobs
    assert (good.name, good.outcome, bad.name, bad.outcome) == ("good", "success", "bad", "failure")
    assert 0.2e9 <= good.ended_ns - good.started_ns < 2e9
    assert before_ns < good.started_ns
    assert read_record(record).commit == read_commit(PROJECT_ROOT).revision


def test_without_a_record_or_with_a_wrong_one_the_reason_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROS2BENCH_PIPELINE", raising=False)
    assert set(conclude()[0].values()) == {"no_pipeline_record"}
    path = tmp_path / "pipeline.json"
    monkeypatch.setenv("ROS2BENCH_PIPELINE", str(path))
    found, said = conclude()
    assert set(found.values()) == {"pipeline_record_unusable"}
    assert "cannot be read" in said[0]
    write_record(path, PipelineRecord(commit=COMMIT, source="make", jobs=[]))
    assert set(conclude()[0].values()) == {"pipeline_of_another_commit"}


def test_stage_times_of_the_measured_commit_become_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pipeline.json"
    monkeypatch.setenv("ROS2BENCH_PIPELINE", str(path))
    monkeypatch.delenv("ROS2BENCH_PIPELINE_STAGES", raising=False)
    commit = read_commit(PROJECT_ROOT).revision
    assert commit is not None
    jobs = [noted(job) for job in jobs_of("jenkins", answer("jenkins"))]
    write_record(path, PipelineRecord(commit=commit, source="jenkins", jobs=jobs))
    assert conclude()[0] == {"build": 30, "test": "stage_failed", "image": 20, "deploy": 7}


def client(handle: Callable[[httpx.Request], httpx.Response], provider: Any = "github") -> httpx.Client:
    environment = {"GITHUB_TOKEN": "hush", "GITLAB_TOKEN": "hush", "JENKINS_TOKEN": "hush", "JENKINS_USER": "me"}
    return httpx.Client(transport=httpx.MockTransport(handle), auth=authorisation(provider, environment))


def test_all_pages_of_github_are_asked_for_with_the_token_in_a_header() -> None:
    seen: list[httpx.Request] = []
    jobs = [dict(answer("github")["jobs"][0], name=f"job {number}") for number in range(130)]

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        page = int(request.url.params["page"])
        return httpx.Response(200, json={"total_count": 130, "jobs": jobs[(page - 1) * 100 : page * 100]})

    content = ask(client(handle), "github", "https://api.github.com", "example/robot", "29679449")
    assert len(jobs_of("github", content)) == 130
    assert [request.url.path for request in seen] == ["/repos/example/robot/actions/runs/29679449/jobs"] * 2
    assert {request.headers["Authorization"] for request in seen} == {"Bearer hush"}


def test_gitlab_is_asked_by_the_whole_path_of_the_project() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer("gitlab"))

    content = ask(client(handle, "gitlab"), "gitlab", "https://gitlab.com/", "group/robot", "6")
    assert len(jobs_of("gitlab", content)) == 4
    assert seen[0].url.raw_path.decode().startswith("/api/v4/projects/group%2Frobot/pipelines/6/jobs?")


def test_jenkins_is_asked_by_folders_with_user_and_token() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer("jenkins"))

    ask(client(handle, "jenkins"), "jenkins", "https://ci.example.org", "team/robot", "16")
    assert seen[0].url.path == "/job/team/job/robot/16/wfapi/describe"
    assert seen[0].headers["Authorization"].startswith("Basic ")


def test_a_service_that_refuses_or_is_away_is_named_without_the_token() -> None:
    refusing = client(lambda _request: httpx.Response(401))
    with pytest.raises(TargetError, match="answered 401") as caught:
        ask(refusing, "github", "https://api.github.com", "example/robot", "1")
    assert "GITHUB_TOKEN" in caught.value.next_step
    assert "hush" not in str(caught.value)

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    with pytest.raises(TargetError, match="cannot be reached: no route"):
        ask(client(away), "github", "https://api.github.com", "example/robot", "1")


@pytest.mark.parametrize(
    ("address", "run", "said"),
    [
        ("http://ci.example.org", "1", "over https only"),
        ("ftp://ci.example.org", "1", "over https only"),
        ("https://ci.example.org", "1/../../user", "the number of a run"),
    ],
)
def test_a_token_goes_nowhere_it_could_be_read(address: str, run: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask(client(lambda _request: httpx.Response(500), "jenkins"), "jenkins", address, "robot", run)


def test_without_a_token_everybody_may_ask() -> None:
    assert authorisation("github", {}) is None


def test_the_commands_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS2BENCH_PIPELINE", raising=False)
    done = CliRunner().invoke(pipeline.app, ["stage", "test", "--began-ns", "1"])
    assert done.exit_code == ExitCode.USAGE
    later = str(time.time_ns() + 10**12)
    monkeypatch.setenv("ROS2BENCH_PIPELINE", "/nonexistent/pipeline.json")
    assert CliRunner().invoke(pipeline.app, ["stage", "test", "--began-ns", later]).exit_code == ExitCode.USAGE
    asked = ["fetch", "jenkins", "--project", "robot", "--run", "1", "--commit", COMMIT]
    assert CliRunner().invoke(pipeline.app, asked).exit_code == ExitCode.USAGE
