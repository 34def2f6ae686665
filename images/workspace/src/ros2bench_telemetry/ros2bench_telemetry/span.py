"""Spans of the frames that a node handled, and their identities. Needs no ROS.

Identities follow from the stamp of a message, so that whoever sees one knows them and no message
needs a field for them: 16 and 8 bytes, as the W3C's Trace Context and OTLP have them.
"""

import hashlib
from dataclasses import dataclass

TRACE_DOMAIN = 'ros2bench-trace-v1'
SPAN_DOMAIN = 'ros2bench-span-v1'
NANOSECONDS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Frame:
    """What names a frame in all messages that follow from it."""

    stream: int
    number: int
    intended_ns: int


@dataclass(frozen=True)
class Span:
    """What one node did for one frame.

    Attributes:
        name: what it did: `capture`, `detect`, `read`, `report`.
        kind: the node without the number of its stream: `camera`, `detector` ...
        node: its name in ROS.
        frame: for which frame.
        topic: where it published what came of it.
        begun_ns: when it took the frame, since the epoch.
        ended_ns: when it had published.
        after: kind of the node whose message it took; empty for the first of the path.
        used: another frame and the kind of the node whose message of it was used too.
    """

    name: str
    kind: str
    node: str
    frame: Frame
    topic: str
    begun_ns: int
    ended_ns: int
    after: str = ''
    used: 'tuple[Frame, str] | None' = None


def trace_id(frame: Frame) -> str:
    """Identity of the trace of a frame: 32 hexadecimal digits."""
    text = f'{TRACE_DOMAIN}\n{frame.stream}\n{frame.number}\n{frame.intended_ns}'
    return hashlib.sha256(text.encode('ascii')).hexdigest()[:32]


def span_id(trace: str, kind: str) -> str:
    """Identity of the span of a node in a trace: 16 hexadecimal digits.

    Args:
        trace: identity of the trace.
        kind: the node without the number of its stream.
    """
    return hashlib.sha256(f'{SPAN_DOMAIN}\n{trace}\n{kind}'.encode()).hexdigest()[:16]


def is_sampled(frame_number: int, sample_every: int) -> bool:
    """Whether a frame is traced: by its number alone, so that a trace is whole or absent."""
    return frame_number % sample_every == 0
