"""What the pod of the benchmark tells becomes ratios, controls and a verdict; its objects are what a cluster admits."""

from typing import Any

import pytest

from benchmarks.recorder_against_subscriber import evaluate, manifests
from components import pod_security
from tests.support.values import DIGEST


def window(recorder_s: float, *, lost: int = 0) -> dict[str, Any]:
    return {
        "kind": "cpu",
        "seconds": {"recorder": recorder_s, "subscriber": 1.0, "again": 1.01},
        "received": {"recorder": 7500 - lost, "subscriber": 7500, "again": 7500},
        "sent": 7500,
    }


def search(recorder_hz: float, subscriber_hz: float = 5000.0, *, is_bound: bool = False) -> list[dict[str, Any]]:
    """A search against a default queue, and one against an equal one, where everybody is twice as fast."""
    return [
        {
            "kind": "rate",
            "queue": queue,
            "recorder": {"hz": faster * recorder_hz, "is_bound": is_bound and queue == "equal"},
            **{name: {"hz": faster * subscriber_hz, "is_bound": False} for name in ("subscriber", "again")},
        }
        for queue, faster in (("default", 1), ("equal", 2))
    ]


def test_ratios_and_controls() -> None:
    lines = [window(0.06), window(0.07), window(0.065), {"kind": "dropped", "recorder": 0}]
    lines += search(60_000) + search(61_000, is_bound=True) + search(59_000)
    found = evaluate(lines, seed=1)
    assert found.cpu.ratio == pytest.approx(0.065, abs=0.001)
    assert found.cpu.verdict == "kept"
    default, equal = found.intervals["default"], found.intervals["equal"]
    assert default
    assert equal
    assert default.ratio == pytest.approx(1 / 12, abs=0.001)
    assert (default.first_s, equal.first_s) == (1 / 60_000, 1 / 120_000)
    assert (default.verdict, equal.verdict) == ("kept", "kept")
    assert (found.lost, found.bound) == (0, ("equal",))
    assert [one.name.partition(",")[0] for one in found.comparisons if "control" in one.name] == ["control"] * 3


def test_what_the_recorder_lost_or_could_not_keep_is_counted() -> None:
    lines = [window(0.06, lost=2), window(0.06), window(0.06), {"kind": "dropped", "recorder": 3}]
    assert evaluate(lines + search(1.0) * 3, seed=1).lost == 5


def test_a_listener_that_never_was_free_of_loss_gives_no_ratio() -> None:
    lines = [window(0.06)] * 3 + search(60_000, 0.0) + search(60_000) * 2
    assert evaluate(lines, seed=1).intervals == {"default": None, "equal": None}


def test_too_few_windows_carry_no_interval() -> None:
    with pytest.raises(ValueError, match="at least three"):
        evaluate([window(0.06)] * 2, seed=1)


def test_the_pod_keeps_the_restricted_standard() -> None:
    *_, pod = manifests(f"registry.example/recorder@{DIGEST}", ["--topics=50"])
    spec = pod["spec"]
    assert list(pod_security.of_pod(spec["securityContext"])) == []
    assert list(pod_security.of_container(spec["containers"][0]["securityContext"])) == []
    assert spec["containers"][0]["args"] == ["ros2bench-recorder-benchmark", "--topics=50"]
