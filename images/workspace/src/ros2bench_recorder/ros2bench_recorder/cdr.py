"""Reads the stamp at the beginning of a serialised message and nothing else. Needs no ROS."""

import struct
from collections.abc import Callable

NANOSECONDS_PER_SECOND = 1_000_000_000
MISSING = -1

# After the four bytes of the encapsulation header, whose second byte says the byte order (1 =
# little endian).
_ROS2BENCH = {1: struct.Struct('<4xiIQiI'), 0: struct.Struct('>4xiIQiI')}
_HEADER = {1: struct.Struct('<4xiI'), 0: struct.Struct('>4xiI')}


# Frame number, intended time and time of publication; -1 where the message does not tell. A plain
# tuple: it is made for every message.
Fields = tuple[int, int, int]
NOTHING: Fields = (MISSING, MISSING, MISSING)
StampReader = Callable[[bytes], Fields]


def read_ros2bench(serialised: bytes) -> Fields:
    """Stamp of a message that begins with `ros2bench_interfaces/Stamp`.

    Raises:
        ValueError: the message is shorter than its stamp.
    """
    try:
        seconds, nanoseconds, frame_number, published_s, published_ns = _ROS2BENCH[
            serialised[1] & 1
        ].unpack_from(serialised)
    except (struct.error, IndexError) as error:
        raise ValueError(f'a message of {len(serialised)} bytes holds no stamp: {error}') from error
    return (
        frame_number,
        seconds * NANOSECONDS_PER_SECOND + nanoseconds,
        published_s * NANOSECONDS_PER_SECOND + published_ns,
    )


def read_header(serialised: bytes) -> Fields:
    """Time of a message that begins with `std_msgs/Header`.

    Raises:
        ValueError: the message is shorter than its header's time.
    """
    try:
        seconds, nanoseconds = _HEADER[serialised[1] & 1].unpack_from(serialised)
    except (struct.error, IndexError) as error:
        raise ValueError(
            f'a message of {len(serialised)} bytes holds no header: {error}'
        ) from error
    return (MISSING, seconds * NANOSECONDS_PER_SECOND + nanoseconds, MISSING)


def read_nothing(_serialised: bytes) -> Fields:
    """Of a message without a stamp."""
    return NOTHING


READERS: dict[str, StampReader] = {
    'ros2bench': read_ros2bench,
    'header': read_header,
    'none': read_nothing,
}
