"""Client of a machine reader in the cluster (docs/contracts.md, section 12)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from probes.clock import ClockOffset, clock_offset
from probes.errors import TargetError
from probes.evidence import Cell, SeriesTable
from probes.metrics import READER_GARBLED, READER_REFUSED, READER_UNREACHABLE
from probes.signed_http import PAUSES_S, CallRefused, Server, SignedHttp
from probes.signing import CallSigner

ROWS_PER_CALL = 10_000
SERVER = Server("machine reader", "app.kubernetes.io/component=machine-reader", READER_UNREACHABLE, READER_REFUSED)


class Answer(BaseModel):
    """Base of a reader's answers: frozen; keys that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SourceStatus(Answer):
    """Where a kind comes from, or why it is missing."""

    source: str | None = None
    missing: str | None = None


class MachineReaderStatus(Answer):
    """`GET /v1/status`."""

    contract: Literal[1]
    boot_id: str
    machine: str
    address: str
    cgroup: Literal["v1", "v2", "hybrid"]
    sources: dict[str, SourceStatus]
    cpu_ns: int
    rss_bytes: int
    active_captures: list[str]

    def has_source(self, kind: str) -> bool:
        """Whether the reader can read a kind at all."""
        found = self.sources.get(kind)
        return found is not None and found.source is not None


class ReaderCaptureStatus(Answer):
    """`GET /v1/captures/ID`: times in the clock of the reader's machine."""

    capture: str
    active: bool
    started_ns: int
    stopped_ns: int | None
    rows: dict[str, int]
    dropped: dict[str, int]
    gaps: list[tuple[int, int]]
    late_reads: int
    longest_read_ns: int
    failed_reads: dict[str, int]
    cpu_ns: int


class SeriesPart(Answer):
    """`GET /v1/captures/ID/series`: some rows of a kind."""

    kind: str
    columns: list[str]
    rows: list[list[Cell]]
    missing: str | None = None
    missing_columns: dict[str, str] = {}


Found = TypeVar("Found", bound=Answer)


def audience_of(machine: str) -> str:
    """Name by which signed calls mean the reader of a machine."""
    return f"machine-reader/{machine}"


class MachineReaderClient:
    """Speaks to one machine reader.

    Args:
        http: A client whose base address is the forwarded port.
        signer: Signs what only the operator may ask for; none for one who only reads the status.
        pauses_s: Waits before each attempt at a call.
    """

    def __init__(
        self, http: httpx.AsyncClient, signer: CallSigner | None = None, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        self._http = SignedHttp(http, SERVER, signer, pauses_s)

    async def status(self) -> MachineReaderStatus:
        """Read what the reader knows of itself and its machine."""
        return _read(MachineReaderStatus, await self._http.ask("/v1/status"))

    async def clock_offset(self, own_boot_id: str, reader_boot_id: str) -> ClockOffset:
        """Relate the reader's clock to ours: the same kernel has the same clock, else it is measured."""
        return await clock_offset(self._http, own_boot_id, reader_boot_id)

    async def start(self, capture: str, pods: Sequence[str], period_s: float, max_s: float) -> None:
        """Begin to keep rows of pods (UIDs), at most for `max_s` seconds."""
        body = {"capture": capture, "pods": list(pods), "period_s": period_s, "max_s": max_s}
        try:
            await self._http.call("POST", "/v1/captures", body)
        except CallRefused as refused:
            # A request that was repeated because its answer got lost finds its own capture active.
            if refused.status != HTTPStatus.CONFLICT or capture not in (await self.status()).active_captures:
                raise

    async def read(self, capture: str) -> ReaderCaptureStatus:
        """Read how far a capture is."""
        return _read(ReaderCaptureStatus, await self._http.call("GET", f"/v1/captures/{capture}"))

    async def stop(self, capture: str) -> ReaderCaptureStatus:
        """End a capture."""
        return _read(ReaderCaptureStatus, await self._http.call("POST", f"/v1/captures/{capture}/stop"))

    async def series(self, capture: str, kind: str, offset: int = 0) -> SeriesTable:
        """Fetch the rows of a kind from one on, as many as there are now; in parts, so that none is too long."""
        rows: list[tuple[Cell, ...]] = []
        while True:
            asked: dict[str, str | int] = {"kind": kind, "offset": offset + len(rows), "limit": ROWS_PER_CALL}
            answer = await self._http.call("GET", f"/v1/captures/{capture}/series", parameters=asked)
            part = _read(SeriesPart, answer)
            rows += [tuple(row) for row in part.rows]
            if len(part.rows) < ROWS_PER_CALL:
                return SeriesTable(tuple(part.columns), tuple(rows), part.missing, part.missing_columns)

    async def delete(self, capture: str) -> None:
        """Free the room of a capture; one that is gone already is no error."""
        await self._http.delete(f"/v1/captures/{capture}")

    async def images(self) -> Mapping[str, Any]:
        """Ask what containerd holds."""
        return (await self._http.call("GET", "/v1/images")).json()

    async def remove_images(self, digests: Sequence[str]) -> Mapping[str, Any]:
        """Remove images, content and snapshots."""
        return (await self._http.call("POST", "/v1/images/remove", {"digests": list(digests)})).json()

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Make any other signed call, and give its answer."""
        answer = await self._http.call(method, path, body)
        return answer.json() if answer.content else {}


def _read(model: type[Found], answer: httpx.Response) -> Found:
    """Read an answer.

    Raises:
        TargetError: It does not fit the contract.
    """
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise TargetError(
            f"The machine reader answered {answer.request.url.path} with what does not fit: {place}: {first['msg']}.",
            next_step="build the image machine-reader of this version and deploy the platform again",
            reason=READER_GARBLED,
        ) from None
