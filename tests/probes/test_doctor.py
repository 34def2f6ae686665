"""The doctor names what waits, is damaged or in conflict, and what to type; it changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probes.doctor import app, diagnose
from probes.errors import ExitCode
from probes.journal import JOURNAL_FILE, QUARANTINE_FILE, Journal
from probes.record import End, seal
from probes.resume import resume_run
from probes.spool import LEAST_FREE_BYTES, RunFolder, Spool
from tests.probes.test_resume import RUN_ID, run_folder

runner = CliRunner()


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return Spool()


def contents(folder: RunFolder) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def checked(code: ExitCode, kind: str, folder: RunFolder) -> str:
    """Examine a spool with one run; gives what was shown."""
    before = contents(folder)
    shown = runner.invoke(app, ["--check"])
    assert shown.exit_code == code
    document: dict[str, Any] = json.loads(runner.invoke(app, ["--json"]).stdout)
    assert document["runs"][0]["kinds"][0] == kind
    assert contents(folder) == before
    return shown.stdout


def test_an_empty_spool_has_nothing_to_say(spool: Spool) -> None:
    shown = runner.invoke(app, ["--check"])
    assert (shown.exit_code, "No runs" in shown.stdout) == (0, True)


def test_a_killed_run_is_orphaned(spool: Spool, tmp_path: Path) -> None:
    shown = checked(ExitCode.STORED_LOCALLY, "orphaned", run_folder(spool, tmp_path))
    assert f"next: python -m probes.resume {RUN_ID}" in shown
    assert runner.invoke(app, []).exit_code == 0


def test_a_sealed_run_waits(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path) as journal:
        seal(folder, journal, End("aborted", "interrupted"))
    shown = checked(ExitCode.STORED_LOCALLY, "waiting", folder)
    assert "sealed, aborted (interrupted)" in shown
    assert f"python -m probes.resume {RUN_ID}" in shown


def test_a_stored_run_needs_nothing_and_is_shown_when_asked_for(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    resume_run(folder, None)
    assert RUN_ID not in checked(ExitCode.COMMITTED, "stored", folder)
    shown = runner.invoke(app, ["--all"]).stdout
    assert "committed, complete" in shown
    assert f"python -m probes.report {RUN_ID}" in shown


def test_a_running_run_is_left_alone(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path):
        checked(ExitCode.COMMITTED, "running", folder)
        assert diagnose(folder).next_step == "it runs now"


def test_a_conflict_is_the_most_pressing(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with Journal(folder.path) as journal:
        seal(folder, journal, End("complete", None))
        journal.append("sealed", "record_conflict", address="s3://somewhere/manifest.json")
    shown = checked(ExitCode.CONFLICT, "conflict", folder)
    assert "s3://somewhere/manifest.json" in shown
    assert "--store dir:PATH" in shown


def test_a_damaged_journal_is_named_before_and_after_it_was_cut(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    with (folder.path / JOURNAL_FILE).open("ab") as file:
        file.write(b"torn")
    assert "4 bytes at the end of its journal" in checked(ExitCode.INVALID, "damaged", folder)
    resume_run(folder, None)
    assert (folder.path / QUARANTINE_FILE).read_bytes() == b"torn"
    assert "kept in journal.quarantined" in checked(ExitCode.INVALID, "damaged", folder)


def test_a_lost_journal_is_damage_that_can_be_resumed(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path)
    (folder.path / JOURNAL_FILE).write_bytes(b"")
    shown = checked(ExitCode.INVALID, "damaged", folder)
    assert "no readable line" in shown
    assert f"python -m probes.resume {RUN_ID}" in shown


@pytest.mark.parametrize("name", ["manifest.json", "samples.parquet"])
def test_a_damaged_seal_is_seen_at_a_glance(spool: Spool, tmp_path: Path, name: str) -> None:
    folder = run_folder(spool, tmp_path)
    resume_run(folder, None)
    path = folder.sealed / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert f"python -m probes.verify {RUN_ID}" in checked(ExitCode.INVALID, "damaged", folder)


def test_a_run_that_measured_nothing_keeps_a_reserve(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path, repetitions=0)
    assert "still reserved" in checked(ExitCode.COMMITTED, "empty", folder)
    resume_run(folder, None)
    assert diagnose(folder).next_step == "nothing was measured; the folder may be removed"


def test_an_invalid_run_is_counted_and_calm(spool: Spool, tmp_path: Path) -> None:
    folder = run_folder(spool, tmp_path, repetitions=1, planned=2)
    resume_run(folder, None)
    assert "1 not valid or not complete" in checked(ExitCode.COMMITTED, "invalid", folder)


@pytest.mark.parametrize(("factor", "said"), [(0.5, "is full"), (2, "is nearly full")])
def test_a_disk_with_little_room_is_named(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, said: str
) -> None:
    resume_run(run_folder(spool, tmp_path), None)

    def free_bytes(_spool: Spool) -> int:
        return int(factor * LEAST_FREE_BYTES)

    monkeypatch.setattr(Spool, "free_bytes", free_bytes)
    shown = runner.invoke(app, ["--check"])
    assert shown.exit_code == ExitCode.ABORTED
    assert said in shown.stdout
    assert "python -m probes.verify --all --store own" in shown.stdout
