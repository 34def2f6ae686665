"""A port of 127.0.0.1 before a store, a stand-in or a real one, on which requests can meet with faults."""

import base64
import hashlib
import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

CREDENTIAL = re.compile(r"Credential=([^/]+)/")
OF_ONE_HOP = {"connection", "transfer-encoding", "content-length"}
CHECKSUM = "x-amz-checksum-sha256"
METHODS = "PUT POST GET HEAD DELETE"

Kind = Literal[
    "close",
    "cut_request",
    "lost_answer",
    "cut_answer",
    "silence",
    "refusal",
    "refusal_after",
    "damaged_request",
    "damaged_answer",
    "quietly_damaged_answer",
    "dropped",
    "altered",
]


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Path, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """First value of each parameter."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query, keep_blank_values=True).items()}

    @property
    def key_id(self) -> str:
        """Whose credentials signed it."""
        found = CREDENTIAL.search(self.headers.get("authorization", ""))
        return found[1] if found else ""


@dataclass(frozen=True)
class Answered:
    """An answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


Store = Callable[[Asked], Answered]


def refusal(status: int, code: str, message: str = "no", **headers: str) -> Answered:
    """Answer with S3's error document."""
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Answered(status, text.encode(), {"Content-Type": "application/xml", **headers})


@dataclass(frozen=True)
class Fault:
    """What a request meets with.

    Attributes:
        kind: `close` before anything is read; `cut_request`, `cut_answer` at a share of the body; `lost_answer` once
            it was done; `silence` instead of an answer, once it was done; `refusal` instead of doing it,
            `refusal_after` although it was done; a byte changed on the way (`damaged_…`), with the answer's checksum
            taken off (`quietly_…`); `dropped`: not done, though the answer says so; `altered`: other bytes are stored.
        share: Where in the body, 0 to 1.
        refusal: What is answered.
    """

    kind: Kind
    share: float = 0.5
    refusal: Answered = field(default_factory=lambda: refusal(500, "InternalError"))


class Door:
    """Lets requests meet with faults on their way to a store."""

    def __init__(self, store: Store, *, silence_s: float = 0.0) -> None:
        self.store = store
        self.passed = 0
        self.met: list[Kind] = []
        self.silence_s = silence_s
        self._draw: Callable[[], Fault] | None = None
        self._methods = ""
        self._left = (0, 0)

    def meet(
        self, fault: Fault | Callable[[], Fault], *, first: int = 0, count: int = 1_000_000, methods: str = METHODS
    ) -> None:
        """Plan a fault for some requests from now on.

        Args:
            fault: The fault, or what draws one for each request.
            first: How many requests pass before it.
            count: How many requests meet with one.
            methods: Which requests are counted at all.
        """
        self._draw = (lambda: fault) if isinstance(fault, Fault) else fault
        self._methods, self._left = methods, (first, count)

    def calm(self) -> None:
        """End all faults."""
        self._draw = None

    def fault(self, method: str) -> Fault | None:
        """Give the fault of the next request."""
        self.passed += 1
        first, count = self._left
        if self._draw is None or method not in self._methods.split():
            return None
        self._left = (first - 1, count) if first else (0, count - 1)
        if first or count <= 0:
            return None
        found = self._draw()
        self.met.append(found.kind)
        return found

    def answer(self, asked: Asked, fault: Fault | None) -> Answered | None:
        """Answer a request; None closes the connection without a word."""
        if fault is None:
            return self.store(asked)
        if fault.kind == "refusal":
            return fault.refusal
        if fault.kind in {"dropped", "altered"} and asked.method == "PUT":
            return self._lie(asked, fault)
        if fault.kind == "damaged_request" and asked.body:
            return self.store(replace(asked, body=flipped(asked.body, fault.share)))
        done = self.store(asked)
        if fault.kind in {"lost_answer", "silence"}:
            time.sleep(self.silence_s if fault.kind == "silence" else 0)
            return None
        return _on_the_way_back(done, fault) if asked.method == "GET" or fault.kind == "refusal_after" else done

    def _lie(self, asked: Asked, fault: Fault) -> Answered:
        """Say that the bytes were stored, and store none or others."""
        told = {CHECKSUM: asked.headers.get(CHECKSUM, "")}
        if fault.kind == "dropped":
            return Answered(200, headers={"ETag": '"e"', **told})
        body = flipped(asked.body, fault.share)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        done = self.store(replace(asked, body=body, headers={**asked.headers, CHECKSUM: digest}))
        return replace(done, headers={**done.headers, **told}) if done.status == 200 else done


def _on_the_way_back(done: Answered, fault: Fault) -> Answered:
    """Do to an answer what a fault does."""
    if fault.kind == "refusal_after":
        return fault.refusal
    if fault.kind == "quietly_damaged_answer":
        done = replace(done, headers={name: value for name, value in done.headers.items() if "checksum" not in name})
    if fault.kind in {"damaged_answer", "quietly_damaged_answer"} and done.status == 200:
        return replace(done, body=flipped(done.body, fault.share))
    return done


def flipped(body: bytes, share: float) -> bytes:
    """Change one bit."""
    if not body:
        return b"!"
    at = min(int(share * len(body)), len(body) - 1)
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def forwarded_to(port: int) -> Store:
    """Give the store that serves on a port of 127.0.0.1."""

    def forward(asked: Asked) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request(asked.method, asked.target, asked.body, asked.headers)
            got = connection.getresponse()
            body = got.read()
        finally:
            connection.close()
        headers = {name: value for name, value in got.getheaders() if name.lower() not in OF_ONE_HOP}
        return Answered(got.status, body, headers)

    return forward


class Handler(BaseHTTPRequestHandler):
    """Reads requests and sends answers, as far as their faults let it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    door: Door

    def handle_one_request(self) -> None:
        """Serve a request; a client that went away is no problem of the store's."""
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        done = super().handle_expect_100()
        self.wfile.flush()
        return done

    def do(self) -> None:
        """Serve any method."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = int(headers.get("content-length", "0"))
        fault = self.door.fault(self.command)
        if fault and fault.kind in {"close", "cut_request"}:
            self.rfile.read(int(length * fault.share) if fault.kind == "cut_request" else 0)
            self.close_connection = True
            return
        answered = self.door.answer(Asked(self.command, self.path, headers, self.rfile.read(length)), fault)
        if answered is None:
            self.close_connection = True
            return
        self.give(answered, fault.share if fault and fault.kind == "cut_answer" else 1.0)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do  # noqa: N815 - names of the base class

    def give(self, answered: Answered, share: float) -> None:
        """Send an answer, or a share of it."""
        self.send_response_only(answered.status)
        if not any(name.lower() == "date" for name in answered.headers):
            self.send_header("Date", self.date_time_string())
        for name, value in answered.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answered.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answered.body[: int(share * len(answered.body))])
        self.close_connection = self.close_connection or share < 1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
        """Stay quiet."""


class Served:
    """A door, open."""

    def __init__(self, door: Door, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("HandlerOfDoor", (Handler,), {"door": door}))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        """Where it serves."""
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
