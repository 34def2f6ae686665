"""`python -m probes.resume`: bring runs that stopped half-way to their record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from probes.console import Screen
from probes.errors import ExitCode, ProbeError
from probes.journal import Journal, JournalBusy
from probes.record import CONTEXT_FILE, End, EndState, measured_something, seal, upload
from probes.spool import RunFolder, Spool
from probes.store import Store, open_store
from stacks.outputs import Records

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
UPLOADABLE = frozenset({"sealed", "uploaded"})
KILLED = "process_ended"
ENDS: Mapping[str, EndState] = {"failed": "failed", "invalid": "invalid", "aborted": "aborted"}


@dataclass(frozen=True)
class Resumed:
    """What resuming one run came to."""

    run_id: str
    code: ExitCode
    text: str


def needs_resuming(folder: RunFolder) -> bool:
    """Tell whether a run has something to bring to its record."""
    entries = folder.read_journal().entries
    if not entries or entries[-1].state == "committed" or folder.is_running():
        return False
    return folder.is_sealed or measured_something(folder)


def resume_run(folder: RunFolder, option: str | None) -> Resumed:
    """Seal a run where its process was killed, then upload it.

    A run in which every planned repetition was collected is sealed as complete; otherwise as aborted.

    Args:
        folder: The run's folder.
        option: The `--store` option; without it the store that the run was started with.
    """
    try:
        with Journal(folder.path) as journal:
            if journal.state not in UPLOADABLE:
                seal(folder, journal, _end_of(folder, journal))
            address = upload(folder, journal, _store_of(folder, journal, option))
    except JournalBusy:
        return Resumed(folder.run_id, ExitCode.TARGET, "its process is still running")
    except ProbeError as problem:
        return Resumed(folder.run_id, problem.exit_code, str(problem))
    return Resumed(folder.run_id, ExitCode.COMMITTED, address)


def _end_of(folder: RunFolder, journal: Journal) -> End:
    for entry in reversed(journal.entries):
        if entry.state in ENDS:
            return End(ENDS[entry.state], entry.reason)
    plan: dict[str, Any] = folder.read_json(CONTEXT_FILE)["plan"]
    done = len(list(folder.repetitions.glob("[0-9][0-9][0-9].json")))
    # A record without repetitions (probes.derived_record) is complete only if its own process says so.
    return End("complete", None) if done == plan["repetitions"] > 0 else End("aborted", KILLED)


def _store_of(folder: RunFolder, journal: Journal, option: str | None) -> Store:
    context = folder.read_json(CONTEXT_FILE)
    started_with = journal.entries[0].data.get("store")
    return open_store(option or started_with, Records.model_validate(context["outputs"]["records"]))


@app.command()
def resume(
    run_id: Annotated[
        list[str] | None, typer.Argument(help="Runs (identifier or a part of it). Default: all that wait.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX. Default: the run's own store.")
    ] = None,
) -> None:
    """Seal what a killed run left behind, and upload every sealed run that has no record yet."""
    screen, spool = Screen(), Spool()
    try:
        folders = [spool.find(part) for part in run_id] if run_id else list(filter(needs_resuming, spool.runs()))
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    if not folders:
        screen.line("Nothing waits: every run that measured something has its record.")
    codes = [ExitCode.COMMITTED]
    for folder in folders:
        resumed = resume_run(folder, store)
        screen.line(f"{resumed.run_id}  {'record: ' if resumed.code == ExitCode.COMMITTED else ''}{resumed.text}")
        codes.append(resumed.code)
    raise typer.Exit(max(codes))


if __name__ == "__main__":
    app()
