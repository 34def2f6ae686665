"""Client of the recorder in the cluster (docs/contracts.md, section 5)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict

from probes.clock import ClockOffset, clock_offset
from probes.samples import COLUMNS, Samples, decode_samples, joined
from probes.signed_http import PAUSES_S, CallRefused, Server, SignedHttp
from probes.signing import CallSigner
from stacks.outputs import RecorderEndpoint

ROWS_PER_CALL = 100_000
SERVER = Server("recorder", "ros2bench/stack", "recorder_unreachable", "recorder_refused")


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
    drain_busy_ns: int = -1
    flush_busy_ns: int = -1
    longest_flush_ns: int = -1
    topics: list[TopicStatus]
    nodes: list[str] | None = None
    discovered: list[Discovered]
    active_capture: str | None


class CaptureStatus(Answer):
    """`GET /v1/captures/ID`: times in the clock of the recorder's machine.

    `gaps` are the times in which the recorder was being restarted: what is missing there was lost by the recorder.
    `drain_busy_ns` is -1 where the recorder cannot tell.
    """

    capture: str
    active: bool
    started_ns: int
    stopped_ns: int | None
    samples: dict[str, int]
    first: dict[str, list[int] | None]
    last: dict[str, list[int] | None]
    dropped: dict[str, int]
    gaps: list[tuple[int, int]] = []
    disk_error: str | None = None
    cpu_ns: int
    drain_busy_ns: int = -1

    def last_stamp(self, topic: str, column: str) -> int | None:
        """Give one column of the newest sample of a topic."""
        row = self.last.get(topic)
        return None if row is None else row[COLUMNS.index(column)]


def audience_of(endpoint: RecorderEndpoint) -> str:
    """Name by which signed calls mean a recorder."""
    return f"recorder/{endpoint.namespace}"


class RecorderClient:
    """Speaks to one recorder.

    Args:
        http: A client whose base address is the forwarded port; connections are not reused by proxies or redirects.
        signer: Signs what only the operator may ask for; none for one who only reads the status.
        pauses_s: Waits before each attempt at a call.
    """

    def __init__(
        self, http: httpx.AsyncClient, signer: CallSigner | None = None, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        self._http = SignedHttp(http, SERVER, signer, pauses_s)

    async def status(self) -> RecorderStatus:
        """Read what the recorder knows."""
        return RecorderStatus.model_validate((await self._http.ask("/v1/status")).json())

    async def require_obedience(self) -> None:
        """Find out early whether the recorder accepts what this key signs.

        Raises:
            CallRefused: It does not.
        """
        try:
            await self._http.call("GET", "/v1/captures/none")
        except CallRefused as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise

    async def start(self, capture: str, max_samples: int) -> int:
        """Start keeping samples; gives the start in the recorder's clock."""
        try:
            await self._http.call("POST", "/v1/captures", {"capture": capture, "max_samples": max_samples})
        except CallRefused as refused:
            # A request that was repeated because its answer got lost finds its own capture active.
            if refused.status != HTTPStatus.CONFLICT or (await self.status()).active_capture != capture:
                raise
        return (await self.read(capture)).started_ns

    async def read(self, capture: str) -> CaptureStatus:
        """Read how far a capture is."""
        return CaptureStatus.model_validate((await self._http.call("GET", f"/v1/captures/{capture}")).json())

    async def stop(self, capture: str) -> CaptureStatus:
        """Stop keeping samples."""
        return CaptureStatus.model_validate((await self._http.call("POST", f"/v1/captures/{capture}/stop")).json())

    async def samples(self, capture: str, topic: str, offset: int = 0) -> Samples:
        """Fetch the samples of a topic from one on, as many as there are now; in parts, so that none is too long."""
        parts: list[Samples] = []
        while True:
            asked = {"topic": topic, "offset": offset, "limit": ROWS_PER_CALL}
            answer = await self._http.call("GET", f"/v1/captures/{capture}/samples", parameters=asked)
            part = decode_samples(answer.content, topic)
            parts.append(part)
            offset += len(part)
            if len(part) < ROWS_PER_CALL:
                return joined(parts)

    async def delete(self, capture: str) -> None:
        """Free the room of a capture; one that is gone already is no error."""
        await self._http.delete(f"/v1/captures/{capture}")

    async def clock_offset(self, own_boot_id: str, recorder_boot_id: str) -> ClockOffset:
        """Relate the recorder's clock to ours: the same kernel has the same clock, else it is measured."""
        return await clock_offset(self._http, own_boot_id, recorder_boot_id)
