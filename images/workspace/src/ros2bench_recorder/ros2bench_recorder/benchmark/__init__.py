"""`ros2bench-recorder-benchmark`: the recorder against ordinary subscribers of the same topics."""

# As deep as the deployed recorder's (components/recorder.py).
QUEUED_MESSAGES = 1000
# Of rmw_qos_profile_default (rmw/qos_profiles.h), and of the callbacks in ROS 2's tutorials.
DEFAULT_DEPTH = 10
LEAST_DEPTH = 10


def depth(topics: int) -> int:
    """Queue depth of each topic for the recorder, and for all who listen where it is equal.

    Deep queues of many topics would hide for a whole round that their reader does not keep up.
    """
    return max(LEAST_DEPTH, QUEUED_MESSAGES // topics)
