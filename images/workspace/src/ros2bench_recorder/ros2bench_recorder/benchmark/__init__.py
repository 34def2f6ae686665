"""`ros2bench-recorder-benchmark`: the recorder against ordinary subscribers of the same topics."""

QUEUED_MESSAGES = 1000
LEAST_DEPTH = 10


def depth(topics: int) -> int:
    """Queue depth of each topic, the same for all who listen.

    Deep queues of many topics would hide for a whole round that their reader does not keep up.
    """
    return max(LEAST_DEPTH, QUEUED_MESSAGES // topics)
