"""Proof 6 judges what the pod tells: each limit by itself, and never without data."""

from typing import Any

from benchmarks.proofs.proof_06_recorder import findings


def told(
    recorder_s: float, recorder_hz: float, *, subscriber_hz: float = 5000.0, lost: int = 0
) -> list[dict[str, Any]]:
    seconds = {"recorder": recorder_s, "subscriber": 1.0, "again": 1.0}
    window = {"kind": "cpu", "seconds": seconds, "received": {"recorder": 100 - lost}, "sent": 100}
    ordinary = {"hz": subscriber_hz, "is_bound": False}
    recorder = {"hz": recorder_hz, "is_bound": False}
    search = {"kind": "rate", "recorder": recorder, "subscriber": ordinary, "again": ordinary}
    equal = search | {"recorder": {"hz": 50_001, "is_bound": False}}
    return [window] * 3 + [search | {"queue": "default"}, equal | {"queue": "equal"}] * 3


def verdicts(lines: list[dict[str, Any]]) -> list[str]:
    return [finding.verdict for finding in findings(lines)]


def test_each_limit_is_judged_by_itself() -> None:
    assert verdicts(told(0.09, 50_001)) == ["holds"] * 7
    assert verdicts(told(0.11, 50_001)) == ["fails", *["holds"] * 6]
    assert verdicts(told(0.09, 49_000)) == ["holds", "fails", *["holds"] * 5]
    assert verdicts(told(0.09, 50_001, lost=1)) == ["holds", "holds", "holds", "fails", *["holds"] * 3]


def test_rates_are_told_with_their_ratio() -> None:
    _, default, equal, *_ = findings(told(0.09, 40_000))
    assert default.measured == "0.1250 over 3 pairs (40,000 against 5,000 messages a second)"
    assert "with a default queue of 10" in default.claim
    assert "as deep as the recorder's" in equal.claim


def test_a_subscriber_that_always_loses_is_no_proof() -> None:
    assert verdicts(told(0.09, 50_001, subscriber_hz=0.0)) == ["holds", *["not enough data"] * 2, "holds", "holds"]
