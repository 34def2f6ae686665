"""HTTP calls of a server of ours in the cluster: signed by the operator, repeated where the way there broke.

The recorder and the machine readers take calls that change something only with a signature (docs/contracts.md,
section 11), whose time is that of the server's own clock.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from probes.errors import TargetError
from probes.signing import CallSigner

TIMEOUT_S = 15.0
CLOCK_PATH = "/v1/clock"
# A container that crashed is back within seconds, and its captures go on.
PAUSES_S = (0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Server:
    """How a server is named to people.

    Attributes:
        name: In the middle of a sentence: `recorder`.
        labels: Selects its pods, for `kubectl get pods`.
        unreachable: Reason code when it cannot be reached.
        refused: Reason code when it says no.
    """

    name: str
    labels: str
    unreachable: str
    refused: str


class CallRefused(TargetError):  # noqa: N818 - named after the event
    """A server answered with an error; `status` is its HTTP status."""

    def __init__(self, server: Server, method: str, path: str, answer: httpx.Response) -> None:
        next_step = f"run again; if it stays, restart the {server.name}'s pod"
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            next_step = (
                "use the key that wrote the image lock (ROS2BENCH_SIGNING_KEY), or write the lock and deploy again"
            )
        super().__init__(
            f"The {server.name} refused {method} {path}: {answer.status_code} {refusal(answer)}.",
            next_step=next_step,
            reason=server.refused,
        )
        self.status = answer.status_code


def refusal(answer: httpx.Response) -> str:
    """Give the sentence in a server's `{"error": …}`, else the beginning of the answer."""
    try:
        return str(answer.json()["error"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def forwarded_client(address: str, timeout_s: float = TIMEOUT_S) -> httpx.AsyncClient:
    """HTTP client of a forwarded port: plain HTTP on the loopback interface, through no proxy."""
    # Nothing there speaks TLS, so no certificate authority needs to be loaded; none would be trusted.
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(base_url=address, timeout=timeout_s, trust_env=False, verify=unused)


class SignedHttp:
    """Speaks to one server.

    Args:
        http: A client whose base address is the forwarded port.
        server: How errors name it.
        signer: Signs calls that change something; none for one who only reads what everybody may.
        pauses_s: Waits before each attempt; every call may be repeated.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        server: Server,
        signer: CallSigner | None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._http = http
        self._server = server
        self._signer = signer
        self._pauses_s = tuple(pauses_s)
        # The server's real-time clock less our monotonic one, which no step of our own clock moves.
        self._ahead_ns: int | None = None

    async def ask(self, path: str) -> httpx.Response:
        """Make a call that needs no signature.

        Raises:
            TargetError: The server cannot be reached.
            CallRefused: It answered with an error.
        """
        return self._accepted("GET", path, await self._send("GET", path, None, None, is_signed=False))

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        parameters: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """Make a signed call.

        Raises:
            TargetError: The server cannot be reached.
            CallRefused: It answered with an error.
        """
        answer = await self._send(method, path, body, parameters, is_signed=True)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and self._signer is not None:
            # It may have started after we read its clock, or its clock was set.
            self._ahead_ns = None
            answer = await self._send(method, path, body, parameters, is_signed=True)
        return self._accepted(method, path, answer)

    async def delete(self, path: str) -> None:
        """Make a signed call that deletes; what is gone already is no error.

        Raises:
            TargetError: The server cannot be reached.
            CallRefused: It answered with another error.
        """
        try:
            await self.call("DELETE", path)
        except CallRefused as refused:
            # A request that was repeated because its answer got lost finds nothing left to delete.
            if refused.status != HTTPStatus.NOT_FOUND:
                raise

    def _accepted(self, method: str, path: str, answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise CallRefused(self._server, method, path, answer)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        parameters: Mapping[str, str | int] | None,
        *,
        is_signed: bool,
    ) -> httpx.Response:
        """Try until an answer comes; each attempt has a signature of its own, since each is accepted once."""
        began_s, problem = time.monotonic(), ""
        for pause_s in self._pauses_s:
            await asyncio.sleep(pause_s)
            try:
                request = self._http.build_request(method, path, json=body, params=parameters)
                if is_signed and self._signer is not None:
                    target = request.url.raw_path.decode("ascii")
                    moment_ns = await self._server_time_ns()
                    request.headers["Authorization"] = self._signer.authorization(
                        method, target, request.content, moment_ns
                    )
                return await self._http.send(request)
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
        raise TargetError(
            f"The {self._server.name} cannot be reached: tried {method} {path} {len(self._pauses_s)} times in "
            f"{time.monotonic() - began_s:.0f} s through the API server's port-forward: {problem}.",
            next_step=f"check that its pod is Running: kubectl get pods -A -l {self._server.labels}",
            reason=self._server.unreachable,
        )

    async def _server_time_ns(self) -> int:
        """Give what the server's clock shows now, wrong by less than the way there and back; 30 s would do."""
        if self._ahead_ns is None:
            answer = self._accepted("GET", CLOCK_PATH, await self._http.get(CLOCK_PATH))
            self._ahead_ns = int(answer.json()["sent_ns"]) - time.monotonic_ns()
        return time.monotonic_ns() + self._ahead_ns
