"""Datagrams between a network probe and its partner on another machine.

Big endian: 16 bytes nonce, 1 byte kind, 3 bytes nothing, uint32 stream, uint64 sequence number,
int64 turnaround in ns; the rest fills the datagram up to its size.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

ECHO, ECHOED, SINK, REPORT, REPORTED = 1, 2, 3, 4, 5
HEADER = struct.Struct('>16sB3xIQq')
COUNTS = struct.Struct('>QQqqQ')
LEAST_BYTES = HEADER.size + COUNTS.size
LARGEST_BYTES = 65_507
NONCE_BYTES = 16
BUFFER_BYTES = 8 << 20
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40
_UDP_SEGMENT, _UDP_GRO = 103, 104
_TIMESPEC = struct.Struct('@qq')
_UINT32 = struct.Struct('@I')
_INT = struct.Struct('@i')
_CONTROL_BYTES = 256
_NS = 1_000_000_000


class Datagram(NamedTuple):
    """Head of a datagram."""

    nonce: bytes
    kind: int
    stream: int = 0
    sequence: int = 0
    turnaround_ns: int = 0

    def packed(self, size_bytes: int = LEAST_BYTES) -> bytes:
        """The datagram with this head."""
        return HEADER.pack(*self).ljust(size_bytes, b'\0')


class Counts(NamedTuple):
    """What a partner has received of a stream; times of its own clock, by the kernel.

    `dropped` are datagrams of its socket that came faster than it read them.
    """

    packets: int = 0
    size_bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Arrival:
    """What one read gave: datagrams of one sender, and when the kernel had the first."""

    sender: tuple[str, int]
    datagrams: Sequence[bytes]
    arrived_ns: int
    dropped: int


def parse_head(data: bytes) -> Datagram | None:
    """Head of a datagram; None if it is too short to be one of ours."""
    return Datagram._make(HEADER.unpack_from(data)) if len(data) >= LEAST_BYTES else None


def open_socket() -> socket.socket:
    """UDP socket whose kernel notes when datagrams arrive, and joins those that come together."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    for option in (_SO_TIMESTAMPNS, _SO_RXQ_OVFL):
        made.setsockopt(socket.SOL_SOCKET, option, 1)
    return made


def join_arrivals(udp: socket.socket) -> bool:
    """Let the kernel give many datagrams at once; tell whether it can (Linux 5.0)."""
    return _try_option(udp, _UDP_GRO, 1)


def split_departures(udp: socket.socket, size_bytes: int) -> bool:
    """Let the kernel split what is sent into datagrams; tell whether it can (Linux 4.18)."""
    return _try_option(udp, _UDP_SEGMENT, size_bytes)


def receive(udp: socket.socket) -> Arrival:
    """Read what has arrived, blocking as the socket does.

    Raises:
        OSError: of the socket.
    """
    data, control, _, sender = udp.recvmsg(LARGEST_BYTES + 1, _CONTROL_BYTES)
    arrived_ns, dropped, size = 0, 0, len(data)
    for level, kind, content in control:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(content)
            arrived_ns = seconds * _NS + nanoseconds
        elif level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
            dropped = _UINT32.unpack_from(content)[0]
        elif level == socket.IPPROTO_UDP and kind == _UDP_GRO:
            size = _INT.unpack_from(content)[0]
    return Arrival(sender, tuple(_pieces(data, size)), arrived_ns, dropped)


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), max(1, size)):
        yield data[start : start + size]


def _try_option(udp: socket.socket, option: int, value: Any) -> bool:
    try:
        udp.setsockopt(socket.IPPROTO_UDP, option, value)
    except OSError:
        return False
    return True
