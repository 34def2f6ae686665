"""Sends spans to a collector from a thread of its own and from bounded memory. Needs no ROS.

Whoever adds a span neither waits nor fails. What does not fit, and what a collector does not take,
is dropped and counted, never sent again: a trace is worth less than a message. The log has the
count, once a minute at most while it grows and once at the end.
"""

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from ros2bench_telemetry import otlp
from ros2bench_telemetry.json_lines import say
from ros2bench_telemetry.span import Span

CAPACITY = 4096
# As OpenTelemetry's own libraries do (OTEL_BSP_SCHEDULE_DELAY): a request costs, a span little.
PERIOD_S = 5.0
TIMEOUT_S = 2.0
LONGEST_PAUSE_S = 30.0
TELL_PERIOD_S = 60.0
LOGGER = 'traces'


@dataclass(frozen=True)
class Endpoint:
    """A collector's address; spans go to `path` there."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """Where spans are sent."""
        return f'{self.scheme}://{self.host}:{self.port}{self.path}'


def parse_endpoint(text: str) -> Endpoint:
    """Read the address of a collector of OTLP over HTTP; `/v1/traces` is added where it ends.

    Raises:
        ValueError: it is none.
    """
    expected = 'an address as http://HOST:4318 is expected'
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f'is {text!r}: {error}; {expected}') from error
    if parts.scheme not in {'http', 'https'} or not parts.hostname:
        raise ValueError(f'is {text!r}; {expected}')
    standard = 443 if parts.scheme == 'https' else 80
    path = parts.path.rstrip('/')
    if not path.endswith(otlp.PATH):
        path += otlp.PATH
    return Endpoint(parts.scheme, parts.hostname, port or standard, path)


class Transport(Protocol):
    """Takes one request and gives the status and the body of the answer."""

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Send one request.

        Raises:
            OSError: nobody answers, or not in time.
            http.client.HTTPException: what answers does not speak HTTP.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class HttpTransport:
    """One connection that is kept, and made again where the other side has closed it."""

    def __init__(self, endpoint: Endpoint, timeout_s: float = TIMEOUT_S) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Send one request; see `Transport`."""
        was_kept = self._connection is not None
        try:
            return self._post(body)
        except (ConnectionError, http.client.RemoteDisconnected):
            self.close()
            if not was_kept:
                raise
            # A connection that has been idle may have been closed; a new one tells who is there.
            return self._post(body)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            of_scheme = {
                'http': http.client.HTTPConnection,
                'https': http.client.HTTPSConnection,
            }
            make = of_scheme[self._endpoint.scheme]
            self._connection = make(
                self._endpoint.host, self._endpoint.port, timeout=self._timeout_s
            )
        try:
            self._connection.request(
                'POST', self._endpoint.path, body, {'Content-Type': otlp.CONTENT_TYPE}
            )
            with self._connection.getresponse() as answer:
                return answer.status, answer.read()
        except BaseException:
            self.close()
            raise


