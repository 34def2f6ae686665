"""The thread that keeps a schedule: every call once, in order, and no error lost."""

import threading
import time
from typing import Any

import pytest

from tests.images.in_cluster import module

metronome = module("ros2bench_nodes.metronome")


def test_everything_that_is_due_is_called_once_in_order() -> None:
    calls: list[tuple[int, int]] = []
    enough = threading.Event()

    def on_due(due_ns: int, number: int) -> None:
        calls.append((due_ns, number))
        if number == 9:
            enough.set()

    begun_ns = time.time_ns()
    keeper = metronome.Metronome("test", 200.0, on_due, burst=2)
    keeper.start()
    assert enough.wait(5)
    keeper.stop()
    keeper.check()
    assert [number for _, number in calls[:10]] == list(range(10))
    first_ns = calls[0][0]
    assert first_ns >= begun_ns + 5_000_000
    assert [due_ns - first_ns for due_ns, _ in calls[:10]] == [0, 0] + [
        t * 10_000_000 for t in (1, 1, 2, 2, 3, 3, 4, 4)
    ]


def test_a_late_call_is_made_up_and_keeps_its_time() -> None:
    late: list[float] = []
    enough = threading.Event()

    def on_due(due_ns: int, number: int) -> None:
        late.append((time.time_ns() - due_ns) / 1e9)
        if number == 0:
            time.sleep(0.1)
        if number == 5:
            enough.set()

    keeper = metronome.Metronome("test", 100.0, on_due)
    keeper.start()
    assert enough.wait(5)
    keeper.stop()
    assert late[1] >= 0.085
    assert late[1] > late[2] > late[3]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_ends_the_thread_and_is_not_forgotten() -> None:
    def on_due(due_ns: int, number: int) -> None:
        raise ValueError(f"frame {number} of {due_ns}")

    keeper = metronome.Metronome("camera", 1000.0, on_due)
    keeper.start()
    keeper._thread.join(5)
    with pytest.raises(RuntimeError, match="The camera has stopped"):
        keeper.check()


def test_an_error_after_the_shutdown_is_the_shutdown() -> None:
    def on_due(due_ns: int, number: int) -> None:
        raise ValueError(f"frame {number} of {due_ns}")

    keeper: Any = metronome.Metronome("camera", 1000.0, on_due, is_over=lambda: True)
    keeper.start()
    keeper._thread.join(5)
    keeper.check()
