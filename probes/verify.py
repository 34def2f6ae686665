"""`python -m probes.verify`: whether records are still what their manifests say, here and in the store.

Exit codes: 0 all is well; 3 something is damaged, missing or does not belong; 5 a record is not in the store, or the
store cannot be read; 7 the store holds another record under the name of one of this machine.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.table import Table

from probes.console import Screen, quantity
from probes.errors import ExitCode, ProbeError, UsageError
from probes.integrity import MANIFEST_FILE, Manifest, Problem, check_record, digest, read_manifest
from probes.record import sealed_digest
from probes.records import RecordStore
from probes.resume import own_store
from probes.run_id import created_at
from probes.spool import RunFolder, Spool
from probes.store_choice import chosen_store
from probes.tree_check import check_stored, check_tree, read_or_none

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
OWN = "own"
SEVERITY = (ExitCode.COMMITTED, ExitCode.STORED_LOCALLY, ExitCode.INVALID, ExitCode.CONFLICT)
CONTRACT = 1
SHORT = 12


@dataclass(frozen=True)
class Verified:
    """One record in one place: how much was read, what is wrong, and the exit code that follows from it."""

    run_id: str
    place: str
    parts: int
    size_bytes: int
    problems: tuple[Problem, ...]
    code: ExitCode
    next_step: str = ""
    is_here: bool = False


def verify_sealed(folder: RunFolder) -> Verified:
    """Check the sealed record in a run's folder: its parts, and its manifest against the journal."""
    payload = (folder.sealed / MANIFEST_FILE).read_bytes()

    def read(name: str) -> bytes | None:
        path = folder.sealed / name
        return path.read_bytes() if path.is_file() else None

    checked = check_record(payload, read)
    problems = list(checked.problems)
    told = sealed_digest(folder.read_journal().entries)
    if told not in {None, digest(payload)}:
        problems.append(Problem("sha256", MANIFEST_FILE, f"has SHA-256 {digest(payload)}; the journal says {told}"))
    manifest = read_manifest(payload)
    if isinstance(manifest, Manifest):
        if manifest.run_id != folder.run_id:
            problems.append(Problem("place", MANIFEST_FILE, f"is of run {manifest.run_id}"))
        listed = {part.name for part in manifest.parts} | {MANIFEST_FILE}
        others = sorted(path.name for path in folder.sealed.iterdir() if path.name not in listed)
        problems += [Problem("unknown", name, "is not listed in the manifest") for name in others]
    code = ExitCode.INVALID if problems else ExitCode.COMMITTED
    step = f"python -m probes.resume {folder.run_id}" if problems else ""
    return Verified(
        folder.run_id, str(folder.sealed), checked.parts, checked.size_bytes, tuple(problems), code, step, is_here=True
    )


def verify_stored(folder: RunFolder, store: RecordStore) -> Verified:
    """Check the record of a run in a store, and that it is the one that was sealed here.

    Raises:
        StoreUnavailable: The store cannot be read.
    """
    payload = (folder.sealed / MANIFEST_FILE).read_bytes()
    manifest = read_manifest(payload)
    if not isinstance(manifest, Manifest):
        return Verified(folder.run_id, store.address(""), 0, 0, (manifest,), ExitCode.INVALID)
    place = store.address(manifest.prefix)
    stored = read_or_none(store, manifest.prefix + MANIFEST_FILE)
    if stored is None:
        absent = Problem("missing", manifest.prefix + MANIFEST_FILE, "is not in the store")
        step = f"python -m probes.resume {folder.run_id}"
        return Verified(folder.run_id, place, 0, 0, (absent,), ExitCode.STORED_LOCALLY, step)
    names = [key.removeprefix(manifest.prefix) for key in store.list(manifest.prefix)]
    checked = check_stored(store, manifest.prefix, names)
    problems, code = list(checked.problems), ExitCode.INVALID if checked.problems else ExitCode.COMMITTED
    if stored != payload:
        text = f"has SHA-256 {digest(stored)}; what was sealed on this machine has {digest(payload)}"
        problems.append(Problem("sha256", manifest.prefix + MANIFEST_FILE, text))
        code = ExitCode.CONFLICT
    step = (
        f"keep this machine's elsewhere: python -m probes.resume {folder.run_id} --store dir:PATH" if problems else ""
    )
    return Verified(folder.run_id, place, checked.parts, checked.size_bytes, tuple(problems), code, step)


