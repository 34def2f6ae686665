"""Client of the recorder in the cluster (docs/contracts.md, section 5), and how its clock relates to ours."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict

from probes.errors import TargetError
from probes.samples import COLUMNS, Samples, decode_samples

EXCHANGES = 16
TIMEOUT_S = 15.0


class Answer(BaseModel):
    """Base of the recorder's answers: frozen; keys that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Publisher(Answer):
    """A publisher that the recorder has discovered on a topic it listens to."""

    node: str
    reliability: str
    depth: int
    incompatible: bool


class TopicStatus(Answer):
    """A topic that the recorder listens to."""

    name: str
    type: str
    received_total: int
    publishers: list[Publisher]


class Discovered(Answer):
    """Any topic in the recorder's ROS domain."""

    topic: str
    types: list[str]
    publishers: int


class RecorderStatus(Answer):
    """`GET /v1/status`."""

    contract: Literal[1]
    boot_id: str
    machine: str
    domain_id: int
    rmw: str
    loop: str
    started_ns: int
    cpu_ns: int
    rss_bytes: int
    topics: list[TopicStatus]
    nodes: list[str] | None = None
    discovered: list[Discovered]
    active_capture: str | None


class CaptureStatus(Answer):
    """`GET /v1/captures/ID`: times in the clock of the recorder's machine."""

    capture: str
    active: bool
    started_ns: int
    stopped_ns: int | None
    samples: dict[str, int]
    first: dict[str, list[int] | None]
    last: dict[str, list[int] | None]
    dropped: dict[str, int]
    cpu_ns: int

    def last_stamp(self, topic: str, column: str) -> int | None:
        """Give one column of the newest sample of a topic."""
        row = self.last.get(topic)
        return None if row is None else row[COLUMNS.index(column)]


@dataclass(frozen=True)
class ClockOffset:
    """How the recorder's real-time clock relates to the runner's: recorder = runner + offset, within ± bound."""

    offset_ns: int
    bound_ns: int
    method: Literal["one_kernel", "four_timestamps"]

    def to_runner(self, recorder_ns: int) -> int:
        """Convert a time of the recorder to the runner's clock."""
        return recorder_ns - self.offset_ns

    def to_recorder(self, runner_ns: int) -> int:
        """Convert a time of the runner to the recorder's clock."""
        return runner_ns + self.offset_ns

    def as_record(self) -> dict[str, object]:
        """Give the entry of the manifest."""
        return {"offset_ns": self.offset_ns, "bound_ns": self.bound_ns, "method": self.method}


@dataclass(frozen=True)
class Exchange:
    """Four times of one request: sent and answered by the runner's clock, received and sent by the recorder's."""

    asked_ns: int
    received_ns: int
    sent_ns: int
    answered_ns: int

    @property
    def delay_ns(self) -> int:
        """Time on the way, both directions."""
        return (self.answered_ns - self.asked_ns) - (self.sent_ns - self.received_ns)

    @property
    def offset_ns(self) -> int:
        """Offset if both directions took the same time; wrong by at most half the delay."""
        return ((self.received_ns - self.asked_ns) + (self.sent_ns - self.answered_ns)) // 2


def best_offset(exchanges: list[Exchange]) -> ClockOffset:
    """Take the exchange that spent the least time on the way: its bound is the narrowest."""
    best = min(exchanges, key=lambda exchange: exchange.delay_ns)
    return ClockOffset(best.offset_ns, max(0, -(-best.delay_ns // 2)), "four_timestamps")


def forwarded_client(address: str, timeout_s: float = TIMEOUT_S) -> httpx.AsyncClient:
    """HTTP client of a forwarded port: plain HTTP on the loopback interface, through no proxy."""
    # Nothing there speaks TLS, so no certificate authority needs to be loaded; none would be trusted.
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(base_url=address, timeout=timeout_s, trust_env=False, verify=unused)


class RecorderClient:
    """Speaks to one recorder.

    Args:
        http: A client whose base address is the forwarded port; connections are not reused by proxies or redirects.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def status(self) -> RecorderStatus:
        """Read what the recorder knows."""
        return RecorderStatus.model_validate((await self._call("GET", "/v1/status")).json())

    async def start(self, capture: str, max_samples: int) -> int:
        """Start keeping samples; gives the start in the recorder's clock."""
        try:
            await self._call("POST", "/v1/captures", {"capture": capture, "max_samples": max_samples})
        except RecorderRefused as refused:
            # A request that was repeated because its answer got lost finds its own capture active.
            if refused.status != HTTPStatus.CONFLICT or (await self.status()).active_capture != capture:
                raise
        return (await self.read(capture)).started_ns

    async def read(self, capture: str) -> CaptureStatus:
        """Read how far a capture is."""
        return CaptureStatus.model_validate((await self._call("GET", f"/v1/captures/{capture}")).json())

    async def stop(self, capture: str) -> CaptureStatus:
        """Stop keeping samples."""
        return CaptureStatus.model_validate((await self._call("POST", f"/v1/captures/{capture}/stop")).json())

    async def samples(self, capture: str, topic: str) -> Samples:
        """Fetch every sample of a topic."""
        answer = await self._call("GET", f"/v1/captures/{capture}/samples", parameters={"topic": topic})
        return decode_samples(answer.content, topic)

    async def delete(self, capture: str) -> None:
        """Free the memory of a capture."""
        await self._call("DELETE", f"/v1/captures/{capture}")

    async def clock_offset(self, own_boot_id: str, recorder_boot_id: str) -> ClockOffset:
        """Relate the recorder's clock to ours: the same kernel has the same clock, else it is measured."""
        if own_boot_id and own_boot_id == recorder_boot_id:
            return ClockOffset(0, 0, "one_kernel")
        exchanges: list[Exchange] = []
        for _ in range(EXCHANGES):
            asked_ns = time.time_ns()
            answer = (await self._call("GET", "/v1/clock")).json()
            exchanges.append(Exchange(asked_ns, answer["received_ns"], answer["sent_ns"], time.time_ns()))
        return best_offset(exchanges)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Make one request; a broken connection is tried once more, since every call may be repeated."""
        answer: httpx.Response | None = None
        problem = ""
        for _ in range(3):
            try:
                answer = await self._http.request(method, path, json=body, params=parameters)
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
                continue
            break
        if answer is None:
            raise TargetError(
                f"The recorder cannot be reached: tried {method} {path} three times through the API server's "
                f"port-forward: {problem}.",
                next_step="check that the recorder's pod is Running: kubectl get pods -A -l ros2bench/stack",
                reason="recorder_unreachable",
            )
        if answer.is_error:
            raise RecorderRefused(method, path, answer)
        return answer


class RecorderRefused(TargetError):  # noqa: N818 - named after the event
    """The recorder answered with an error; `status` is its HTTP status."""

    def __init__(self, method: str, path: str, answer: httpx.Response) -> None:
        super().__init__(
            f"The recorder refused {method} {path}: {answer.status_code} {refusal(answer)}.",
            next_step="run again; if it stays, restart the recorder's pod",
            reason="recorder_refused",
        )
        self.status = answer.status_code


def refusal(answer: httpx.Response) -> str:
    """Give the sentence in the recorder's `{"error": …}`, else the beginning of the answer."""
    try:
        return str(answer.json()["error"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
