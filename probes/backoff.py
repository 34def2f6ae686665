"""How long to wait before a request is sent again: exponential backoff with full jitter, bounded in number and time.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """When to try again, and when to give up.

    Attributes:
        attempts: Most requests in all.
        first_s: Longest wait after the first request; it doubles with each one.
        longest_s: Longest wait of all.
        total_s: No request is begun later than this after the first one.
        sleep: Waits for some seconds.
        clock: Gives a monotonic time in seconds.
        chance: Draws the waits.
    """

    attempts: int = 6
    first_s: float = 0.4
    longest_s: float = 20.0
    total_s: float = 85.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    chance: random.Random = field(default_factory=random.Random)

    def wait_s(self, attempt: int, told_s: float = 0.0) -> float:
        """Draw the wait after a request.

        Args:
            attempt: Number of the request, the first one being 0.
            told_s: What the server asks for at least.
        """
        drawn_s = self.chance.uniform(0, min(self.longest_s, self.first_s * 2**attempt))
        return max(drawn_s, min(told_s, self.longest_s))

    def may_go_on(self, attempt: int, began_s: float, wait_s: float, most: int | None = None) -> bool:
        """Tell whether another request may follow the one with this number; `most` allows fewer of them."""
        attempts = self.attempts if most is None else min(most, self.attempts)
        return attempt + 1 < attempts and self.clock() + wait_s <= began_s + self.total_s
