"""What both example nodes do first: wait for the master."""

import signal
import sys
import time

import rosgraph

PERIOD_S = 0.5


def wait_for_master() -> None:
    """Return when there is a master; rospy itself would end with an error without one.

    A stop meanwhile is obeyed: the first process of a container gets no signal that it does not handle.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while not rosgraph.is_master_online():
        time.sleep(PERIOD_S)
