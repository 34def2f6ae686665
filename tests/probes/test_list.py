"""Runs of this machine and of a store in one table; filters and JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probes.errors import ExitCode
from probes.journal import Journal
from probes.list import app
from probes.record import upload
from probes.resume import own_store
from probes.spool import Spool
from probes.store_folder import FolderStore
from tests.probes.records_at_hand import sealed, stored, varied

ONE, TWO, THREE = (f"0199000{n}-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """Give a store with two runs, one of which is also here, and a run that is here only."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    made, option = FolderStore(tmp_path / "store"), f"dir:{tmp_path / 'store'}"
    sealed(Spool(), varied(ONE, created_at="2026-01-01T00:00:00+00:00"))
    both = sealed(Spool(), varied(TWO, created_at="2026-01-02T23:59:00+00:00", pattern="overlay", stack="two"), option)
    with Journal(both.path) as journal:
        upload(both, journal, own_store(both))
    invalid = varied(THREE, created_at="2026-01-03T00:00:00+00:00", state="invalid", reason="lost", campaign="c")
    stored(made, invalid)
    return made


def listed(*arguments: str) -> dict[str, dict[str, Any]]:
    result = runner.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    return {run["run_id"]: run for run in json.loads(result.stdout)["runs"]}


def test_the_spool_alone_says_what_its_journals_say(store: FolderStore) -> None:
    runs = listed()
    assert list(runs) == [ONE, TWO]
    assert [run["is_stored"] for run in runs.values()] == [None, True]


def test_a_store_is_listed_for_itself(store: FolderStore, tmp_path: Path) -> None:
    runs = listed("--store", f"dir:{tmp_path / 'store'}")
    assert list(runs) == [TWO, THREE]
    assert all(run["is_stored"] and not run["is_here"] for run in runs.values())
    assert (runs[THREE]["state"], runs[THREE]["reason"], runs[THREE]["campaign"]) == ("invalid", "lost", "c")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--stack", "two"], [TWO]),
        (["--pattern", "overlay", "--pattern", "monolithic"], [ONE, TWO]),
        (["--state", "invalid"], []),
        (["--application", "nothing"], []),
        (["--campaign", "c"], []),
        (["--since", "2026-01-02"], [TWO]),
        (["--until", "2026-01-01"], [ONE]),
        (["--since", "2026-01-02", "--until", "2026-01-02"], [TWO]),
        ([ONE[:8]], [ONE]),
        (["000000000002"], [TWO]),
    ],
)
def test_filters(store: FolderStore, arguments: list[str], found: list[str]) -> None:
    assert list(listed(*arguments)) == found


def test_a_run_without_a_record_is_listed_with_what_it_waits_for(store: FolderStore) -> None:
    folder = Spool().create("01990009-0000-7000-8000-000000000009")
    with Journal(folder.path) as journal:
        journal.append("planned", stack="four")
    assert listed("--state", "unsealed")[folder.run_id]["reason"] == "empty"
    assert list(listed("-s", "four")) == [folder.run_id]
    assert listed("-s", "four", "--state", "complete") == {}


def test_the_table_is_for_people(store: FolderStore) -> None:
    shown = runner.invoke(app, [])
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].split()[0] == "run"
    assert "2026-01-01 00:00:00" in lines[1]
    assert "here, stored" in lines[2]
    assert "2 runs" in shown.stdout
    assert "No run fits" in runner.invoke(app, ["--stack", "none"]).stdout


def test_a_record_that_cannot_be_read_is_named_beside_the_others(store: FolderStore, tmp_path: Path) -> None:
    for path in (tmp_path / "store").rglob(f"run={THREE}/manifest.json"):
        path.write_bytes(b"{}")
    shown = runner.invoke(app, ["--store", f"dir:{tmp_path / 'store'}"])
    assert shown.exit_code == ExitCode.INVALID
    assert TWO[-12:] in shown.stdout
    assert THREE in shown.stderr.replace("\n", "")


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--state", "perfect"], ["--store", "ftp://x"]])
def test_a_filter_that_makes_no_sense_is_exit_2(store: FolderStore, arguments: list[str]) -> None:
    shown = runner.invoke(app, arguments)
    assert shown.exit_code == ExitCode.USAGE
    assert "next" in shown.stderr
