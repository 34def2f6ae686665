"""`POST /v1/network/probe`: round trips to the partner on another machine, or the bandwidth there.

A round trip is sent at its time whatever became of those before it, and lasts from the send call
to the kernel's stamp of the answer, less what the partner's kernel and the partner say that the
answer took there: a busy machine reader adds nothing.
"""

import secrets
import select
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ros2bench_machine_reader.configuration import Configuration
from ros2bench_machine_reader.probe_datagram import (
    COUNTS,
    ECHO,
    ECHOED,
    HEADER,
    REPORT,
    REPORTED,
    SINK,
    Counts,
    Datagram,
    open_socket,
    parse_head,
    receive,
    split_departures,
)
from ros2bench_machine_reader.probe_request import OPTIONAL, REQUIRED, Asked, parse_probe
from ros2bench_machine_reader.routing import (
    CallRefused,
    Extension,
    Request,
    Response,
    Route,
    json_response,
)

ANSWER_LIMIT_S = 2.0
FIRST_RATE_BYTES_PER_S = 1_000_000.0
STEPS = 16
SHORTEST_STEP_S = 0.1
MOST_LOST_RATIO = 0.01
LEAST_PACE_RATIO = 0.9
PACE_S = 0.001
MOST_SENT_AT_ONCE_BYTES = 60_000
MOST_SEGMENTS = 60
SETTLE_S = 0.05
REPORT_TRIES = 20
NANOSECONDS_PER_SECOND = 1e9


@dataclass(frozen=True)
class Step:
    """A stretch of one rate.

    Attributes:
        wanted_bytes_per_s: rate of the schedule.
        sent_bytes_per_s: what the sender managed.
        received_bytes_per_s: what arrived, over the time from the first to the last arrival.
        lost_ratio: datagrams that did not arrive.
        receiver_dropped: of these, those that reached the partner and found its buffer full.
    """

    wanted_bytes_per_s: float
    sent_bytes_per_s: float
    received_bytes_per_s: float
    lost_ratio: float
    receiver_dropped: int


def round_trips(
    udp: socket.socket, nonce: bytes, count: int, interval_s: float, size_bytes: int
) -> tuple[int, list[int]]:
    """Send on an absolute schedule and collect answers.

    Args:
        udp: connected to the partner.
        nonce: number that the partner was told.
        count: how many to send.
        interval_s: time between two.
        size_bytes: of each, as UDP payload.

    Returns:
        How many were sent, and the round trips in ns in order of sending.
    """
    sent_ns: dict[int, int] = {}
    found: dict[int, int] = {}
    begin_s = time.monotonic()
    sent = 0
    while True:
        wait_s = begin_s + sent * interval_s - time.monotonic()
        if sent == count:
            wait_s = begin_s + (count - 1) * interval_s + ANSWER_LIMIT_S - time.monotonic()
            if wait_s <= 0 or len(found) == count:
                return sent, [found[sequence] for sequence in sorted(found)]
        elif wait_s <= 0:
            data = Datagram(nonce, ECHO, 0, sent).packed(size_bytes)
            sent_ns[sent] = time.time_ns()
            _send(udp, data)
            sent += 1
            continue
        if select.select([udp], (), (), wait_s)[0]:
            _collect(udp, nonce, sent_ns, found)


def _send(udp: socket.socket, data: bytes) -> bool:
    try:
        udp.send(data)
    except OSError:
        # Refused by the machine itself or by the far end: it counts as sent and not answered.
        return False
    return True


def _collect(
    udp: socket.socket, nonce: bytes, sent_ns: dict[int, int], found: dict[int, int]
) -> None:
    try:
        arrival = receive(udp)
    except OSError:
        return
    for data in arrival.datagrams:
        head = parse_head(data)
        if head is None or head.nonce != nonce or head.kind != ECHOED:
            continue
        if head.sequence in sent_ns and head.sequence not in found:
            whole_ns = arrival.arrived_ns - sent_ns[head.sequence]
            found[head.sequence] = whole_ns - head.turnaround_ns


def bandwidth(
    udp: socket.socket, nonce: bytes, seconds: float, size_bytes: int
) -> tuple[list[Step], str]:
    """Double the rate until datagrams are lost or the sender cannot follow.

    Returns:
        The steps, and what ended it: `network`, `receiver`, `sender` or `time`.

    Raises:
        CallRefused: the partner does not answer.
    """
    step_s = max(SHORTEST_STEP_S, seconds / STEPS)
    end_s = time.monotonic() + seconds
    at_once = _at_once(udp, size_bytes)
    steps: list[Step] = []
    rate = FIRST_RATE_BYTES_PER_S
    before: str | None = None
    first_stream = secrets.randbits(31)
    while not steps or time.monotonic() + step_s <= end_s:
        stream = first_stream + len(steps)
        piece = Datagram(nonce, SINK, stream).packed(size_bytes) * at_once
        packets, took_s = _blast(udp, piece, size_bytes, rate, step_s)
        counts = _report(udp, nonce, stream)
        steps.append(_step(rate, packets, size_bytes, took_s, counts))
        ended = what_ended(steps[-1])
        # A queue that is never empty tells the rate of a link exactly, which one step more makes
        # sure of; and a sender that was held up once may do better.
        if ended and before == ended:
            return steps, ended
        before, rate = ended, rate * 2
    return steps, before or 'time'


