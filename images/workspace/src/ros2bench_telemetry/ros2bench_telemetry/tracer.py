"""What a node calls to trace the frames that it handles. Needs no ROS.

Imported only where `ROS2BENCH_TRACES_ENDPOINT` is set.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from ros2bench_telemetry.exporter import Endpoint, Exporter, parse_endpoint
from ros2bench_telemetry.json_lines import PATTERN, STACK
from ros2bench_telemetry.span import NANOSECONDS_PER_SECOND, Frame, Span, is_sampled

ENDPOINT = 'ROS2BENCH_TRACES_ENDPOINT'
SAMPLE_EVERY = 'ROS2BENCH_TRACES_SAMPLE_EVERY'
DEFAULT_SAMPLE_EVERY = 10
FLUSH_LIMIT_S = 0.2

_exporters: dict[Endpoint, Exporter] = {}


def exporter_of(endpoint: Endpoint, environment: Mapping[str, str]) -> Exporter:
    """The exporter of this process: one thread and one connection for all of its nodes."""
    if endpoint not in _exporters:
        about = {
            'stack': environment.get(STACK, ''),
            'pattern': environment.get(PATTERN, ''),
            'instance': socket.gethostname(),
        }
        _exporters[endpoint] = Exporter(endpoint, about)
    return _exporters[endpoint]


def sample_every_of(environment: Mapping[str, str]) -> int:
    """One frame in how many is traced.

    Raises:
        ValueError: the variable holds no whole number above 0.
    """
    text = environment.get(SAMPLE_EVERY, str(DEFAULT_SAMPLE_EVERY))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f'{SAMPLE_EVERY} is {text!r}; a whole number from 1 is expected')
    return int(text)


class Tracer:
    """Notes what one node did for each sampled frame; a call takes some microseconds at most."""

    def __init__(
        self,
        span: str,
        *,
        kind: str,
        node: str,
        stream: int,
        topic: str,
        after: str,
        exporter: Exporter,
        sample_every: int,
    ) -> None:
        """Begin; see `ros2bench_telemetry.span.Span` for the words."""
        self._span = span
        self._kind = kind
        self._node = node
        self._stream = stream
        self._topic = topic
        self._after = after
        self._exporter = exporter
        self._sample_every = sample_every

    def note(
        self, number: int, intended: Any, begun_ns: int, used: Any = None, used_of: str = ''
    ) -> None:
        """Note that a frame has been handled and what came of it published, just now.

        Args:
            number: number of the frame.
            intended: when it was due: nanoseconds since the epoch, or a Time message.
            begun_ns: when the node took it.
            used: stamp of another message that was used for it, if one was.
            used_of: kind of the node that published that one.
        """
        if not is_sampled(number, self._sample_every):
            return
        ended_ns = time.time_ns()
        other = None
        if used is not None and is_sampled(used.frame_number, self._sample_every):
            other = Frame(self._stream, used.frame_number, nanoseconds(used.intended)), used_of
        self._exporter.add(
            Span(
                name=self._span,
                kind=self._kind,
                node=self._node,
                frame=Frame(self._stream, number, nanoseconds(intended)),
                topic=self._topic,
                begun_ns=begun_ns,
                ended_ns=ended_ns,
                after=self._after,
                used=other,
            )
        )

    def close(self) -> None:
        """Send what waits, if somebody takes it at once; tell how many spans nobody has."""
        self._exporter.close(FLUSH_LIMIT_S)


def nanoseconds(time_or_ns: Any) -> int:
    """Nanoseconds since the epoch of a Time message, or of a number that is some already."""
    if isinstance(time_or_ns, int):
        return time_or_ns
    return time_or_ns.sec * NANOSECONDS_PER_SECOND + time_or_ns.nanosec


def open_tracer(
    span: str,
    *,
    kind: str,
    node: str,
    stream: int,
    topic: str,
    after: str,
    environment: Mapping[str, str] = os.environ,
    make_exporter: Callable[[Endpoint, Mapping[str, str]], Exporter] = exporter_of,
) -> Tracer:
    """The tracer of a node, as the environment wants it.

    Raises:
        ValueError: a variable cannot be used; the text names it and what is expected.
    """
    try:
        endpoint = parse_endpoint(environment[ENDPOINT])
    except ValueError as error:
        raise ValueError(f'{ENDPOINT} {error}') from error
    return Tracer(
        span,
        kind=kind,
        node=node,
        stream=stream,
        topic=topic,
        after=after,
        exporter=make_exporter(endpoint, environment),
        sample_every=sample_every_of(environment),
    )