class Exporter:
    """A bounded queue and the thread that empties it.

    Attributes:
        exported: spans that the collector has taken.
        dropped: spans that nobody has: the queue was full, the collector did not take them, or they
            waited at the end.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        about: Mapping[str, str],
        *,
        transport: Transport | None = None,
        capacity: int = CAPACITY,
        period_s: float = PERIOD_S,
        tell_period_s: float = TELL_PERIOD_S,
        tell: Callable[[str, str], None] = lambda level, text: say(level, text, logger=LOGGER),
    ) -> None:
        """Begin; the thread sleeps until there is a span.

        Args:
            endpoint: the collector.
            about: see `otlp.request`.
            transport: how requests are sent; by HTTP.
            capacity: most spans that wait.
            period_s: how long spans are gathered into one request.
            tell_period_s: least time between two sentences about dropped spans.
            tell: takes level and sentence when the collector is lost, when it is back, and how many
                spans have been dropped.
        """
        self.exported = 0
        self.dropped = 0
        self._endpoint = endpoint
        self._about = dict(about)
        self._transport = transport or HttpTransport(endpoint)
        self._capacity = capacity
        self._period_s = period_s
        self._tell_period_s = tell_period_s
        self._tell = tell
        self._waiting: deque[Span] = deque()
        self._there_is_some = threading.Event()
        self._sent = threading.Event()
        self._sent.set()
        self._hurry = threading.Event()
        self._failures = 0
        self._sending = 0
        self._dropped_before = 0
        self._told_dropped = 0
        self._told_s = -tell_period_s
        self._guard = threading.Lock()
        threading.Thread(target=self._run, name='traces', daemon=True).start()

    def add(self, span: Span) -> None:
        """Take a span; returns at once, whatever the collector does."""
        if len(self._waiting) >= self._capacity:
            self._drop(1)
            return
        self._waiting.append(span)
        if not self._there_is_some.is_set():
            self._sent.clear()
            self._there_is_some.set()

    def flush(self, limit_s: float) -> None:
        """Send what waits now; returns when it is sent, or after a time, or if nobody takes it."""
        if self._failures:
            return
        self._hurry.set()
        self._sent.wait(limit_s)
        self._hurry.clear()

    def close(self, limit_s: float) -> None:
        """Send what waits as `flush` does; drop the rest and tell how many spans nobody has.

        Other nodes of the process may go on adding spans.
        """
        self.flush(limit_s)
        self._drop(len(self._taken()))
        # Of what is on its way nobody knows yet; a process that ends now takes it along.
        self._tell_dropped(self.dropped + self._sending)

    def _run(self) -> None:
        while True:
            if not self._there_is_some.wait(self._until_told_s()):
                self._tell_dropped(self.dropped)
                continue
            self._hurry.wait(self._pause_s())
            self._there_is_some.clear()
            batch = self._taken()
            if batch:
                self._sending = len(batch)
                self._send(batch)
                self._sending = 0
            if not self._waiting:
                self._sent.set()
            if self._until_told_s() == 0:
                self._tell_dropped(self.dropped)

    def _taken(self) -> list[Span]:
        """What waits; those who add do not wait for this, for each step takes one span."""
        batch: list[Span] = []
        with suppress(IndexError):
            while len(batch) < self._capacity:
                batch.append(self._waiting.popleft())
        return batch

    def _drop(self, count: int) -> None:
        with self._guard:
            self.dropped += count

    def _until_told_s(self) -> float | None:
        """Time until dropped spans are told; None while there are none of which nobody knows."""
        if self.dropped <= self._told_dropped:
            return None
        return max(0.0, self._told_s + self._tell_period_s - time.monotonic())

    def _tell_dropped(self, count: int) -> None:
        with self._guard:
            if count <= self._told_dropped:
                return
            self._told_dropped, self._told_s = count, time.monotonic()
        self._tell('WARNING', f'spans dropped so far: {count} ({self._endpoint})')

    def _pause_s(self) -> float:
        return min(self._period_s * 2**self._failures, LONGEST_PAUSE_S)

    def _send(self, batch: Sequence[Span]) -> None:
        try:
            status, answer = self._transport.post(otlp.request(batch, self._about))
        except Exception as error:  # noqa: BLE001 (whatever it is, the next spans are sent)
            self._lost(len(batch), str(error) or type(error).__name__)
            return
        if not 200 <= status < 300:
            self._lost(len(batch), f'it answers {status}')
            return
        not_taken = min(otlp.refused(answer), len(batch))
        self._told_dropped = min(self._told_dropped, self.dropped)
        self._drop(not_taken)
        self.exported += len(batch) - not_taken
        if self._failures:
            self._failures = 0
            lost = self.dropped - self._dropped_before
            self._told_dropped = self.dropped
            self._tell('INFO', f'{self._endpoint} takes spans again; {lost} were dropped')

    def _lost(self, count: int, why: str) -> None:
        if self._failures == 0:
            self._dropped_before = self.dropped
            self._told_s = time.monotonic()
            self._tell(
                'WARNING',
                f'{self._endpoint} takes no spans: {why}; they are dropped and counted until it '
                f'does',
            )
        self._drop(count)
        self._failures = min(self._failures + 1, 16)
