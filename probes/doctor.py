"""`python -m probes.doctor`: list the runs on this machine, how far each is, and what to type."""

from dataclasses import dataclass

import typer

from probes.console import Screen
from probes.journal import QUARANTINE_FILE
from probes.resume import needs_resuming
from probes.run_id import created_at
from probes.spool import MANIFEST_FILE, RunFolder, Spool

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Diagnosis:
    """How far a run is, and what to type."""

    run_id: str
    created: str
    stack: str
    state: str
    next_step: str


def diagnose(folder: RunFolder) -> Diagnosis:
    """Look at one run without touching it."""
    recovered = folder.read_journal()
    entries = recovered.entries
    if not entries:
        return Diagnosis(folder.run_id, _created(folder), "?", "no readable journal", f"look into {folder.path}")
    stack = str(entries[0].data.get("stack", "?"))
    state: str = entries[-1].state
    if folder.is_sealed:
        manifest = folder.read_json(f"sealed/{MANIFEST_FILE}")
        reason = f" ({manifest['reason']})" if manifest["reason"] else ""
        state = f"{state}, {manifest['state']}{reason}"
    elif entries[-1].reason:
        state = f"{state} ({entries[-1].reason})"
    if recovered.remainder or (folder.path / QUARANTINE_FILE).exists():
        state += ", journal was damaged"
    return Diagnosis(folder.run_id, _created(folder), stack, state, _next_step(folder))


def _created(folder: RunFolder) -> str:
    try:
        return created_at(folder.run_id).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return "?"


def _next_step(folder: RunFolder) -> str:
    if folder.is_running():
        return "it runs now"
    if needs_resuming(folder):
        return f"python -m probes.resume {folder.run_id}"
    if folder.is_sealed:
        return f"python -m probes.report {folder.run_id}"
    return "nothing was measured; the folder may be removed"


@app.command()
def doctor() -> None:
    """List the runs in the spool, their states, and what to type for each."""
    screen, spool = Screen(), Spool()
    found = [diagnose(folder) for folder in spool.runs()]
    if not found:
        screen.line(f"No runs in {spool.root}.")
        return
    screen.line(f"Runs in {spool.root}, oldest first:")
    for item in found:
        screen.line(f"{item.run_id}  {item.created}  {item.stack}  {item.state}")
        screen.line(f"    next: {item.next_step}")


if __name__ == "__main__":
    app()
