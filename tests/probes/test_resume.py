"""Runs that stopped anywhere come to their record, by the same bytes whoever tries again."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probes.doctor import diagnose
from probes.errors import ExitCode
from probes.integrity import record_prefix
from probes.journal import Journal
from probes.kept import write_repetition
from probes.manifest import Repetition
from probes.readings import Reading
from probes.record import CONTEXT_FILE, End, seal
from probes.resume import app as resume_app
from probes.resume import needs_resuming, resume_run
from probes.spool import RunFolder, Spool
from probes.store import FolderStore, pinned
from probes.tables import readings_table, rows_table
from tests.probes.standins import outputs_of

RUN_ID = "01990000-0000-7000-8000-000000000001"
FACTS: dict[str, Any] = {
    "repetition": 0,
    "window": {"start_ns": 0, "end_ns": 1},
    "deployment": None,
    "clock": {},
    "capture": {},
    "load_average": {},
    "gates": [{"name": "enough_samples", "passed": True, "detail": ""}],
}
runner = CliRunner()


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "400")
    return Spool()


def run_folder(spool: Spool, tmp_path: Path, *, repetitions: int = 1, planned: int = 1) -> RunFolder:
    """Make the folder of a run whose process was killed after some repetitions."""
    folder = spool.create(RUN_ID)
    with Journal(folder.path) as journal:
        journal.append("planned", stack="monolithic", store=f"dir:{tmp_path / 'store'}")
    context = {
        "run_id": RUN_ID,
        "created_at": "2026-01-02T03:04:05+00:00",
        "stack": "monolithic",
        "pattern": "monolithic",
        "outputs": outputs_of().model_dump(mode="json", by_alias=True),
        "plan": {"repetitions": planned, "seed": 1, "cycles": "none", "durations": {}},
        "machines": [],
        "findings": [],
    }
    folder.write_json(CONTEXT_FILE, context)
    for repetition in range(repetitions):
        tables = {name: rows_table(name, ()) for name in ("samples", "pods", "events")}
        readings = readings_table([Reading("frames_hz", 10.0, repetition=repetition)])
        write_repetition(folder, repetition, FACTS | {"repetition": repetition}, tables | {"metrics": readings})
    return folder


def manifest_of(folder: RunFolder) -> dict[str, Any]:
    return folder.read_json("sealed/manifest.json")


def test_a_killed_run_is_sealed_as_aborted_and_uploaded(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path, repetitions=1, planned=3)
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.COMMITTED
    assert (manifest_of(folder)["state"], manifest_of(folder)["reason"]) == ("aborted", "process_ended")
    assert manifest_of(folder)["metrics"]["frames_hz"]["value"] == 10.0
    assert Path(resumed.text).read_bytes() == (folder.sealed / "manifest.json").read_bytes()


def test_every_fact_of_a_repetition_that_the_schema_names_is_in_the_manifest(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path, repetitions=0)
    written: dict[str, Any] = dict.fromkeys(Repetition.model_fields) | {
        "recommendations": {"containers": [], "missing": "no_recommender"},
        "faults": [{"fault": "f"}],
    }
    tables = {name: rows_table(name, ()) for name in ("samples", "pods", "events")}
    readings = readings_table([Reading("frames_hz", 10.0, repetition=0)])
    write_repetition(folder, 0, written | {"repetition": 0, "gates": FACTS["gates"]}, tables | {"metrics": readings})
    resume_run(folder, None)
    assert manifest_of(folder)["repetitions"] == [written | {"repetition": 0}]


def test_a_run_killed_after_its_last_repetition_is_complete(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    resume_run(folder, None)
    assert manifest_of(folder)["state"] == "complete"


def test_a_repetition_without_its_facts_does_not_count(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path, repetitions=2, planned=2)
    (folder.repetitions / "001.json").unlink()
    resume_run(folder, None)
    assert manifest_of(folder)["repetitions_done"] == 1
    assert manifest_of(folder)["metrics"]["frames_hz"]["n"] == 1


def test_resuming_twice_makes_one_record(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    first = resume_run(folder, None)
    content = Path(first.text).read_bytes()
    second = resume_run(folder, None)
    assert (second.code, second.text) == (first.code, first.text)
    assert Path(first.text).read_bytes() == content
    assert not needs_resuming(folder)


def test_an_upload_cut_anywhere_ends_in_the_same_record(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path) as journal:
        manifest = seal(folder, journal, End("complete", None))
    store = FolderStore(tmp_path / "store")
    part = manifest["parts"][0]["name"]
    store.put(record_prefix(manifest) + part, (folder.sealed / part).read_bytes())
    assert resume_run(folder, None).code == ExitCode.COMMITTED


def test_another_record_under_the_same_name_is_a_conflict(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path) as journal:
        manifest = seal(folder, journal, End("complete", None))
    FolderStore(tmp_path / "store").put(f"{record_prefix(manifest)}manifest.json", b"{}")
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.CONFLICT
    assert "Nothing was overwritten" in resumed.text


def test_a_running_run_is_left_alone(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path):
        assert not needs_resuming(folder)
        assert resume_run(folder, None).text == "its process is still running"
        assert diagnose(folder).next_step == "it runs now"


def test_the_command_resumes_all_that_wait_and_then_nothing(spool: Spool, tmp_path: Path) -> None:
    run_folder(spool, tmp_path)
    first = runner.invoke(resume_app, [])
    assert (first.exit_code, "record: " in first.stdout) == (0, True)
    second = runner.invoke(resume_app, [])
    assert second.exit_code == 0
    assert "Nothing waits" in second.stdout


def test_a_store_that_is_still_down_is_exit_5(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    (tmp_path / "store").write_text("a file where the folder should be")
    result = runner.invoke(resume_app, [RUN_ID[-4:]])
    assert result.exit_code == ExitCode.STORED_LOCALLY
    assert folder.is_sealed
    (tmp_path / "store").unlink()
    assert runner.invoke(resume_app, [RUN_ID[-4:]]).exit_code == 0


def test_an_unknown_run_is_exit_2(spool: Spool) -> None:
    assert runner.invoke(resume_app, ["nope"]).exit_code == ExitCode.USAGE


def test_a_run_that_measured_nothing_is_closed_and_gives_its_reserve_back(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path, repetitions=0)
    assert not needs_resuming(folder)
    assert folder.reserved_bytes() > 0
    resumed = resume_run(folder, None)
    assert (resumed.code, "nothing was measured" in resumed.text) == (ExitCode.ABORTED, True)
    assert folder.reserved_bytes() == 0
    assert folder.read_journal().entries[-1].state == "aborted"
    resume_run(folder, None)
    assert len(folder.read_journal().entries) == 2


def test_a_stored_run_is_never_sealed_again(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    resume_run(folder, None)
    before = {path.name: path.stat().st_ino for path in folder.sealed.iterdir()}
    (folder.repetitions / "000.json").unlink()
    assert resume_run(folder, None).code == ExitCode.COMMITTED
    assert {path.name: path.stat().st_ino for path in folder.sealed.iterdir()} == before
    (folder.sealed / "samples.parquet").write_bytes(b"damaged")
    damaged = resume_run(folder, None)
    assert damaged.code == ExitCode.INVALID
    assert f"python -m probes.verify {RUN_ID} --store own" in damaged.text
    assert (folder.sealed / "samples.parquet").read_bytes() == b"damaged"


def test_a_stored_run_may_be_stored_elsewhere_too(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    resume_run(folder, None)
    other = resume_run(folder, f"dir:{tmp_path / 'other'}")
    assert other.code == ExitCode.COMMITTED
    assert Path(other.text).read_bytes() == (folder.sealed / "manifest.json").read_bytes()
    assert not needs_resuming(folder)


def test_a_damaged_context_is_named(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    (folder.path / CONTEXT_FILE).write_bytes(b"{")
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.INVALID
    assert CONTEXT_FILE in resumed.text


def test_a_damaged_record_whose_sources_are_gone_is_not_made_of_nothing(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path) as journal:
        seal(folder, journal, End("complete", None))
    shutil.rmtree(folder.repetitions)
    (folder.sealed / "samples.parquet").write_bytes(b"damaged")
    resumed = resume_run(folder, None)
    assert resumed.code == ExitCode.INVALID
    assert "what it was made of is not there" in resumed.text
    assert (folder.sealed / "samples.parquet").read_bytes() == b"damaged"


def test_a_relative_folder_is_kept_as_it_holds_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert pinned("dir:records") == f"dir:{tmp_path.resolve() / 'records'}"
    assert [pinned(option) for option in (None, "s3://bucket/prefix")] == [None, "s3://bucket/prefix"]
