"""What a proof found: one line of docs/proofs.md."""

from dataclasses import asdict, dataclass
from typing import Literal

Verdict = Literal["holds", "fails", "not enough data"]


@dataclass(frozen=True)
class Finding:
    """One claim put to the test.

    Attributes:
        proof: Number of the proof.
        claim: What was claimed, for people.
        figure: The limit, in numbers.
        measured: What came out.
        interval: How far it may be off, or `none`.
        verdict: Whether the claim holds.
    """

    proof: int
    claim: str
    figure: str
    measured: str
    interval: str
    verdict: Verdict

    def as_json(self) -> dict[str, object]:
        """Give the finding as plain values."""
        return asdict(self)


def verdict_of(*, holds: bool) -> Verdict:
    """Say in words whether a claim holds."""
    return "holds" if holds else "fails"


def no_data(proof: int, claim: str, figure: str, reason: str) -> Finding:
    """Say that a claim could not be put to the test, and why: never that it holds."""
    return Finding(proof, claim, figure, reason, "none", "not enough data")


def milliseconds(low_s: float, high_s: float | None = None) -> str:
    """Print a time, or a range of times, for people."""
    if high_s is None:
        return f"{low_s * 1e3:.3f} ms"
    return f"{low_s * 1e3:.3f} to {high_s * 1e3:.3f} ms"
