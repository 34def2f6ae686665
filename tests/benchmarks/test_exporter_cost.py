"""Windows of a recorder that is read or not become a control, a ratio and a share of a core."""

from typing import Any

import pytest

from benchmarks.exporter_cost import PROGRAM, evaluate
from benchmarks.recorder_against_subscriber import manifests
from tests.support.values import DIGEST

WINDOW_S = 10.0


def one_round(unread_s: float, read_s: float) -> dict[str, Any]:
    return {"kind": "round", "unread": {"cpu_s": unread_s}, "again": {"cpu_s": unread_s}, "read": {"cpu_s": read_s}}


def test_reading_is_compared_with_not_reading_and_with_a_core() -> None:
    control, added, share = evaluate([one_round(0.30, 0.36), one_round(0.31, 0.37), one_round(0.30, 0.36)], WINDOW_S, 1)
    assert control.holds_one
    assert added.ratio == pytest.approx(1.2, abs=0.01)
    assert share.ratio == pytest.approx(0.036, abs=0.001)
    assert share.verdict == "kept"


def test_more_than_a_twentieth_of_a_core_is_too_much() -> None:
    assert evaluate([one_round(0.5, s) for s in (0.61, 0.62, 0.61)], WINDOW_S, 1)[-1].verdict == "broken"


def test_the_pod_runs_the_program() -> None:
    (container,) = manifests(f"registry/recorder@{DIGEST}", ["--topics=1"], PROGRAM)[-1]["spec"]["containers"]
    assert container["args"] == [*PROGRAM, "--topics=1"]
