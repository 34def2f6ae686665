"""Uses up a given processor time per call: inference without a model. Needs no ROS."""

import time
import zlib
from collections.abc import Callable

CALIBRATION_S = 0.05
SMALLEST_STEP_S = 0.00001
STEPS_PER_COST = 200
BLOCK_BYTES = 8192


class ProcessorLoad:
    """Burns the same processor time at each call, counted by the thread's own clock.

    What is computed is a checksum of a fixed block, for which the interpreter lets other threads
    run, as inference does. How much of it makes a step is measured once, at the start, so that a
    call ends within a step (a two-hundredth of the cost, 10 us at least) of the cost, whatever
    else the machine does.
    """

    def __init__(self, cost_s: float, clock: Callable[[], float] = time.thread_time) -> None:
        """Measure how fast this processor is.

        Args:
            cost_s: processor time of one call.
            clock: processor time of the calling thread in seconds.
        """
        self._cost_s = cost_s
        self._clock = clock
        self._block = bytes(BLOCK_BYTES)
        start_s, rounds = clock(), 0
        while (used_s := clock() - start_s) < CALIBRATION_S:
            zlib.crc32(self._block)
            rounds += 1
        step_s = max(SMALLEST_STEP_S, cost_s / STEPS_PER_COST)
        self.rounds_per_step = max(1, int(step_s * rounds / used_s))

    def burn(self) -> float:
        """Use up the cost; gives the processor time that was really used, in seconds."""
        start_s = self._clock()
        while (used_s := self._clock() - start_s) < self._cost_s:
            for _ in range(self.rounds_per_step):
                zlib.crc32(self._block)
        return used_s
