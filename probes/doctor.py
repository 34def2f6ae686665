"""`python -m probes.doctor`: what waits, is damaged or in conflict on this machine, and what to type for each.

Exit code 0; with --check 7 where a run is in conflict, 3 where something is damaged, 6 where the disk is nearly full,
5 where a run waits to be sealed or stored.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import typer

from probes.console import Screen, quantity
from probes.durable import FAILED
from probes.errors import ExitCode, SpoolDamaged
from probes.integrity import Manifest, digest, read_manifest
from probes.journal import QUARANTINE_FILE, Entry, is_committed
from probes.kept import measured_something
from probes.record import CONFLICT, CONTEXT_FILE, sealed_digest
from probes.run_id import created_at
from probes.spool import LEAST_FREE_BYTES, MANIFEST_FILE, RunFolder, Spool

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
CONTRACT = 1
LOW_FACTOR = 4
Kind = Literal["running", "stored", "waiting", "orphaned", "empty", "invalid", "conflict", "damaged"]
KINDS: dict[Kind, str] = {
    "conflict": "in conflict: the store holds other bytes under their names",
    "damaged": "damaged",
    "orphaned": "orphaned: their process ended before they were sealed",
    "waiting": "waiting: sealed, not stored",
    "empty": "empty: ended before anything was measured",
    "invalid": "not valid or not complete",
    "running": "running",
    "stored": "stored",
}
"""The most pressing first."""
CALM = frozenset({"running", "stored", "invalid"})
CODES: dict[Kind, ExitCode] = {
    "conflict": ExitCode.CONFLICT,
    "damaged": ExitCode.INVALID,
    "orphaned": ExitCode.STORED_LOCALLY,
    "waiting": ExitCode.STORED_LOCALLY,
}
SEVERITY = (ExitCode.COMMITTED, ExitCode.STORED_LOCALLY, ExitCode.ABORTED, ExitCode.INVALID, ExitCode.CONFLICT)


@dataclass(frozen=True)
class Advice:
    """One thing to know about a run, and what to type."""

    kind: Kind
    text: str
    next_step: str


@dataclass(frozen=True)
class Diagnosis:
    """How far a run is, and what to do, the most pressing first."""

    run_id: str
    created: str
    stack: str
    state: str
    size_bytes: int
    advice: tuple[Advice, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What the run is, the most pressing first."""
        return tuple(item.kind for item in self.advice)

    @property
    def next_step(self) -> str:
        """What to type first."""
        return self.advice[0].next_step

    @property
    def is_calm(self) -> bool:
        """Whether nothing has to be done."""
        return all(kind in CALM for kind in self.kinds)


@dataclass(frozen=True)
class Disk:
    """Room on the spool's disk, and what the runs take of it; `problem` is empty where there is enough."""

    free_bytes: int
    runs_bytes: int
    reserved_bytes: int
    problem: str
    next_step: str


def diagnose(folder: RunFolder) -> Diagnosis:
    """Look at one run without touching it."""
    recovered = folder.read_journal()
    entries = recovered.entries
    is_running = folder.is_running()
    manifest = _manifest(folder)
    advice = [*_damage(folder, entries, manifest, lost=not entries), *_course(folder, entries, is_running=is_running)]
    if recovered.remainder and not is_running:
        text = f"{len(recovered.remainder)} bytes at the end of its journal are not readable; resuming keeps them aside"
        advice.append(Advice("damaged", text, _resume(folder)))
    if isinstance(manifest, Manifest) and manifest.content.get("state") != "complete":
        text = f"{manifest.content.get('state')} ({manifest.content.get('reason')})"
        advice.append(Advice("invalid", text, f"python -m probes.report {folder.run_id}"))
    advice.sort(key=lambda item: list(KINDS).index(item.kind))
    return Diagnosis(
        folder.run_id, _created(folder), _stack(entries), _state(entries, manifest), folder.size_bytes(),
        tuple(advice),
    )  # fmt: skip


