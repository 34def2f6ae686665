"""What is kept of one message, and how it lies in a file. Needs no ROS."""

import struct
from typing import NamedTuple

from ros2bench_recorder.cdr import MISSING

SAMPLE_COLUMNS = 8
SAMPLE_BYTES = 8 * SAMPLE_COLUMNS
# In the file of a capture the number of the topic comes first.
ROW_COLUMNS = 1 + SAMPLE_COLUMNS
ROW_BYTES = 8 * ROW_COLUMNS
ROW = struct.Struct(f'<{ROW_COLUMNS}q')


# A plain tuple, as one is made for every message; `Sample` gives its columns their names.
SampleRow = tuple[int, int, int, int, int, int, int, int]


class Sample(NamedTuple):
    """One message: eight signed 64-bit integers, in the order in which they are stored and sent.

    Times are nanoseconds since the Unix epoch, `monotonic_ns` of CLOCK_MONOTONIC at the moment of
    `taken_ns`; -1 where the source has none.
    """

    frame_number: int = MISSING
    intended_ns: int = MISSING
    published_ns: int = MISSING
    source_ns: int = MISSING
    received_ns: int = MISSING
    taken_ns: int = MISSING
    monotonic_ns: int = MISSING
    sequence_number: int = MISSING
