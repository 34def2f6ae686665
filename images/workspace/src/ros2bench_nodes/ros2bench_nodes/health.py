"""What a node knows of its own health, for the probes of the pod. Needs no ROS."""

import time
from collections.abc import Callable

TURN_LIMIT_S = 10.0


class Health:
    """Whether a node has started, does its work, and turns.

    Noted by the node itself, from any thread; nothing here guesses. A node that gets no messages is
    not ready, so readiness follows the flow of messages down the graph.
    """

    def __init__(self, silence_limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a turn just noted, neither started nor at work.

        Args:
            silence_limit_s: how long the node may do nothing with messages and still be ready.
            clock: seconds that never go back.
        """
        self._silence_limit_s = silence_limit_s
        self._clock = clock
        self._turn_s = clock()
        self._message_s: float | None = None
        self._started = False

    def note_turn(self) -> None:
        """Note that the executor has turned."""
        self._turn_s = self._clock()

    def note_start(self) -> None:
        """Note that models, publishers and subscriptions are there; the executor turns from now."""
        self._turn_s = self._clock()
        self._started = True

    def note_message(self) -> None:
        """Note that the node has published or handled a message of its own flow."""
        self._message_s = self._clock()

    def answer(self, path: str) -> tuple[int, str]:
        """Status code and sentence for `/startz`, `/readyz` or `/healthz`."""
        well, sentence = {
            '/startz': self._start,
            '/readyz': self._readiness,
            '/healthz': self._turning,
        }[path]()
        return (200 if well else 503), sentence

    def _start(self) -> tuple[bool, str]:
        return self._started, 'started' if self._started else 'still loading'

    def _readiness(self) -> tuple[bool, str]:
        if not self._started:
            return False, 'still loading'
        if self._message_s is None:
            return False, 'no message yet'
        silence_s = self._clock() - self._message_s
        sentence = f'last message {silence_s:.1f} s ago, limit {self._silence_limit_s:g} s'
        return silence_s <= self._silence_limit_s, sentence

    def _turning(self) -> tuple[bool, str]:
        silence_s = self._clock() - self._turn_s
        return silence_s <= TURN_LIMIT_S, f'executor turned {silence_s:.1f} s ago'
