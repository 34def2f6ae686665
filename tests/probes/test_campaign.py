"""A campaign against stand-ins: parked neighbours, overrides, resumption, A/A, what a dry run says."""

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from probes import campaign
from probes.campaign import override_name, run_plan, visit_s, waiting_visits
from probes.campaign_plan import PlanFile, visits
from probes.campaign_summary import agreements, summarise_cells
from probes.cell import Cell, manifests_of, place_in
from probes.errors import DeployFailed, ExitCode, UsageError
from probes.fault_order import FaultOrder
from probes.plan import Durations
from probes.visit import Manner, Visited, check_specs, request_of
from tests.probes.campaigning import Epochs, Outside, outside, shorten
from tests.probes.standins import StandInRecorder, outputs_of

SHORT = {"warmupS": 0.02, "windowS": 0.1, "drainS": 0.02, "coolDownS": 0.0, "readyTimeoutS": 5.0}
TWO_RATES = {"rate": {"spec": "application.load.rateHz", "levels": [5, 10]}}


def plan(**content: Any) -> PlanFile:
    own = {"campaign": "mine", "stacks": ["monolithic"], "repetitions": 1, "durations": SHORT}
    return PlanFile.model_validate_json(json.dumps(own | content))


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Outside]:
    shorten(monkeypatch, tmp_path)
    application = Epochs()
    with StandInRecorder(application) as recorder:
        yield outside(tmp_path, recorder, application, monolithic=outputs_of(), overlay=outputs_of("overlay"))


def go(around: Outside, wanted: PlanFile, name: str = "c1") -> ExitCode:
    return run_plan(wanted, name, around.world(), around.root.parent / "campaign", check=accept)


def accept(_stack: str, _overrides: Sequence[Path]) -> None:
    """Refuse nothing."""


def found(around: Outside, name: str = "c1") -> list[dict[str, Any]]:
    return manifests_of(around.folders(), name)


def test_each_visit_is_a_record_with_its_place_and_its_override(around: Outside) -> None:
    assert go(around, plan(factors=TWO_RATES)) == ExitCode.COMMITTED, around.shown.getvalue()
    manifests = found(around)
    assert sorted(place_in(manifest) for manifest in manifests) == [
        ("monolithic, rate=10", "cell", 0),
        ("monolithic, rate=5", "cell", 0),
        ("monolithic, rate=5", "control", 0),
    ]
    assert {manifest["campaign"] for manifest in manifests} == {"c1"}
    rates = {
        yaml.safe_load(files[0].read_text())["application"]["load"]["rateHz"]
        for files in around.target.overridden
        if files
    }
    assert rates == {5, 10}
    # Parked with its override before its contract is read, and without it at the end: nothing of a campaign stays.
    assert around.target.switched[0] == ("monolithic", "parked")
    assert len(around.target.overridden[0]) == 1
    assert (around.target.switched[-1], around.target.overridden[-1]) == (("monolithic", "parked"), ())


def test_other_stacks_of_the_plan_are_parked_while_one_is_visited(around: Outside) -> None:
    around.application.start("overlay")
    go(around, plan(stacks=["monolithic", "overlay"]))
    running: list[str] = []
    for stack, state in around.target.switched:
        running = [*(name for name in running if name != stack), *([stack] if state == "running" else [])]
        assert len(running) <= 1
    assert {manifest["stack"] for manifest in found(around)} == {"monolithic", "overlay"}


