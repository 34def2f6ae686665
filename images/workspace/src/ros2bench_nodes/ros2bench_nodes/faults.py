"""Faults that a node commits because it was told to, so that measuring them can be proved.

Off by default. Each follows from the frame's number alone, so what a run must show is known
before it. Needs no ROS.
"""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

DROP_BLOCK = 100
# The last part of a wait is spent turning: a sleep ends some tens of microseconds late.
SPIN_S = 0.0005


@lru_cache(maxsize=4)
def dropped_in_block(drop_ratio: float, seed: int, block: int) -> frozenset[int]:
    """Frame numbers that are dropped among `DROP_BLOCK` frames.

    Of the first n frames, n a multiple of the block, n times the ratio are dropped, rounded;
    which ones is drawn by SHA-256 of `seed/number`: the smallest digests of the block go.

    Args:
        drop_ratio: share of the frames, 0..1.
        seed: another seed, other frames.
        block: number of the block; its first frame is `block * DROP_BLOCK`.
    """
    first = block * DROP_BLOCK
    count = math.floor((first + DROP_BLOCK) * drop_ratio + 0.5) - math.floor(
        first * drop_ratio + 0.5
    )
    drawn = sorted(range(first, first + DROP_BLOCK), key=lambda number: _digest(seed, number))
    return frozenset(drawn[:count])


def is_dropped(frame_number: int, drop_ratio: float, seed: int) -> bool:
    """Whether a frame is one of those that are dropped."""
    if drop_ratio == 0:
        return False
    return frame_number in dropped_in_block(drop_ratio, seed, frame_number // DROP_BLOCK)


def hold(
    duration_s: float,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return after a time, exact to some microseconds where the processor is free."""
    end_s = clock() + duration_s
    if duration_s > SPIN_S:
        sleep(duration_s - SPIN_S)
    while clock() < end_s:
        pass


class Faults:
    """What one node does wrong on purpose.

    Args:
        delays_s: how long each message is held; several take turns by frame number.
        stall_s: how long the message of `stall_frame` is held, once.
        stall_frame: frame whose message stalls; those behind it queue up.
        drop_ratio: share of the messages that are never sent.
        seed: of the draw of those messages.
        wait: holds for a time.
    """

    def __init__(
        self,
        delays_s: Sequence[float] = (0.0,),
        *,
        stall_s: float = 0.0,
        stall_frame: int = 0,
        drop_ratio: float = 0.0,
        seed: int = 0,
        wait: Callable[[float], None] = hold,
    ) -> None:
        self._delays_s = tuple(delays_s)
        self._stall_s = stall_s
        self._stall_frame = stall_frame
        self._drop_ratio = drop_ratio
        self._seed = seed
        self._wait = wait

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> 'Faults':
        """Faults that a node's checked parameters ask for."""
        return cls(
            values['fault_delays_s'],
            stall_s=values['fault_stall_s'],
            stall_frame=values['fault_stall_frame'],
            drop_ratio=values['fault_drop_ratio'],
            seed=values['fault_seed'],
        )

    def lets_pass(self, frame_number: int) -> bool:
        """Hold the message of a frame as long as asked; whether it may go out then."""
        if is_dropped(frame_number, self._drop_ratio, self._seed):
            return False
        held_s = self._delays_s[frame_number % len(self._delays_s)]
        if frame_number == self._stall_frame:
            held_s += self._stall_s
        if held_s > 0:
            self._wait(held_s)
        return True


def _digest(seed: int, number: int) -> bytes:
    return hashlib.sha256(f'{seed}/{number}'.encode('ascii')).digest()
