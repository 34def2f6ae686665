"""Calls of gRPC servers on a unix socket: requests and answers are bytes, one call at a time.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, over the HTTP/2 state machine of h2.
"""

import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from ros2bench_machine_reader.protobuf import WireError

READ_BYTES = 262_144
FLOW_WINDOW_BYTES = 1 << 24
LARGEST_ANSWER_BYTES = 1 << 26
OK, NOT_FOUND, UNAVAILABLE, UNIMPLEMENTED, UNKNOWN = 0, 5, 14, 12, 2
_PREFIX = struct.Struct('>BI')


class GrpcError(Exception):
    """A call that failed.

    Attributes:
        code: status of gRPC; 5 not found, 12 unknown call, 14 nobody answers.
    """

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Channel:
    """One connection."""

    def __init__(self, path: Path, timeout_s: float = 60.0) -> None:
        """Connect.

        Args:
            path: the socket.
            timeout_s: longest that a single call may take.

        Raises:
            GrpcError: nobody listens there.
        """
        self._path = path
        self._timeout_s = timeout_s
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise GrpcError(UNAVAILABLE, f'{path}: {error.strerror or error}') from error
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding='utf-8'))
        self._http.initiate_connection()
        self._http.increment_flow_control_window(FLOW_WINDOW_BYTES)
        self._socket.sendall(self._http.data_to_send())

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def call(
        self, method: str, request: bytes, metadata: Mapping[str, str] | None = None
    ) -> list[bytes]:
        """Call and wait for the end of the answer.

        Args:
            method: `/package.Service/Method`.
            request: one message; it must be smaller than HTTP/2's first window (65,535 bytes).
            metadata: headers besides gRPC's own.

        Returns:
            The messages of the answer: one for most calls, any number for a stream.

        Raises:
            GrpcError: the server refused, did not answer in time, or what it sent is no gRPC.
        """
        try:
            return self._call(method, request, metadata or {})
        except TimeoutError as error:
            raise GrpcError(
                UNAVAILABLE, f'{method}: no answer in {self._timeout_s:g} s from {self._path}'
            ) from error
        except (OSError, h2.exceptions.ProtocolError, WireError) as error:
            raise GrpcError(UNAVAILABLE, f'{method}: {error or type(error).__name__}') from error

    def _call(self, method: str, request: bytes, metadata: Mapping[str, str]) -> list[bytes]:
        stream = self._http.get_next_available_stream_id()
        headers = [
            (':method', 'POST'),
            (':scheme', 'http'),
            (':path', method),
            (':authority', 'localhost'),
            ('te', 'trailers'),
            ('content-type', 'application/grpc'),
            *metadata.items(),
        ]
        self._http.send_headers(stream, headers)
        body = _PREFIX.pack(0, len(request)) + request
        size = self._http.max_outbound_frame_size
        for start in range(0, len(body), size):
            self._http.send_data(stream, body[start : start + size])
        self._http.end_stream(stream)
        self._socket.sendall(self._http.data_to_send())
        return self._receive(stream, method).messages()

    def _receive(self, stream: int, method: str) -> '_Answer':
        deadline_s = time.monotonic() + self._timeout_s
        answer = _Answer(method)
        while not answer.is_complete:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise OSError('the connection was closed')
            if time.monotonic() > deadline_s:
                raise TimeoutError
            for event in self._http.receive_data(data):
                if isinstance(event, h2.events.ConnectionTerminated):
                    raise OSError(f'the server ended the connection: {event.error_code}')
                if getattr(event, 'stream_id', None) == stream:
                    answer.take(event)
                if isinstance(event, h2.events.DataReceived):
                    length = event.flow_controlled_length
                    self._http.acknowledge_received_data(length, event.stream_id)
            if out := self._http.data_to_send():
                self._socket.sendall(out)
        return answer


class _Answer:
    """What has arrived of an answer."""

    def __init__(self, method: str) -> None:
        self.is_complete = False
        self._method = method
        self._body = bytearray()
        self._headers: dict[str, str] = {}

    def take(self, event: h2.events.Event) -> None:
        """Take what belongs to this call."""
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            self._headers.update((str(name), str(value)) for name, value in event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._body += event.data
            if len(self._body) > LARGEST_ANSWER_BYTES:
                raise OSError(f'the answer has more than {LARGEST_ANSWER_BYTES} bytes')
        elif isinstance(event, h2.events.StreamReset):
            raise OSError(f'the server reset the call: {event.error_code}')
        elif isinstance(event, h2.events.StreamEnded):
            self.is_complete = True

    def messages(self) -> list[bytes]:
        """Messages of a complete answer.

        Raises:
            GrpcError: the server refused.
            WireError: it is no answer of gRPC.
        """
        status = self._headers.get('grpc-status')
        if status is None:
            http = self._headers.get(':status')
            raise GrpcError(UNKNOWN, f'{self._method}: HTTP {http} without a gRPC status')
        if not status.isdecimal() or int(status) != OK:
            sentence = unquote(self._headers.get('grpc-message', '')) or f'code {status}'
            raise GrpcError(int(status) if status.isdecimal() else UNKNOWN, sentence)
        return split_messages(bytes(self._body))


def split_messages(data: bytes) -> list[bytes]:
    """Messages of a body: each after a byte that tells compression and four of length.

    Raises:
        WireError: it is cut off, or compressed although nobody offered that.
    """
    found, position = [], 0
    while position < len(data):
        if position + _PREFIX.size > len(data):
            raise WireError('a message is cut off in its length')
        compressed, size = _PREFIX.unpack_from(data, position)
        position += _PREFIX.size
        if compressed:
            raise WireError('a message is compressed')
        if position + size > len(data):
            raise WireError(f'a message of {size} bytes is cut off')
        found.append(data[position : position + size])
        position += size
    return found