def test_the_same_command_goes_on_where_it_was_killed(around: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, made = plan(), list[str]()
    perform = campaign.perform

    def killed_at_the_second(visit: Any, *rest: Any) -> Visited:
        if made:
            raise KeyboardInterrupt
        made.append(visit.cell.name)
        return perform(visit, *rest)

    monkeypatch.setattr(campaign, "perform", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        go(around, wanted)
    monkeypatch.setattr(campaign, "perform", perform)
    assert len(found(around)) == 1
    assert go(around, wanted) == ExitCode.COMMITTED
    assert "1 of 2 visits are done" in around.shown.getvalue()
    assert len({place_in(manifest) for manifest in found(around)}) == len(found(around)) == 2
    assert found(around, "another") == []
    before = len(around.target.switched)
    assert go(around, wanted) == ExitCode.COMMITTED
    assert len(around.target.switched) == before


def test_a_run_that_was_measured_but_not_sealed_is_finished_not_repeated(around: Outside) -> None:
    wanted = plan()
    go(around, wanted)
    folder = around.folders()[0]
    # As a kill leaves it right after the last repetition: nothing sealed, the journal ends with `collected`.
    for file in folder.sealed.iterdir():
        file.unlink()
    journal = folder.path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    states = [json.loads(line)["state"] for line in lines]
    journal.write_bytes(b"".join(lines[: states.index("collected") + 1]))
    assert len(found(around)) == 1
    go(around, wanted)
    assert len(found(around)) == len(around.folders()) == 2
    assert f"run {folder.run_id} of an earlier call" in around.shown.getvalue()


def test_visits_that_fail_are_kept_apart_and_many_in_a_row_end_the_campaign(
    around: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "MOST_FAILURES", 1)
    around.target.fails_with = DeployFailed("`pulumi up` failed", next_step="pulumi up")
    assert go(around, plan()) == ExitCode.TARGET
    assert len(around.folders()) == 1
    assert "1 visits in a row failed" in around.shown.getvalue()
    around.target.fails_with = None
    assert go(around, plan()) == ExitCode.COMMITTED
    assert sum(manifest["state"] == "complete" for manifest in found(around)) == 2


def test_a_level_that_cannot_be_deployed_is_refused_before_anything_is_parked(around: Outside) -> None:
    def refuse(stack: str, overrides: Sequence[Path]) -> None:
        raise UsageError(f"{stack}: {len(overrides)} wrong")

    with pytest.raises(UsageError, match="monolithic: 2 wrong"):
        run_plan(plan(factors=TWO_RATES), "c1", around.world(), around.root, check=refuse)
    assert around.target.switched == []


def test_the_check_reads_the_stacks_file_with_each_override(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("application: {load: {rateHz: 5}}")
    bad.write_text("application: {load: {rateHz: fast}}")
    check_specs("monolithic", [good])
    with pytest.raises(UsageError) as caught:
        check_specs("monolithic", [good, bad])
    assert f"{bad}: application.load.rateHz" in str(caught.value)
    assert str(good) not in str(caught.value)


def test_an_option_that_the_runner_lacks_is_refused() -> None:
    (visit, _) = visits(plan(), "c1")
    manner = Manner(Durations(), 1, None)
    assert request_of(visit, manner).stacks == ("monolithic",)
    unknown = visit.__class__(visit.stack, visit.cell, {}, {"colour": "red"})
    with pytest.raises(UsageError, match="no option colour"):
        request_of(unknown, manner)


@pytest.mark.parametrize(
    ("level", "wanted"),
    [(None, None), ({"delayS": 0.02}, FaultOrder(delay_s=0.02)), ("loss_ratio=0.1", FaultOrder(loss_ratio=0.1))],
)
def test_a_fault_is_an_option_of_a_visit(level: Any, wanted: FaultOrder | None) -> None:
    (visit, _) = visits(plan(), "c1")
    faulty = visit.__class__(visit.stack, visit.cell, {}, {"fault": level})
    assert request_of(faulty, Manner(Durations(), 1, None)).fault == wanted


def test_a_dry_run_prints_every_visit_and_the_time_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(campaign, "check_specs", accept)
    monkeypatch.setattr(campaign, "PulumiTarget", None)
    file = tmp_path / "plan.yaml"
    content = {"campaign": "mine", "stacks": ["monolithic"], "repetitions": 2, "durations": SHORT, "factors": TWO_RATES}
    file.write_text(yaml.safe_dump(content))
    done = CliRunner().invoke(campaign.app, [str(file), "--dry-run"])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines() if "monolithic" in line]
    assert len(rows) == 6
    assert {row[4] for row in rows} == {"cell", "control"}
    assert "6 of 6 visits to make" in done.output
    assert "about 0:04:31 (45 s each" in done.output


def test_a_wrong_plan_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(campaign.app, [str(tmp_path / "none.yaml"), "--dry-run"])
    assert done.exit_code == ExitCode.USAGE


def test_the_time_is_estimated_from_visits_that_were_made(around: Outside) -> None:
    wanted = plan()
    assert visit_s(wanted, [])[0] == pytest.approx(45.14)
    go(around, wanted)
    seconds, source = visit_s(wanted, around.folders())
    assert seconds < 30
    assert source == "2 visits made so far"


def test_names_of_overrides_fit_a_file_and_tell_cells_apart() -> None:
    names = {override_name(visit) for visit in visits(plan(factors=TWO_RATES), "c1")}
    assert names == {"monolithic__rate=5", "monolithic__rate=10"}


def manifest(role: str, repetition: int, value: float, state: str = "complete") -> dict[str, Any]:
    cell = Cell("c", "monolithic", repetition, role, {}).as_record()  # type: ignore[arg-type]
    metrics = {"inference_s": {"value": value}, "frames_hz": {"missing": "no_samples"}}
    return {"cell": cell, "stack": "monolithic", "state": state, "metrics": metrics}


def test_equal_cells_are_compared_in_pairs() -> None:
    cells = [manifest("cell", number, 0.010 * (number + 1)) for number in range(4)]
    controls = [manifest("control", number, 0.011 * (number + 1)) for number in range(4)]
    (agreed,) = agreements([*cells, *controls, manifest("control", 9, 5.0)], seed=1)
    assert (agreed.stack, agreed.metric, agreed.pairs) == ("monolithic", "inference_s", 4)
    assert agreed.ratio == pytest.approx(1.1)
    assert agreed.floor == pytest.approx(0.1)


def test_two_pairs_give_a_ratio_but_no_floor() -> None:
    both = [manifest(role, number, 0.01) for role in ("cell", "control") for number in range(2)]
    (agreed,) = agreements(both, seed=1)
    assert (agreed.ratio, agreed.interval, agreed.floor) == (pytest.approx(1.0), None, None)


def test_failed_runs_do_not_count_and_invalid_ones_are_counted_apart() -> None:
    made = [manifest("cell", 0, 1.0), manifest("cell", 1, 3.0, "invalid"), manifest("cell", 2, 99.0, "failed")]
    (summary,) = summarise_cells(made, seed=1)
    assert (summary.complete, summary.invalid) == (1, 1)
    assert summary.values["inference_s"].value == pytest.approx(2.0)
    assert "frames_hz" not in summary.values


def test_only_visits_without_a_measured_run_wait() -> None:
    ordered = visits(plan(repetitions=2), "c")
    name = ordered[0].cell.name
    done = [manifest("cell", 0, 1.0) | {"cell": Cell("c", name, 0, "cell", {}).as_record()}]
    waiting = waiting_visits(ordered, done)
    assert len(waiting) == len(ordered) - 1
    assert (name, "cell", 0) not in {visit.key for visit in waiting}
