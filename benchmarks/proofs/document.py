"""Pure: docs/proofs.md as text, and back, so that proving one claim again keeps the lines of the others."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.proofs.finding import Finding

COLUMNS = ("proof", "claim", "figure", "measured", "interval", "verdict", "command", "machine", "date", "commit")
INTRODUCTION = """# Proofs

<!-- Written by `make prove` (`python -m benchmarks.proofs`); each proof replaces its own lines. -->

What the measurements are claimed to be good for, put to the test with truths that are known before the run: delays,
stalls and losses that a node commits because it was told to, loads of known size, a shifted clock, equal runs. What
each proof does stands in its file in [benchmarks/proofs/](../benchmarks/proofs/). `not enough data` is no verdict: the
reason stands in the place of what was measured.

"""
CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Circumstances:
    """What all lines of one call have in common."""

    machine: str
    date: str
    commit: str


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    proof: int
    cells: tuple[str, ...]


def lines_of(findings: Iterable[Finding], circumstances: Circumstances) -> list[Line]:
    """Make the lines of what was found."""
    return [
        Line(
            found.proof,
            (
                found.claim,
                found.figure,
                found.measured,
                found.interval,
                found.verdict,
                command_of(found.proof),
                circumstances.machine,
                circumstances.date,
                circumstances.commit,
            ),
        )
        for found in findings
    ]


def command_of(proof: int) -> str:
    """Say what to type to prove a claim again."""
    return f"`python -m benchmarks.proofs --only {proof}`"


def read(text: str) -> list[Line]:
    """Read the lines of an earlier document."""
    found: list[Line] = []
    for row in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in CELL.split(row)[1:-1]]
        if len(cells) == len(COLUMNS) and cells[0].isdecimal():
            found.append(Line(int(cells[0]), tuple(cells[1:])))
    return found


def merged(known: Sequence[Line], new: Sequence[Line]) -> list[Line]:
    """Replace the lines of the proofs that were run anew."""
    proved = {line.proof for line in new}
    return sorted([*(line for line in known if line.proof not in proved), *new], key=lambda line: line.proof)


def document(lines: Iterable[Line]) -> str:
    """Write the document."""
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
    rows = "".join(
        f"| {line.proof} | {' | '.join(cell.replace('|', chr(92) + '|') for cell in line.cells)} |\n" for line in lines
    )
    return INTRODUCTION + head + rows
