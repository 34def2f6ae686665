"""Inference without a model: the cost is processor time, and it is the same for every frame."""

import time

import pytest

from tests.images.in_cluster import module

processor_load = module("ros2bench_nodes.processor_load")


@pytest.mark.parametrize("cost_s", [0.002, 0.03])
def test_the_cost_is_what_the_thread_uses(cost_s: float) -> None:
    load = processor_load.ProcessorLoad(cost_s)
    began_s = time.thread_time()
    told = [load.burn() for _ in range(10)]
    used_s = (time.thread_time() - began_s) / 10
    assert min(told) >= cost_s
    assert used_s == pytest.approx(cost_s, rel=0.05)


def test_a_step_is_small_against_the_cost() -> None:
    class Clock:
        """A processor that does a round in ten microseconds."""

        now_s = 0.0

        def __call__(self) -> float:
            """Processor time."""
            self.now_s += 0.00001
            return self.now_s

    load = processor_load.ProcessorLoad(0.2, Clock())
    assert load.rounds_per_step == pytest.approx(100, abs=2)
    assert processor_load.ProcessorLoad(0.00001, Clock()).rounds_per_step == 1