def _course(folder: RunFolder, entries: Sequence[Entry], *, is_running: bool) -> list[Advice]:
    """Say how far a run came."""
    if is_running:
        return [Advice("running", "its process is alive", "it runs now")]
    if is_committed(entries):
        address = next(entry.data.get("address") for entry in entries if entry.state == "committed")
        return [Advice("stored", f"stored as {address}", f"python -m probes.report {folder.run_id}")]
    if entries and entries[-1].reason == CONFLICT:
        text = f"{entries[-1].data.get('address')} holds other bytes; nothing was overwritten, both are kept"
        step = f"python -m probes.verify {folder.run_id} --store own; to keep this one elsewhere: {_resume(folder)}"
        return [Advice("conflict", text, f"{step} --store dir:PATH")]
    if folder.is_sealed:
        return [Advice("waiting", "sealed on this machine only", _resume(folder))]
    if measured_something(folder):
        return [Advice("orphaned", "its process ended before it was sealed", _resume(folder))]
    return [_emptiness(folder)]


def _emptiness(folder: RunFolder) -> Advice:
    reserved = folder.reserved_bytes()
    if reserved:
        text = f"nothing was measured; {quantity(reserved, 'B')} are still reserved for its record"
        return Advice("empty", text, f"{_resume(folder)} gives them back; the folder may be removed as well")
    return Advice("empty", "nothing was measured", "nothing was measured; the folder may be removed")


def _damage(
    folder: RunFolder, entries: Sequence[Entry], manifest: Manifest | str | None, *, lost: bool
) -> list[Advice]:
    """Say what is not as it was written, as far as a glance shows it; `probes.verify` reads every byte."""
    found: list[str] = []
    if lost:
        found.append("its journal has no readable line")
    aside = folder.path / QUARANTINE_FILE
    if aside.exists():
        found.append(f"{aside.stat().st_size} bytes of its journal were not readable and are kept in {aside.name}")
    found += [
        f"{path.relative_to(folder.path)} is kept aside"
        for path in sorted(folder.path.rglob("*"))
        if FAILED in path.name or path.name.startswith("sealed.damaged")
    ]
    step = f"nothing; {folder.path} keeps it" if is_committed(entries) else _resume(folder)
    notes = [Advice("damaged", text, step) for text in found]
    if isinstance(manifest, str):
        notes.append(Advice("damaged", manifest, _resume(folder)))
    elif manifest is not None:
        broken = _sealed_damage(folder, entries, manifest)
        notes += [Advice("damaged", broken, f"python -m probes.verify {folder.run_id}")] * bool(broken)
    if not lost and entries[-1].state != "planned":
        try:
            folder.read_json(CONTEXT_FILE)
        except SpoolDamaged as damage:
            notes.append(Advice("damaged", damage.message, f"look into {folder.path}"))
    return notes


def _sealed_damage(folder: RunFolder, entries: Sequence[Entry], manifest: Manifest) -> str:
    if sealed_digest(entries) not in {None, digest((folder.sealed / MANIFEST_FILE).read_bytes())}:
        return "its sealed manifest is not the one that the journal names"
    for part in manifest.parts:
        path = folder.sealed / part.name
        if not path.is_file() or path.stat().st_size != part.size_bytes:
            return f"sealed/{part.name} is not there or not of the size that the manifest lists"
    return ""


def _manifest(folder: RunFolder) -> Manifest | str | None:
    """Read the sealed manifest; a sentence where it is damaged, None where there is none."""
    if not folder.is_sealed:
        return None
    found = read_manifest((folder.sealed / MANIFEST_FILE).read_bytes())
    return found if isinstance(found, Manifest) else f"sealed/{MANIFEST_FILE} {found.text}"


