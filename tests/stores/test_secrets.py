"""A canary: keys go to the store as a signature, and into nothing that is kept, shown or visible to others."""

import contextlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from probes import resume
from probes.errors import ExitCode, ProbeError
from probes.integrity import digest
from probes.journal import Journal
from probes.manifest import SCHEMA
from probes.provenance import PROJECT_ROOT
from probes.record import CONTEXT_FILE
from probes.spool import MANIFEST_FILE, RunFolder
from tests.stores.door import Answered, Asked, Door, Fault, Kind, Served, refusal
from tests.stores.opening import open_s3
from tests.stores.strict_store import BUCKET, StrictStore

CANARIES = {
    "AWS_ACCESS_KEY_ID": "CANARYaccessKEY01",
    "AWS_SECRET_ACCESS_KEY": "canary/secret+KEY/0123456789abcdef",
    "AWS_SESSION_TOKEN": "canary-session-token-0123456789",
}
RUN_ID = "01a1fe1d-c144-7d62-9047-ae094b6d73df"
# A store, or somebody between, that repeats the keys in what it answers.
TELLTALE = refusal(403, "SignatureDoesNotMatch", " ".join(CANARIES.values()))
KINDS: tuple[Kind, ...] = ("close", "cut_answer", "lost_answer", "refusal", "refusal_after", "dropped", "altered")


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)


def found_in(text: str) -> list[str]:
    """Name the canaries in a text."""
    return [name for name, value in CANARIES.items() if value in text]


@pytest.mark.usefixtures("canaries")
@pytest.mark.parametrize("kind", KINDS)
def test_no_error_and_no_log_holds_a_key(door: Door, served: Served, kind: Kind) -> None:
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(logging.Formatter().format(record))
    logging.getLogger().addHandler(handler)
    try:
        door.meet(Fault(kind, refusal=TELLTALE))
        with pytest.raises(ProbeError) as caught:
            open_s3(served.endpoint).put("runs/x/manifest.json", b"content")
    finally:
        logging.getLogger().removeHandler(handler)
    # Neither the message nor what a traceback would show of the errors before it.
    shown = [str(caught.value), repr(caught.value), caught.value.next_step, str(caught.value.__cause__)]
    assert found_in("\n".join(shown + logged)) == []
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def sealed_run(root: Path, endpoint: str) -> RunFolder:
    """A run that waits for its upload."""
    folder = RunFolder(root / "ros2bench" / "spool" / RUN_ID)
    records = {"bucket": BUCKET, "endpoint": endpoint, "region": "us-east-1", "prefix": ""}
    manifest = {
        "run_id": RUN_ID,
        "created_at": "2026-01-31T12:00:00+00:00",
        "pattern": "overlay",
        "schema": SCHEMA,
        "parts": [{"name": "samples.parquet", "bytes": 7, "sha256": digest(b"samples")}],
    }
    folder.write("sealed/samples.parquet", b"samples")
    folder.write_json(f"sealed/{MANIFEST_FILE}", manifest)
    folder.write_json(CONTEXT_FILE, {**manifest, "outputs": {"records": records}})
    with Journal(folder.path) as journal:
        journal.append("planned", stack="overlay", store=None)
        journal.append("sealed")
    return folder


def kept_in(root: Path, strict: StrictStore) -> str:
    """Everything that a command left behind: files and objects."""
    files = [path.read_bytes().decode(errors="replace") for path in root.rglob("*") if path.is_file()]
    return "\n".join(files + [path + body.decode(errors="replace") for path, body in strict.objects.items()])


@pytest.mark.usefixtures("canaries")
def test_the_command_shows_and_keeps_no_key(tmp_path: Path, strict: StrictStore, door: Door, served: Served) -> None:
    """Of the whole command: what it prints, its journal and spool, its arguments, the objects in the store."""
    arguments: list[str] = []
    folder = sealed_run(tmp_path, served.endpoint)

    def answer(asked: Asked) -> Answered:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                arguments.append((process / "cmdline").read_bytes().decode(errors="replace"))
        return strict.answer(asked)

    door.store = answer
    done = subprocess.run(
        [sys.executable, "-m", "probes.resume"],
        cwd=PROJECT_ROOT,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.COMMITTED, done.stderr
    assert any("probes.resume" in text for text in arguments), "the command's arguments were seen"
    assert found_in("\n".join([done.stdout, done.stderr, kept_in(tmp_path, strict), *arguments])) == []
    last = folder.read_journal().entries[-1]
    assert (last.state, last.data["proof"]) == ("committed", "read_back")


@pytest.mark.usefixtures("canaries")
def test_a_refused_command_shows_and_keeps_no_key(
    tmp_path: Path, strict: StrictStore, door: Door, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = sealed_run(tmp_path, served.endpoint)
    door.meet(Fault("refusal", refusal=TELLTALE))
    done = CliRunner().invoke(resume.app, env={"COLUMNS": "300"})
    assert done.exit_code == ExitCode.STORED_LOCALLY
    assert "SignatureDoesNotMatch" in done.output
    assert found_in(done.output + kept_in(tmp_path, strict)) == []
    assert folder.read_journal().entries[-1].state == "sealed"
