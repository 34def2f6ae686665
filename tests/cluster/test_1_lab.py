"""The lab can be cut off anywhere and taken down without a trace. Runs first: it leaves the lab down."""

import os
import random
import signal
import subprocess
import time

import pytest

from tests.cluster.conftest import Journey, assert_as_before

pytestmark = pytest.mark.cluster


def killed_up(journey: Journey, after_s: float) -> bool:
    """Start `lab up` and kill it with everything of its process group; return whether it was still running."""
    print(f"\n$ python -m lab up   # killed after {after_s:.1f} s", flush=True)
    process = subprocess.Popen(
        [".venv/bin/python", "-m", "lab", "up", "--no-images"],
        cwd=journey.checkout,
        env=dict(journey.environment),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def lab_up_s(journey: Journey) -> float:
    """Bring the lab up; give how long that took, which on a machine that has never done it is half an hour."""
    began_s = time.monotonic()
    assert journey.type(".venv/bin/python -m lab up --no-images", timeout_s=3600).returncode == 0
    return time.monotonic() - began_s


def test_up_killed_at_any_moment_can_be_taken_down_without_a_trace(
    journey: Journey, before: dict[str, object], chance: random.Random
) -> None:
    killed = 0
    for _ in range(2):
        killed += killed_up(journey, chance.uniform(1.0, 20.0))
        assert journey.type(".venv/bin/python -m lab down").returncode == 0
        assert_as_before(before)
    assert killed, "at least one start was cut off"


def test_up_after_a_killed_up_works_and_up_again_changes_nothing(
    journey: Journey, before: dict[str, object], chance: random.Random
) -> None:
    killed_up(journey, chance.uniform(1.0, 20.0))
    first_s = lab_up_s(journey)
    first = journey.type(".venv/bin/python -m lab status --json").stdout
    assert lab_up_s(journey) < first_s / 2
    assert journey.type(".venv/bin/python -m lab status --json").stdout == first
    assert "Ready" in journey.kubectl("get nodes")
    assert journey.type(".venv/bin/python -m lab down").returncode == 0
    assert_as_before(before)
