"""Every byte of a record is compared with its manifest, here and in the store; the exit code says what came of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from probes.errors import ExitCode
from probes.integrity import MANIFEST_FILE
from probes.journal import Journal
from probes.record import upload
from probes.resume import own_store
from probes.spool import RunFolder, Spool
from probes.store_folder import FolderStore
from probes.verify import app
from tests.probes.records_at_hand import sealed, stored, varied

RUN_ID = "01990000-0000-7000-8000-000000000001"
runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    return sealed(Spool(), varied(RUN_ID), f"dir:{tmp_path / 'store'}")


def committed(folder: RunFolder) -> Path:
    with Journal(folder.path) as journal:
        return Path(upload(folder, journal, own_store(folder))).parent


def verify(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = runner.invoke(app, [*arguments, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}


def test_a_sealed_run_is_intact(folder: RunFolder) -> None:
    code, document = verify(RUN_ID[-4:])
    assert (code, document["problems"]) == (ExitCode.COMMITTED, 0)
    [record] = document["records"]
    assert (record["run_id"], record["is_here"]) == (RUN_ID, True)
    assert record["parts"] > 0
    shown = runner.invoke(app, ["--all"])
    assert shown.exit_code == 0
    assert "intact" in shown.stdout
    assert "0 problems" in shown.stdout


def test_a_changed_byte_here_is_exit_3_and_names_the_file(folder: RunFolder) -> None:
    path = folder.sealed / "samples.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    shown = runner.invoke(app, [RUN_ID])
    assert shown.exit_code == ExitCode.INVALID
    assert "sha256: samples.parquet" in shown.stdout
    assert f"python -m probes.resume {RUN_ID}" in shown.stdout


def test_a_manifest_that_is_not_the_sealed_one_is_found(folder: RunFolder) -> None:
    path = folder.sealed / MANIFEST_FILE
    path.write_bytes(path.read_bytes() + b" ")
    code, document = verify(RUN_ID)
    assert code == ExitCode.INVALID
    assert "the journal says" in document["records"][0]["problems"][0]["text"]


def test_a_stored_run_is_compared_with_the_sealed_one(folder: RunFolder) -> None:
    assert verify(RUN_ID, "--store", "own")[0] == ExitCode.STORED_LOCALLY
    place = committed(folder)
    assert verify("--all", "--store", "own")[0] == ExitCode.COMMITTED
    (place / "pods.parquet").write_bytes(b"")
    code, document = verify(RUN_ID, "--store", "own")
    assert code == ExitCode.INVALID
    assert [record["is_here"] for record in document["records"]] == [True, False]
    assert document["records"][1]["problems"][0]["kind"] == "size"


def test_another_record_of_the_same_name_is_exit_7(folder: RunFolder, tmp_path: Path) -> None:
    stored(FolderStore(tmp_path / "store"), varied(RUN_ID, campaign="another"))
    shown = runner.invoke(app, [RUN_ID, "--store", "own"])
    assert shown.exit_code == ExitCode.CONFLICT
    assert "what was sealed on this machine" in shown.stdout


def test_a_whole_store_is_walked(folder: RunFolder, tmp_path: Path) -> None:
    place = committed(folder)
    option = f"dir:{tmp_path / 'store'}"
    code, document = verify("--store", option)
    assert (code, len(document["records"])) == (ExitCode.COMMITTED, 1)
    (place / MANIFEST_FILE).unlink()
    assert verify("--store", option)[0] == ExitCode.STORED_LOCALLY
    (tmp_path / "store" / "stray").write_bytes(b"")
    assert verify("--store", option)[0] == ExitCode.INVALID


def test_a_store_that_cannot_be_read_is_exit_5(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert runner.invoke(app, [RUN_ID, "--store", f"dir:{tmp_path / 'file'}"]).exit_code == ExitCode.STORED_LOCALLY


@pytest.mark.parametrize("arguments", [[], ["--store", "own"], ["nope"], [RUN_ID, "--store", "ftp://x"]])
def test_a_question_that_cannot_be_asked_is_exit_2(folder: RunFolder, arguments: list[str]) -> None:
    shown = runner.invoke(app, arguments)
    assert shown.exit_code == ExitCode.USAGE
    assert "next" in shown.stderr


def test_a_run_without_a_record_is_exit_2_and_says_what_to_type(folder: RunFolder) -> None:
    Spool().create("01990000-0000-7000-8000-00000000beef")
    shown = runner.invoke(app, ["beef"])
    assert shown.exit_code == ExitCode.USAGE
    assert "probes.resume" in shown.stderr
