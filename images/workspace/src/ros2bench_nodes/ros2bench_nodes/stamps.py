"""The stamp that every measured message begins with."""

import struct
import time

from builtin_interfaces.msg import Time

from ros2bench_interfaces.msg import Stamp
from ros2bench_nodes.schedule import seconds_and_nanoseconds

_FRAME_NUMBER = struct.Struct('<Q')
_FRAME_NUMBER_OFFSET = 12


def stamp(intended: Time, frame_number: int) -> Stamp:
    """Stamp of a message that is published right after this call."""
    return Stamp(
        intended=intended, frame_number=frame_number, published=time_message(time.time_ns())
    )


def time_message(time_ns: int) -> Time:
    """Nanoseconds since the epoch as a message."""
    seconds, nanoseconds = seconds_and_nanoseconds(time_ns)
    return Time(sec=seconds, nanosec=nanoseconds)


def frame_number_of(serialised: bytes) -> int:
    """Frame number of any message of this application without deserialising it."""
    return _FRAME_NUMBER.unpack_from(serialised, _FRAME_NUMBER_OFFSET)[0]