def _state(entries: Sequence[Entry], manifest: Manifest | str | None) -> str:
    if not entries:
        return "no readable journal"
    state = "committed" if is_committed(entries) else entries[-1].state
    if isinstance(manifest, Manifest):
        reason = f" ({manifest.content['reason']})" if manifest.content.get("reason") else ""
        return f"{state}, {manifest.content.get('state')}{reason}"
    return f"{state} ({entries[-1].reason})" if entries[-1].reason else state


def _stack(entries: Sequence[Entry]) -> str:
    return str(entries[0].data.get("stack", "?")) if entries else "?"


def _created(folder: RunFolder) -> str:
    try:
        return created_at(folder.run_id).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return "?"


def _resume(folder: RunFolder) -> str:
    return f"python -m probes.resume {folder.run_id}"


def examine_disk(spool: Spool, found: Sequence[Diagnosis]) -> Disk:
    """Look at the room that is left, and at what could be removed by hand."""
    free, runs = spool.free_bytes(), sum(item.size_bytes for item in found)
    reserved = sum(folder.reserved_bytes() for folder in spool.runs())
    stored = sum(item.size_bytes for item in found if "stored" in item.kinds)
    step = (
        f"free space; {quantity(stored, 'B')} of the runs are stored: once `python -m probes.verify --all --store own` "
        "says that they are intact, their folders may be removed"
    )
    if free < LEAST_FREE_BYTES:
        problem = f"the disk is full: {quantity(free, 'B')} are free, a run needs {quantity(LEAST_FREE_BYTES, 'B')}"
    elif free < LOW_FACTOR * LEAST_FREE_BYTES:
        problem = f"the disk is nearly full: {quantity(free, 'B')} are free"
    else:
        problem, step = "", ""
    return Disk(free, runs, reserved, problem, step)


@app.command()
def doctor(
    every: Annotated[bool, typer.Option("--all", help="Show also the runs for which nothing has to be done.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 3, 5, 6 or 7 where something has to be done.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Say which runs of this machine are not stored, damaged or in conflict, and what to type for each."""
    screen, spool = Screen(as_json=as_json), Spool()
    found = [diagnose(folder) for folder in spool.runs()]
    disk = examine_disk(spool, found)
    if as_json:
        sys.stdout.write(json.dumps(_document(spool, found, disk), sort_keys=True) + "\n")
    else:
        _show(screen, spool, [item for item in found if every or not item.is_calm], found, disk)
    codes = [CODES[kind] for item in found for kind in item.kinds if kind in CODES]
    codes += [ExitCode.ABORTED] * bool(disk.problem)
    raise typer.Exit(max(codes, key=SEVERITY.index, default=ExitCode.COMMITTED) if check else ExitCode.COMMITTED)


def _show(screen: Screen, spool: Spool, shown: Sequence[Diagnosis], found: Sequence[Diagnosis], disk: Disk) -> None:
    if disk.problem:
        screen.line(f"{disk.problem}\n    next: {disk.next_step}")
    if not found:
        screen.line(f"No runs in {spool.root}.")
        return
    screen.line(f"{len(found)} runs in {spool.root}, {quantity(disk.runs_bytes, 'B')}:")
    counts = Counter(kind for item in found for kind in item.kinds)
    for kind, meaning in KINDS.items():
        if counts[kind]:
            screen.line(f"  {counts[kind]:>5} {meaning}")
    for item in shown:
        screen.line(f"{item.run_id}  {item.created}  {item.stack}  {item.state}")
        for advice in item.advice:
            screen.line(f"    {advice.kind}: {advice.text}\n    next: {advice.next_step}")
    if not shown:
        screen.line("Nothing has to be done. All runs: python -m probes.list")


def _document(spool: Spool, found: Sequence[Diagnosis], disk: Disk) -> dict[str, Any]:
    return {
        "contract": CONTRACT,
        "spool": str(spool.root),
        "disk": asdict(disk),
        "runs": [asdict(item) | {"kinds": item.kinds} for item in found],
    }


if __name__ == "__main__":
    app()