def what_ended(step: Step) -> str | None:
    """What limits a step; None if nothing does."""
    if step.lost_ratio > MOST_LOST_RATIO:
        return 'receiver' if step.receiver_dropped else 'network'
    if step.received_bytes_per_s < LEAST_PACE_RATIO * step.sent_bytes_per_s:
        # Nothing is lost yet, because what is too fast still waits in a queue on the way.
        return 'network'
    too_slow = step.sent_bytes_per_s < LEAST_PACE_RATIO * step.wanted_bytes_per_s
    return 'sender' if too_slow else None


def _at_once(udp: socket.socket, size_bytes: int) -> int:
    if not split_departures(udp, size_bytes):
        return 1
    return max(1, min(MOST_SEGMENTS, MOST_SENT_AT_ONCE_BYTES // size_bytes))


def _blast(
    udp: socket.socket, piece: bytes, size_bytes: int, rate: float, step_s: float
) -> tuple[int, float]:
    """Send at a rate for a while; give the datagrams sent and the time it took."""
    begin_s = time.monotonic()
    sent_bytes, packets = 0, 0
    while (passed_s := time.monotonic() - begin_s) < step_s:
        due_bytes = int(passed_s * rate) - sent_bytes
        if due_bytes < size_bytes:
            time.sleep(PACE_S)
            continue
        part = piece[: max(1, due_bytes // size_bytes) * size_bytes]
        _send(udp, part)
        sent_bytes += len(part)
        packets += len(part) // size_bytes
    return packets, time.monotonic() - begin_s


def _report(udp: socket.socket, nonce: bytes, stream: int) -> Counts:
    """Ask the partner what has arrived, until two answers agree."""
    last: Counts | None = None
    for _ in range(REPORT_TRIES):
        time.sleep(SETTLE_S)
        _send(udp, Datagram(nonce, REPORT, stream).packed())
        answer = _reported(udp, nonce, stream)
        if answer is not None and answer == last:
            return answer
        last = answer or last
    raise CallRefused(504, 'the partner does not tell what it has received')


def _reported(udp: socket.socket, nonce: bytes, stream: int) -> Counts | None:
    end_s = time.monotonic() + ANSWER_LIMIT_S / 4
    while (wait_s := end_s - time.monotonic()) > 0 and select.select([udp], (), (), wait_s)[0]:
        try:
            arrival = receive(udp)
        except OSError:
            return None
        for data in arrival.datagrams:
            head = parse_head(data)
            if head and (head.nonce, head.kind, head.stream) == (nonce, REPORTED, stream):
                return Counts._make(COUNTS.unpack_from(data, HEADER.size))
    return None


def _step(rate: float, packets: int, size_bytes: int, took_s: float, counts: Counts) -> Step:
    span_s = (counts.last_ns - counts.first_ns) / NANOSECONDS_PER_SECOND
    # Between the first and the last arrival all datagrams but one took their time.
    arrived_bytes = counts.size_bytes - size_bytes
    return Step(
        wanted_bytes_per_s=rate,
        sent_bytes_per_s=packets * size_bytes / took_s,
        received_bytes_per_s=arrived_bytes / span_s if span_s > 0 else 0.0,
        lost_ratio=max(0.0, 1 - counts.packets / packets) if packets else 0.0,
        receiver_dropped=counts.dropped,
    )


def probe(asked: Asked) -> dict[str, Any]:
    """Do what was asked for and give the answer.

    Raises:
        CallRefused: the peer cannot be reached at all, or does not report.
    """
    with open_socket() as udp:
        try:
            udp.connect(asked.peer)
        except OSError as error:
            raise CallRefused(502, f'there is no way to {asked.peer[0]}: {error}') from error
        started_ns = time.time_ns()
        sent, trips, steps, ended = 0, [], [], None
        if asked.mode == 'rtt':
            sent, trips = round_trips(
                udp, asked.nonce, asked.count, asked.interval_s, asked.size_bytes
            )
        else:
            steps, ended = bandwidth(udp, asked.nonce, asked.seconds, asked.size_bytes)
        return {
            'mode': asked.mode,
            'sent': sent,
            'received': len(trips),
            'rtt_ns': trips,
            'bytes_per_s': best_bytes_per_s(steps),
            'limited_by': ended,
            'steps': [asdict(step) for step in steps],
            'started_ns': started_ns,
            'stopped_ns': time.time_ns(),
        }


def best_bytes_per_s(steps: Sequence[Step]) -> float | None:
    """Highest rate that arrived; None where nothing did."""
    best = max((step.received_bytes_per_s for step in steps), default=0.0)
    return best or None


def extension(_: Configuration) -> Extension:
    """Calls about probes."""
    running = threading.Lock()

    def answer(request: Request) -> Response:
        asked = parse_probe(request.fields(REQUIRED, OPTIONAL))
        if not running.acquire(blocking=False):
            raise CallRefused(409, 'a probe is running: two would measure one another')
        try:
            return json_response(200, probe(asked))
        finally:
            running.release()

    return Extension(routes={('POST', '/v1/network/probe'): Route(answer)})
