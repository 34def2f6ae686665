"""Answers the network probes of other machines: echoes datagrams, or counts them.

It answers only datagrams that begin with a number which the runner announced a moment ago, never
with more bytes than it got, and for a limited time and volume: nobody can use it as an amplifier.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ros2bench_machine_reader.configuration import Configuration, ConfigurationError
from ros2bench_machine_reader.probe_datagram import (
    COUNTS,
    ECHO,
    ECHOED,
    HEADER,
    REPORT,
    REPORTED,
    SINK,
    Arrival,
    Counts,
    Datagram,
    join_arrivals,
    open_socket,
    parse_head,
    receive,
)
from ros2bench_machine_reader.routing import (
    CallRefused,
    Extension,
    Request,
    Response,
    Route,
    json_response,
)

NONCE = re.compile(r'[0-9a-f]{32}')
LONGEST_S = 600.0
MOST_NONCES = 32
MOST_STREAMS = 64
MOST_ECHOED_BYTES = 1 << 30
READ_LIMIT_S = 0.2


@dataclass
class Announced:
    """What the partner does for one number until `until_s` of the monotonic clock."""

    until_s: float
    echo_bytes_left: int = MOST_ECHOED_BYTES
    streams: dict[int, Counts] = field(default_factory=dict)
    dropped_before: dict[int, int] = field(default_factory=dict)


class Partner:
    """Knows what was announced and what to answer; needs no socket. Any thread may announce."""

    def __init__(
        self,
        clock_s: Callable[[], float] = time.monotonic,
        real_clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock_s = clock_s
        self._real_clock_ns = real_clock_ns
        self._announced: dict[bytes, Announced] = {}
        self._lock = threading.Lock()

    def announce(self, nonce: bytes, seconds: float) -> None:
        """Answer datagrams with this number from now on.

        Raises:
            CallRefused: too many are announced (409).
        """
        with self._lock:
            now_s = self._clock_s()
            kept = {n: known for n, known in self._announced.items() if known.until_s > now_s}
            if len(kept) >= MOST_NONCES:
                raise CallRefused(409, f'{MOST_NONCES} partners are announced: wait for their end')
            self._announced = {**kept, nonce: Announced(now_s + seconds)}

    def answers(self, arrival: Arrival) -> list[bytes]:
        """What to send back; nothing for what nobody announced."""
        found: list[bytes | None] = []
        for head, pieces in _alike(arrival.datagrams):
            known = self._announced.get(head.nonce)
            if known is None or self._clock_s() > known.until_s:
                continue
            if head.kind == SINK:
                _count(known, head, pieces, arrival)
            found += [self._answer(known, head, data, arrival) for data in pieces]
        return [answer for answer in found if answer is not None]

    def _answer(
        self, known: Announced, head: Datagram, data: bytes, arrival: Arrival
    ) -> bytes | None:
        if head.kind == ECHO and known.echo_bytes_left >= len(data):
            known.echo_bytes_left -= len(data)
            turnaround_ns = max(0, self._real_clock_ns() - arrival.arrived_ns)
            answer = head._replace(kind=ECHOED, turnaround_ns=turnaround_ns)
            return HEADER.pack(*answer) + data[HEADER.size :]
        if head.kind == REPORT:
            counts = known.streams.get(head.stream, Counts())
            answer = head._replace(kind=REPORTED)
            return (HEADER.pack(*answer) + COUNTS.pack(*counts)).ljust(len(data), b'\0')
        return None


def _alike(datagrams: Sequence[bytes]) -> Iterator[tuple[Datagram, Sequence[bytes]]]:
    """Datagrams with their heads; those of a stream that is only counted as one group.

    The kernel joins datagrams of one size, and lets a shorter one end the group.
    """
    head = parse_head(datagrams[0]) if datagrams else None
    if head is not None and head.kind == SINK:
        whole = [data for data in datagrams if len(data) == len(datagrams[0])]
        yield head, whole
        datagrams = datagrams[len(whole) :]
    for data in datagrams:
        if (head := parse_head(data)) is not None:
            yield head, (data,)


def _count(known: Announced, head: Datagram, pieces: Sequence[bytes], arrival: Arrival) -> None:
    counts = known.streams.get(head.stream)
    if counts is None:
        if len(known.streams) >= MOST_STREAMS:
            return
        counts = Counts(first_ns=arrival.arrived_ns)
        known.dropped_before[head.stream] = arrival.dropped
    known.streams[head.stream] = Counts(
        counts.packets + len(pieces),
        counts.size_bytes + sum(map(len, pieces)),
        counts.first_ns,
        arrival.arrived_ns,
        max(0, arrival.dropped - known.dropped_before[head.stream]),
    )


class Server:
    """Reads the socket in a thread of its own."""

    def __init__(self, partner: Partner, port: int) -> None:
        self._partner = partner
        self._port = port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name='network-partner', daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            ConfigurationError: the port is taken.
        """
        self._socket = open_socket()
        join_arrivals(self._socket)
        try:
            self._socket.bind(('0.0.0.0', self._port))
        except OSError as error:
            raise ConfigurationError(
                f'network_port {self._port} cannot be used: {error.strerror}.'
            ) from error
        self._socket.settimeout(READ_LIMIT_S)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * READ_LIMIT_S)

    def _run(self) -> None:
        with self._socket as udp:
            while not self._stopping.is_set():
                self._answer_one(udp)

    def _answer_one(self, udp: socket.socket) -> None:
        try:
            arrival = receive(udp)
            for answer in self._partner.answers(arrival):
                udp.sendto(answer, arrival.sender)
        except OSError:
            # A read that waited in vain, or a sender that is gone: the probe counts what it lacks.
            return


def parse_nonce(value: object) -> bytes:
    """Check the number of a probe.

    Raises:
        CallRefused: it is not 32 hexadecimal digits.
    """
    if not isinstance(value, str) or not NONCE.fullmatch(value):
        raise CallRefused(400, f'nonce is {value!r} but must be 32 hexadecimal digits')
    return bytes.fromhex(value)


def extension(configuration: Configuration) -> Extension:
    """Calls about the partner."""
    partner = Partner()
    server = Server(partner, configuration.network_port)

    def announce(request: Request) -> Response:
        body = request.fields(['nonce', 'seconds'])
        seconds = body['seconds']
        right = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not right or not 0 < seconds <= LONGEST_S:
            raise CallRefused(400, f'seconds is {seconds!r} but must be above 0, to {LONGEST_S:g}')
        partner.announce(parse_nonce(body['nonce']), seconds)
        return json_response(201, {'nonce': body['nonce'], 'port': configuration.network_port})

    return Extension(
        routes={('POST', '/v1/network/partner'): Route(announce)},
        start=server.start,
        stop=server.stop,
    )