def verify_tree(store: RecordStore) -> list[Verified]:
    """Check a whole store: one entry for each record, one for the rest.

    Raises:
        StoreUnavailable: The store cannot be read.
    """
    tree = check_tree(store)
    found = [
        Verified(
            record.run_id,
            store.address(""),
            record.parts,
            record.size_bytes,
            record.problems,
            ExitCode.INVALID if record.problems else ExitCode.COMMITTED,
        )
        for record in tree.records
    ]
    if tree.problems:
        is_cut = all(problem.kind == "unfinished" for problem in tree.problems)
        code = ExitCode.STORED_LOCALLY if is_cut else ExitCode.INVALID
        step = "python -m probes.resume on the machine that measured" if is_cut else "look into the files named"
        found.append(Verified("", store.address(""), 0, 0, tree.problems, code, step))
    return found


@app.command()
def verify(
    run: Annotated[list[str] | None, typer.Argument(help="Runs of this machine (identifier or a part of it).")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every sealed run of this machine.")] = False,
    store: Annotated[
        str | None,
        typer.Option(
            help="With runs: check them in this store, too; own is the one that each was started with. Without runs: "
            "check all that lies in it. dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Check records against their manifests: names, sizes, SHA-256, schemas."""
    screen = Screen(as_json=as_json)
    try:
        found = _verify(run or [], every=every, store=store, screen=screen)
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    _show(screen, found)
    raise typer.Exit(max((item.code for item in found), key=SEVERITY.index, default=ExitCode.COMMITTED))


def _verify(parts: Sequence[str], *, every: bool, store: str | None, screen: Screen) -> list[Verified]:
    spool = Spool()
    if not parts and not every:
        if store is None or store == OWN:
            raise UsageError(
                "There is nothing to verify: no run, no --all, no --store that names one.",
                next_step="python -m probes.verify --all, or RUN, or --store dir:PATH or s3://BUCKET",
            )
        opened = chosen_store(store)
        screen.step(f"check all of {opened.address('')}")
        return verify_tree(opened)
    folders = [spool.find(part) for part in parts] or [folder for folder in spool.runs() if folder.is_sealed]
    found: list[Verified] = []
    screen.step(f"check {len(folders)} of the runs of this machine")
    for folder in folders:
        if not folder.is_sealed:
            raise UsageError(
                f"Run {folder.run_id} is not sealed: it has no record yet.",
                next_step=f"python -m probes.resume {folder.run_id}",
            )
        found.append(verify_sealed(folder))
        if store is not None:
            opened = own_store(folder, None if store == OWN else store)
            found.append(verify_stored(folder, opened))
    return found


def _show(screen: Screen, found: Sequence[Verified]) -> None:
    problems = sum(len(item.problems) for item in found)
    if screen.as_json:
        document = {"contract": CONTRACT, "problems": problems, "records": [asdict(item) for item in found]}
        sys.stdout.write(json.dumps(document, sort_keys=True) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "created (UTC)", "where", "parts", "size", "verdict"):
        table.add_column(column, overflow="fold", justify="right" if column in {"parts", "size"} else "left")
    for item in found:
        if item.run_id or item.parts:
            verdict = f"{len(item.problems)} wrong" if item.problems else "intact"
            size = quantity(item.size_bytes, "B")
            where = "here" if item.is_here else "store"
            table.add_row(item.run_id[-SHORT:], _created(item.run_id), where, str(item.parts), size, verdict)
    screen.table(table)
    for item in found:
        for line in _lines(item):
            screen.line(line)
    screen.line(f"{len({item.run_id for item in found if item.run_id})} records checked, {problems} problems.")


def _lines(item: Verified) -> Iterable[str]:
    for problem in item.problems:
        yield f"{problem.kind}: {problem.key} {problem.text}"
    if item.next_step:
        yield f"    next: {item.next_step}"


def _created(run_id: str) -> str:
    try:
        return created_at(run_id).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return "?"


if __name__ == "__main__":
    app()
