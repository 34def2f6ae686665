"""docs/proofs.md: what was proved earlier stays, what is proved anew is replaced."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.proofs.__main__ import REDUCED, all_proofs, chosen
from benchmarks.proofs.document import Circumstances, document, lines_of, merged, read
from benchmarks.proofs.finding import Finding, Verdict

WHERE = Circumstances("x86_64, 2 cores", "2026-01-02", "0123456789ab")


def finding(proof: int, claim: str = "claim", verdict: Verdict = "holds") -> Finding:
    return Finding(proof, claim, "1 %", "0.5 %", "0.4 to 0.6 %", verdict)


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1, max_size=4))
def test_a_document_is_read_as_it_was_written(claims: list[str]) -> None:
    lines = lines_of([finding(3, claim) for claim in claims if "\\" not in claim], WHERE)
    assert read(document(lines)) == lines


def test_proofs_that_were_not_run_keep_their_lines() -> None:
    known = lines_of([finding(1), finding(3, "old"), finding(3, "older")], WHERE)
    new = lines_of([finding(3, "new", "fails")], WHERE)
    assert [(line.proof, line.cells[0]) for line in merged(known, new)] == [(1, "claim"), (3, "new")]
    assert "| fails | `python -m benchmarks.proofs --only 3` |" in document(new)


def test_every_proof_has_a_number_of_its_own_and_the_reduced_set_is_among_them() -> None:
    proofs = all_proofs()
    assert list(proofs) == list(range(1, 11))
    assert set(REDUCED) <= set(proofs)
    for number, proof in proofs.items():
        assert (proof.__doc__ or "").startswith(f"Proof {number}: ")


def test_choices() -> None:
    assert chosen((), reduced=False, known=[1, 2, 3]) == [1, 2, 3]
    assert chosen((), reduced=True, known=[1, 2, 4]) == [2]
    assert chosen((2, 2), reduced=True, known=[1, 2]) == [2]
    with pytest.raises(typer.BadParameter, match="no proof 11; choices: 1, 2"):
        chosen((11,), reduced=False, known=[1, 2])
