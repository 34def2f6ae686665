"""When the drain loop may rest while messages gather, and for how long. Needs no ROS.

A turn over all subscriptions costs as much as several messages, and the more topics the more, so
that messages are better taken by the dozen; the middleware has stamped them when they came. But no
queue may ever fill meanwhile.
"""

NANOSECONDS_PER_SECOND = 1_000_000_000
REST_PER_TOPIC_S = 0.002
LONGEST_REST_S = 0.1
# A topic that begins at this rate does not fill its queue in the one rest before it is noticed.
SUDDEN_HZ = 400
# Rests are given up when a queue gets a quarter of what it holds in the time of one.
RESERVE = 4


class Pace:
    """Watches how fast the fullest queue fills.

    Attributes:
        rest_s: length of a rest.
    """

    def __init__(self, topics: int, depth: int) -> None:
        """Begin calm.

        Args:
            topics: number of queues.
            depth: what the shallowest of them holds.
        """
        self.rest_s = min(LONGEST_REST_S, REST_PER_TOPIC_S * topics, depth / SUDDEN_HZ)
        self._window_ns = round(self.rest_s * NANOSECONDS_PER_SECOND)
        self._most = depth // RESERVE
        self._counts = [0] * topics
        self._since_ns = 0
        self._is_hurried = False
        self._was_hurried = False

    def note(self, topic: int, count: int) -> None:
        """Messages of a topic that a turn has taken."""
        self._counts[topic] += count
        if self._counts[topic] > self._most:
            self._is_hurried = True

    def may_rest(self, now_ns: int) -> bool:
        """Whether messages came slowly enough, now and in the window before.

        Args:
            now_ns: CLOCK_MONOTONIC.
        """
        if now_ns - self._since_ns >= self._window_ns:
            self._counts = [0] * len(self._counts)
            self._since_ns = now_ns
            self._was_hurried, self._is_hurried = self._is_hurried, False
        return not (self._is_hurried or self._was_hurried)
