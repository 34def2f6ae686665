"""The command that searches the largest rate: its trials, its answer's record, and what ends it early."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from probes import peak
from probes.cell import manifests_of, records_of
from probes.console import Screen
from probes.errors import ExitCode, UsageError
from probes.measurement import undeclared
from probes.measurements.peak import METRICS, Measured
from probes.peak import SearchEnded, find_peak, loss_of, reading_of
from probes.plan import Durations
from probes.report.__main__ import read_contents
from probes.report.page import render
from probes.search import Limits, NoPeak, Peak
from probes.spool import Spool
from probes.visit import Manner, Visited
from tests.probes.campaigning import Epochs, Outside, outside, shorten
from tests.probes.standins import StandInRecorder

SHORT = Durations(warmup_s=0.02, window_s=0.1, drain_s=0.02, cool_down_s=0, ready_timeout_s=5)
MANNER = Manner(SHORT, 1, None)
FOREIGN = 0.12


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Outside]:
    shorten(monkeypatch, tmp_path)
    application = Epochs()
    with StandInRecorder(application) as recorder:
        yield outside(tmp_path, recorder, application)


def go(around: Outside, limits: Limits, key: str = peak.RATE_KEY) -> ExitCode:
    return find_peak("monolithic", limits, key, MANNER, around.world(), check=lambda _stack, _files: None)


def summary(around: Outside) -> dict[str, Any]:
    campaign = around.folders()[-1].read_json("context.json")["campaign"]
    (found,) = [item for item in manifests_of(around.folders(), campaign) if item["cell"]["role"] == "summary"]
    return found


def carrying(capacity_hz: float, asked: list[float]) -> Any:
    """Stand in for visits: a system with a capacity."""

    def perform(visit: Any, _manner: Manner, _world: Any, override: Path, _others: Any) -> Visited:
        rate_hz = yaml.safe_load(override.read_text())["application"]["load"]["rateHz"]
        assert visit.cell.levels == {"rate_hz": rate_hz}
        asked.append(rate_hz)
        ratio = min(1.0, capacity_hz / rate_hz)
        metrics = {"frames_delivered_ratio": {"value": ratio}, "foreign_cpu_ratio": {"value": FOREIGN}}
        manifest = {"state": "complete", "reason": None, "run_id": f"run-{len(asked)}", "metrics": metrics}
        return Visited(ExitCode.COMMITTED, manifest)

    return perform


def ending(code: ExitCode) -> Any:
    """Stand in for visits: every one ends with a code and no record."""

    def perform(*_arguments: Any) -> Visited:
        return Visited(code, None)

    return perform


def test_the_answer_is_a_record_with_its_trials(around: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(peak, "perform", carrying(33.0, asked))
    assert go(around, Limits()) == ExitCode.COMMITTED, around.shown.getvalue()
    manifest = summary(around)
    found = manifest["metrics"]["frames_hz_peak"]
    assert 33 / 0.95 / 1.1 < found["value"] < 33 / 0.95
    assert (found["unit"], found["n"]) == ("Hz", 1)
    assert [trial["rate_hz"] for trial in manifest["plan"]["trials"]] == asked
    first = {"rate_hz": 10, "stage": "double", "loss_ratio": 0, "foreign_cpu_ratio": FOREIGN, "run": "run-1"}
    assert manifest["plan"]["trials"][0] == first
    assert "12% of the busiest machine's processors taken by others" in around.shown.getvalue()
    assert manifest["state"] == "complete"
    assert around.target.switched == [("monolithic", "parked")]
    stored = around.store.get(
        f"runs/schema=1/date={manifest['created_at'][:10]}/pattern=monolithic/run={manifest['run_id']}/manifest.json"
    )
    assert b"frames_hz_peak" in stored
    page = render(read_contents([str(Spool(around.root).find(manifest["run_id"]).sealed)], None, None, Screen()))
    assert "frames_hz_peak" in page


def test_trials_are_ordinary_runs_that_share_the_campaign(around: Outside) -> None:
    limits = Limits(start_hz=100, least_hz=100, most_hz=100)
    assert go(around, limits) == ExitCode.COMMITTED, around.shown.getvalue()
    manifest = summary(around)
    assert manifest["metrics"]["frames_hz_peak"]["value"] == 100
    runs = records_of(around.folders(), manifest["campaign"])
    trials = [run.read_json("sealed/manifest.json") for run in runs if run.run_id != manifest["run_id"]]
    assert [trial["cell"]["role"] for trial in trials] == ["trial"] * 3
    assert {trial["metrics"]["frames_lost"]["value"] for trial in trials} == {0}
    assert [trial["run"] for trial in manifest["plan"]["trials"]] == [trial["run_id"] for trial in trials]
    # Nobody read the machines.
    assert {trial["foreign_cpu_ratio"] for trial in manifest["plan"]["trials"]} == {None}


def test_the_platform_is_asked_in_every_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    manners: list[Manner] = []

    def find(_stack: str, _limits: Limits, _key: str, manner: Manner, _world: Any) -> ExitCode:
        manners.append(manner)
        return ExitCode.COMMITTED

    monkeypatch.setattr(peak, "find_peak", find)
    monkeypatch.setattr(peak, "PulumiTarget", object)
    done = CliRunner().invoke(peak.app, ["-s", "monolithic", "--platform", "watched"])
    assert done.exit_code == ExitCode.COMMITTED, done.output
    assert [manner.platform for manner in manners] == ["watched"]


def test_a_system_that_loses_too_much_has_no_peak(around: Outside) -> None:
    around.application.lost_frames = frozenset(range(0, 100_000, 2))
    assert go(around, Limits(start_hz=100, least_hz=100, most_hz=100)) == ExitCode.COMMITTED
    assert summary(around)["metrics"]["frames_hz_peak"] == {"missing": "no_rate_holds"}


def test_an_interruption_keeps_what_was_tried_and_ends_the_search(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peak, "perform", ending(ExitCode.INTERRUPTED))
    assert go(around, Limits()) == ExitCode.INTERRUPTED
    manifest = summary(around)
    assert (manifest["state"], manifest["reason"]) == ("aborted", "interrupted")
    assert around.target.switched == []


def test_a_trial_that_cannot_be_deployed_ends_the_search_with_its_code(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peak, "perform", ending(ExitCode.TARGET))
    assert go(around, Limits()) == ExitCode.TARGET
    assert summary(around)["metrics"]["frames_hz_peak"] == {"missing": "trial_failed"}


def test_wrong_limits_are_refused_before_anything_is_done(around: Outside) -> None:
    with pytest.raises(UsageError, match="The search cannot begin"):
        go(around, Limits(start_hz=5000))
    assert around.folders() == []


def visited(state: str, reason: str | None = None, **metric: Any) -> Visited:
    metrics = {"frames_delivered_ratio": metric} if metric else {}
    return Visited(ExitCode.INVALID, {"state": state, "reason": reason, "metrics": metrics})


def test_the_loss_of_a_trial() -> None:
    assert loss_of(visited("complete", value=0.97)) == pytest.approx(0.03)
    assert loss_of(visited("invalid", "enough_samples,quiet_machine", value=0.1)) == pytest.approx(0.9)
    assert loss_of(visited("complete", missing="no_samples")) == 1
    assert loss_of(visited("failed", "no_message")) == 1


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (visited("failed", "deploy_failed"), "trial_failed"),
        (visited("invalid", "recorder_kept_all", value=0.5), "trial_failed"),
        (visited("invalid", "enough_samples,no_restart", value=0.5), "trial_failed"),
        (visited("aborted", "interrupted", value=0.5), "trial_failed"),
        (visited("complete", missing="no_frame_number_in_message"), "no_loss_known"),
        (visited("complete"), "no_loss_known"),
        (Visited(ExitCode.TARGET, None), "trial_failed"),
    ],
)
def test_a_trial_without_a_loss_ends_the_search(trial: Visited, reason: str) -> None:
    with pytest.raises(SearchEnded) as caught:
        loss_of(trial)
    assert caught.value.reason == reason


def test_every_answer_is_declared() -> None:
    answers = [Peak(5, None), *(NoPeak(reason) for reason in METRICS[0].missing)]
    assert undeclared(Measured(), [reading_of(answer) for answer in answers]) == []
