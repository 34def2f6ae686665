"""Windows of a recorder that is read or not become a control, a ratio and a share of a core."""

from typing import Any

import pytest

from benchmarks.exporter_cost import PROGRAM, evaluate
from benchmarks.recorder_against_subscriber import manifests
from tests.support.values import DIGEST

WINDOW_S = 10.0


def one_round(unread_s: float, read_s: float, exporter_s: float) -> dict[str, Any]:
    unread = {"cpu_s": unread_s}
    return {"unread": unread, "again": unread, "read": {"cpu_s": read_s}, "exporter": {"cpu_s": exporter_s}}


def test_reading_is_compared_with_not_reading_and_with_a_core() -> None:
    rounds = [one_round(*seconds) for seconds in ((0.50, 0.60, 0.36), (0.51, 0.61, 0.37), (0.50, 0.60, 0.36))]
    control, added, exporter, run = evaluate(rounds, WINDOW_S, 1)
    assert control.holds_one
    assert added.ratio == pytest.approx(1.2, abs=0.01)
    assert exporter.ratio == pytest.approx(0.036, abs=0.001)
    assert run.ratio == pytest.approx(0.06, abs=0.001)
    assert (exporter.verdict, run.verdict) == ("kept", "reported")


def test_an_exporter_that_takes_more_than_a_twentieth_of_a_core_takes_too_much() -> None:
    verdicts = [one.verdict for one in evaluate([one_round(0.6, 0.7, s) for s in (0.61, 0.62, 0.61)], WINDOW_S, 1)]
    assert verdicts == ["reported", "reported", "broken", "reported"]


def test_the_pod_runs_the_program() -> None:
    (container,) = manifests(f"registry/recorder@{DIGEST}", ["--topics=1"], PROGRAM)[-1]["spec"]["containers"]
    assert container["args"] == [*PROGRAM, "--topics=1"]
