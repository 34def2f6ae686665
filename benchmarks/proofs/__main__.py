"""`python -m benchmarks.proofs`: run the proofs in the cluster of the environment and write docs/proofs.md."""

import importlib
import json
import os
import pkgutil
import platform
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer
from rich.console import Console

from benchmarks import proofs
from benchmarks.proofs.bench import Bench, bench_folder
from benchmarks.proofs.document import Circumstances, document, lines_of, merged, read
from benchmarks.proofs.finding import Finding, no_data
from probes.errors import ExitCode, ProbeError
from probes.provenance import PROJECT_ROOT, read_commit

DOCUMENT = PROJECT_ROOT / "docs" / "proofs.md"
REDUCED = (2, 9)
"""Proofs of `--reduced`, part of every test run: a minute and a half, and no need of a quiet machine."""
FAILED = 1
console = Console(stderr=True, highlight=False)


class Proof(Protocol):
    """A file of this folder."""

    NUMBER: int

    def prove(self, bench: Bench, *, reduced: bool) -> list[Finding]:
        """Put the claims to the test."""
        ...


def all_proofs() -> dict[int, Proof]:
    """Every proof of this folder by its number, in order."""
    names = sorted(module.name for module in pkgutil.iter_modules(proofs.__path__))
    modules = [importlib.import_module(f"{proofs.__name__}.{name}") for name in names if name.startswith("proof_")]
    found = [cast("Proof", module) for module in modules]
    return {proof.NUMBER: proof for proof in found}


def chosen(only: Sequence[int], *, reduced: bool, known: Sequence[int]) -> list[int]:
    """Check which proofs are asked for.

    Raises:
        typer.BadParameter: There is no such proof.
    """
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise typer.BadParameter(f"there is no proof {unknown[0]}; choices: {', '.join(map(str, known))}")
    if only:
        return sorted(set(only))
    return [number for number in known if number in REDUCED] if reduced else list(known)


def circumstances() -> Circumstances:
    """Describe machine, date and commit."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = re.match(r"\d+\.\d+", platform.release())
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, "
    machine += f"{platform.system()} {kernel[0] if kernel else platform.release()}"
    commit = read_commit(PROJECT_ROOT)
    dirty = " (changed)" if commit.is_dirty else ""
    return Circumstances(machine, datetime.now(UTC).date().isoformat(), f"{(commit.revision or 'none')[:12]}{dirty}")


def run_proof(proof: Proof, bench: Bench, *, reduced: bool) -> list[Finding]:
    """Put one proof to the test; what keeps it from being tried is its finding, and the others go on."""
    try:
        return proof.prove(bench, reduced=reduced)
    except ProbeError as problem:
        console.print(str(problem), markup=False, style="red")
        claim = ((proof.__doc__ or "").splitlines() or [""])[0].partition(": ")[2].rstrip(".")
        return [no_data(proof.NUMBER, claim, "-", problem.message.splitlines()[0][:300])]


def prove(numbers: Sequence[int], *, reduced: bool, keep: Callable[[list[Finding]], None]) -> list[Finding]:
    """Run proofs one after the other on one bench; what each found is kept at once."""
    known, found = all_proofs(), list[Finding]()
    with bench_folder() as folder:
        bench = Bench(Path(folder), console)
        try:
            for number in numbers:
                console.print(f"proof {number}", style="bold")
                new = run_proof(known[number], bench, reduced=reduced)
                for one in new:
                    console.print(f"  {one.verdict}: {one.claim}: {one.measured}", markup=False)
                keep(new)
                found += new
        finally:
            bench.close()
    return found


def main(
    only: Annotated[list[int] | None, typer.Option(help="Number of a proof; may be repeated. Default: all.")] = None,
    reduced: Annotated[
        bool, typer.Option("--reduced", help="Fewer repetitions, and only the proofs that do without many.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Document to write. Default: docs/proofs.md, with --reduced none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each finding as a line of JSON.")] = False,
) -> None:
    """Put the claims about the measurements to the test. Exit code 0: all hold, 1: one fails, 3: not enough data."""
    if "KUBECONFIG" not in os.environ:
        console.print('KUBECONFIG is not set. Type: eval "$(python -m lab env)"')
        raise typer.Exit(ExitCode.USAGE)
    numbers = chosen(only or (), reduced=reduced, known=list(all_proofs()))
    target = output or (None if reduced else DOCUMENT)
    where = circumstances()

    def keep(new: list[Finding]) -> None:
        if target is not None:
            known = read(target.read_text(encoding="utf-8")) if target.exists() else []
            target.write_text(document(merged(known, lines_of(new, where))), encoding="utf-8")

    found = prove(numbers, reduced=reduced, keep=keep)
    if as_json:
        for one in found:
            print(json.dumps(one.as_json()))  # noqa: T201 - the command's result
    verdicts = {one.verdict for one in found}
    if "fails" in verdicts:
        raise typer.Exit(FAILED)
    if "not enough data" in verdicts:
        raise typer.Exit(ExitCode.INVALID)


if __name__ == "__main__":
    typer.run(main)
