"""The example of workers without ROS: jobs that wait, and what a worker tells of itself."""

import threading
import urllib.request
from collections import Counter
from typing import Any
from urllib.error import HTTPError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

waiting_jobs = module("ros2bench_examples.waiting_jobs")
worker_metrics = module("ros2bench_examples.worker_metrics")
health_server = module("ros2bench_bringup.health_server")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 8))
def test_jobs_come_out_once_and_in_order_and_no_more_wait_than_may(adds: list[bool], capacity: int) -> None:
    queue = waiting_jobs.WaitingJobs(capacity)
    expected: list[int] = []
    for number, adds_one in enumerate(adds):
        if adds_one:
            assert queue.add(number * 1000, number) == (len(expected) < capacity)
            expected += [number] if len(expected) < capacity else []
        else:
            job = queue.take()
            assert (job.number if job else None) == (expected.pop(0) if expected else None)


def test_the_wait_is_that_of_the_oldest_and_grows_while_nobody_takes() -> None:
    clock = Clock()
    queue = waiting_jobs.WaitingJobs(10, clock)
    assert queue.wait_s() == 0
    queue.add(0, 0)
    clock.now += 2
    queue.add(1, 1)
    clock.now += 1
    assert queue.wait_s() == 3
    queue.take()
    assert queue.wait_s() == 1
    queue.take()
    assert queue.wait_s() == 0


def test_workers_that_take_at_once_never_get_the_same_job() -> None:
    queue = waiting_jobs.WaitingJobs(5000)
    taken: list[int] = []

    def work() -> None:
        while (job := queue.take()) is not None:
            taken.append(job.number)

    for number in range(5000):
        queue.add(0, number)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == Counter(range(5000))


@pytest.fixture
def served() -> Any:
    """Metrics of a worker on a port that was free."""
    metrics = worker_metrics.WorkerMetrics()
    probe = worker_metrics.listen(18391, metrics)
    health_server.serve(probe)
    yield metrics, f"http://127.0.0.1:{probe.server_port}"
    health_server.stop(probe)


def test_a_worker_serves_counters_that_grow(served: Any) -> None:
    metrics, address = served
    metrics.note_job(0.25)
    metrics.note_job(0.5)
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:  # noqa: S310
        text = answer.read().decode()
    assert "worker_jobs_total 2\n" in text
    assert "worker_busy_seconds_total 0.750000\n" in text
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(f"{address}/other", timeout=5)  # noqa: S310
    refused.value.close()
    assert refused.value.code == 404


def test_port_zero_takes_none() -> None:
    assert worker_metrics.listen(0, worker_metrics.WorkerMetrics()) is None
