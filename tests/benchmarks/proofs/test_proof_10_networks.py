"""The table of patterns and networks: every cell is a value with its interval, or says why not."""

from benchmarks.proofs.proof_10_networks import MODES, PATTERNS, Cell, findings


def test_every_cell_is_a_line() -> None:
    cells = [Cell(pattern, mode, 0.03, (0.029, 0.031)) for pattern in PATTERNS for mode in MODES]
    found = findings(cells)
    assert len(found) == 16
    assert {one.verdict for one in found} == {"holds"}
    assert found[0].interval == "29.000 to 31.000 ms"


def test_a_value_without_an_interval_proves_nothing_but_its_existence() -> None:
    assert findings([Cell("monolithic", "server", 0.03, None)])[0].verdict == "fails"
    assert findings([Cell("monolithic", "server", 0.03, None)], needs_interval=False)[0].verdict == "holds"


def test_a_cell_that_could_not_be_measured_says_why() -> None:
    (found,) = findings([Cell("overlay", "multicast", None, None, "no message came")])
    assert (found.verdict, found.measured) == ("not enough data", "no message came")
