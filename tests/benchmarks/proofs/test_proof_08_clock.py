"""A shifted clock: corrected within the bound, refused, or caught."""

from benchmarks.proofs.proof_08_clock import START, Measured, finding

OFFSET_NS = 20_000_000_000
PLAIN = Measured(0, 0, is_one_clock=True, metrics={"inference_s": 0.004, START: -0.4})


def shifted(
    offset_ns: int = OFFSET_NS + 400_000,
    *,
    one: bool = False,
    latency: float | str = "clock_unproven",
    start: float | str = -0.1,
) -> Measured:
    metrics = {"inference_s": latency, START: start}
    return Measured(offset_ns, 1_000_000, is_one_clock=one, metrics=metrics)


def test_refused_latency_and_corrected_start_hold() -> None:
    found = finding(OFFSET_NS, PLAIN, shifted())
    assert found.verdict == "holds"
    assert "missing(clock_unproven)" in found.measured
    assert found.interval == "± 1.000 ms"


def test_corrected_latency_within_the_bound_holds() -> None:
    assert finding(OFFSET_NS, PLAIN, shifted(latency=0.0049)).verdict == "holds"


def test_an_offset_beyond_its_bound_fails() -> None:
    assert finding(OFFSET_NS, PLAIN, shifted(OFFSET_NS + 1_000_001)).verdict == "fails"


def test_a_latency_that_holds_the_shift_fails() -> None:
    found = finding(OFFSET_NS, PLAIN, shifted(latency=2.004))
    assert found.verdict == "fails"
    assert "instead of 4.000 ms" in found.measured


def test_two_clocks_taken_for_one_fail() -> None:
    assert finding(OFFSET_NS, PLAIN, shifted(one=True)).verdict == "fails"


def test_a_start_that_holds_the_shift_fails_and_a_missing_one_is_told() -> None:
    assert finding(OFFSET_NS, PLAIN, shifted(start=19.6)).verdict == "fails"
    told = finding(OFFSET_NS, PLAIN, shifted(start="clock_unproven"))
    assert told.verdict == "holds"
    assert f"{START} missing(clock_unproven)" in told.measured
