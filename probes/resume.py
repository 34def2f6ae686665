"""`python -m probes.resume`: bring runs that stopped half-way to their record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from probes.console import Screen
from probes.durable import disk_problems_named, sync_folder, unused
from probes.errors import ExitCode, ProbeError, SpoolDamaged, StoreUnavailable
from probes.integrity import digest
from probes.journal import Journal, JournalBusy, is_committed
from probes.kept import count_complete, measured_something
from probes.record import CONTEXT_FILE, End, EndState, seal, sealed_damage, sealed_digest, upload
from probes.spool import MANIFEST_FILE, RunFolder, Spool
from probes.store import Store, open_store
from stacks.outputs import Records

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
SEALED = frozenset({"sealed", "uploaded", "committed"})
KILLED = "process_ended"
ENDS: Mapping[str, EndState] = {"failed": "failed", "invalid": "invalid", "aborted": "aborted"}


@dataclass(frozen=True)
class Resumed:
    """What resuming one run came to."""

    run_id: str
    code: ExitCode
    text: str


def needs_resuming(folder: RunFolder) -> bool:
    """Tell whether a run has something to bring to its record; also one whose journal is lost."""
    if is_committed(folder.read_journal().entries) or folder.is_running():
        return False
    return folder.is_sealed or measured_something(folder)


def resume_run(folder: RunFolder, option: str | None) -> Resumed:
    """Seal a run where its process was killed, then upload it; repeating it changes nothing.

    A run in which every planned repetition was collected is sealed as complete; otherwise as aborted. A sealed record
    that is no longer what was sealed is kept aside and made anew, unless it was stored already.

    Args:
        folder: The run's folder.
        option: The `--store` option; without it the store that the run was started with.
    """
    try:
        with Journal(folder.path) as journal:
            if not _ensure_sealed(folder, journal):
                return Resumed(folder.run_id, ExitCode.ABORTED, _nothing_measured(folder, journal))
            address = upload(folder, journal, own_store(folder, option))
    except JournalBusy:
        return Resumed(folder.run_id, ExitCode.TARGET, "its process is still running")
    except ProbeError as problem:
        return Resumed(folder.run_id, problem.exit_code, str(problem))
    return Resumed(folder.run_id, ExitCode.COMMITTED, address)


def _ensure_sealed(folder: RunFolder, journal: Journal) -> bool:
    """Bring a run to a whole sealed record; False where nothing was measured that one could be made of."""
    if folder.is_sealed:
        damage = sealed_damage(folder, sealed_digest(journal.entries))
        if damage is None:
            with disk_problems_named(folder.path):
                # Whoever sealed it may have been killed before the last name was durable.
                sync_folder(folder.sealed)
                sync_folder(folder.path)
            if journal.state not in SEALED:
                payload = (folder.sealed / MANIFEST_FILE).read_bytes()
                journal.append("sealed", manifest_sha256=digest(payload))
            return True
        if is_committed(journal.entries):
            raise SpoolDamaged(
                f"The sealed record of {folder.run_id} is damaged here: {damage}. It was stored before, as "
                f"{_address(journal)}; nothing was changed.",
                next_step=f"python -m probes.verify {folder.run_id} --store own",
            )
        if not measured_something(folder):
            raise SpoolDamaged(
                f"The sealed record of {folder.run_id} is damaged: {damage}; what it was made of is not there. "
                "Nothing was changed.",
                next_step=f"look into {folder.path}",
            )
        with disk_problems_named(folder.path):
            folder.sealed.rename(unused(folder.path / "sealed.damaged"))
            sync_folder(folder.path)
    elif not measured_something(folder):
        return False
    seal(folder, journal, _end_of(folder, journal))
    return True


def _nothing_measured(folder: RunFolder, journal: Journal) -> str:
    if journal.state not in ENDS:
        journal.append("aborted", KILLED)
    folder.release()
    return "nothing was measured, so there is no record to make; its folder may be removed"


def _end_of(folder: RunFolder, journal: Journal) -> End:
    for entry in reversed(journal.entries):
        if entry.state in ENDS:
            return End(ENDS[entry.state], entry.reason)
    plan: dict[str, Any] = folder.read_json(CONTEXT_FILE)["plan"]
    # A record without repetitions (probes.derived_record) is complete only if its own process says so.
    return End("complete", None) if count_complete(folder) == plan["repetitions"] > 0 else End("aborted", KILLED)


def _address(journal: Journal) -> str:
    return next(str(entry.data.get("address")) for entry in journal.entries if entry.state == "committed")


def own_store(folder: RunFolder, option: str | None = None) -> Store:
    """Open the store that a run was started with, or the one that is named instead.

    Raises:
        StoreUnavailable: The journal does not tell any more which one that was.
        UsageError: The option names no store.
        SpoolDamaged: What the run knew of its stack cannot be read.
    """
    records = Records.model_validate(folder.read_json(CONTEXT_FILE)["outputs"]["records"])
    if option is not None:
        return open_store(option, records)
    planned = [entry for entry in folder.read_journal().entries if entry.state == "planned"]
    if not planned:
        raise StoreUnavailable(
            f"The journal of run {folder.run_id} is lost, and with it which store the run was started with. The record "
            "is sealed on this machine.",
            next_step=f"python -m probes.resume {folder.run_id} --store dir:PATH or s3://BUCKET[/PREFIX]",
            reason="store_unknown",
        )
    return open_store(planned[0].data.get("store"), records)


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
