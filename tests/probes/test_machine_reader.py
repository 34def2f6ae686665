"""The client of a machine reader against the reader's own routes, without a network between them."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probes import machine_reader
from probes.errors import TargetError
from probes.machine_reader import MachineReaderClient, audience_of
from probes.readers import MachineReader
from probes.signed_http import CallRefused
from probes.signing import CallSigner
from signing.keys import public_text
from tests.images import machine_files as files
from tests.images.in_cluster import module

captures = module("ros2bench_machine_reader.captures")
capture_calls = module("ros2bench_machine_reader.capture_calls")
cgroup_tree = module("ros2bench_machine_reader.cgroup_tree")
http_server = module("ros2bench_machine_reader.http_server")
routing = module("ros2bench_machine_reader.routing")
sources = module("ros2bench_machine_reader.sources")
status = module("ros2bench_machine_reader.status")
signed_calls = module("ros2bench_service.signed_calls")
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PODS = [files.UID]
Result = TypeVar("Result")
Change = Callable[[httpx.Request], httpx.Response | None]


class Reader:
    """A machine reader whose rows a test adds."""

    def __init__(self, folder: Path) -> None:
        absent = [sources.Absent("power", "no_power_source")]
        self.captures: Any = captures.Captures(folder / "captures", 10_000_000, 0.1, absent)
        tree = cgroup_tree.find_tree(files.v1(folder / "cgroup"))
        identity = status.Identity("boot-1", "here", "192.0.2.7")
        told = status.extension(
            identity, tree, status.describe([], absent, tree), self.captures, metrics=bytes, silence=lambda: None
        )
        self.routes: dict[Any, Any] = {**told.routes, **capture_calls.extension(self.captures).routes}
        self.verifier: Any = signed_calls.CallVerifier(signed_calls.operator_key(public_text(KEY)), audience_of("here"))
        self.calls: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer as the server in the pod does."""
        target = request.url.raw_path.decode()
        self.calls.append(f"{request.method} {target}")
        asked = routing.Request(
            request.method,
            target,
            request.url.path,
            dict(request.url.params),
            request.content,
            time.time_ns(),
            request.headers.get("Authorization"),
        )
        answer = http_server.answer(self.routes, self.verifier, asked)
        return httpx.Response(answer.status, content=answer.body)

    def use(
        self,
        work: Callable[[MachineReaderClient], Coroutine[Any, Any, Result]],
        change: Change = lambda _: None,
        **signer: Any,
    ) -> Result:
        """Let a client work; `change` may answer in the reader's place."""
        chosen: dict[str, Any] = {"key": KEY, "audience": audience_of("here")} | signer

        async def run() -> Result:
            transport = httpx.MockTransport(lambda request: change(request) or self.answer(request))
            async with httpx.AsyncClient(transport=transport, base_url="http://reader") as http:
                return await work(MachineReaderClient(http, CallSigner(**chosen), (0.0, 0.0)))

        return asyncio.run(run())

    def add(self, count: int) -> None:
        """Give the active capture rows of the machine."""
        (capture,) = self.captures.active()
        self.captures.add(capture, "machine", [[n, n, n, n, n, n, n, n, n, 0.5] for n in range(count)])


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_the_client_is_what_the_runner_wants() -> None:
    wanted = [name for name in vars(MachineReader) if not name.startswith("_")]
    assert wanted
    assert [name for name in wanted if not hasattr(MachineReaderClient, name)] == []


def test_the_status_says_which_kinds_there_are(reader: Reader) -> None:
    found = reader.use(lambda client: client.status())
    assert (found.machine, found.address, found.cgroup, found.boot_id) == ("here", "192.0.2.7", "v1", "boot-1")
    assert found.has_source("containers")
    assert not found.has_source("power")
    assert not found.has_source("weather")
    assert found.sources["power"].missing == "no_power_source"


def test_a_capture_is_started_fetched_in_parts_and_forgotten(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_reader, "ROWS_PER_CALL", 4)

    async def work(client: MachineReaderClient) -> tuple[Any, ...]:
        await client.start("c", PODS, 0.1, 60)
        reader.add(9)
        running = await client.series("c", "machine", offset=7)
        ended = await client.stop("c")
        table, power = await client.series("c", "machine"), await client.series("c", "power")
        await client.delete("c")
        await client.delete("c")
        return running, ended, table, power

    running, ended, table, power = reader.use(work)
    assert [row[0] for row in running.rows] == [7, 8]
    assert [row[0] for row in table.rows] == list(range(9))
    assert table.columns == ("time_ns", "monotonic_ns", *sources.COLUMNS["machine"])
    assert (ended.active, ended.rows["machine"], ended.gaps, ended.dropped["machine"]) == (False, 9, [], 0)
    assert (power.rows, power.missing) == ((), "no_power_source")


def test_a_start_whose_answer_got_lost_finds_its_own_capture(reader: Reader) -> None:
    lost = [True]

    def lose(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and lost:
            lost.pop()
            reader.answer(request)
            raise httpx.ReadError("lost")
        return None

    async def work(client: MachineReaderClient) -> Any:
        await client.start("c", PODS, 0.1, 60)
        return (await client.status()).active_captures

    assert reader.use(work, lose) == ["c"]


@pytest.mark.parametrize(
    "signer", [{"audience": audience_of("elsewhere")}, {"key": Ed25519PrivateKey.from_private_bytes(b"x" * 32)}]
)
def test_who_is_not_the_operator_of_this_machine_is_refused(reader: Reader, signer: dict[str, Any]) -> None:
    with pytest.raises(CallRefused) as refused:
        reader.use(lambda client: client.start("c", PODS, 0.1, 60), **signer)
    assert (refused.value.status, refused.value.reason) == (401, "machine_reader_refused")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"<html>", json.dumps({"contract": 9}).encode(), b'{"kind": "machine", "rows": [1]}']
)
def test_an_answer_that_does_not_fit_is_garbled_never_a_number(reader: Reader, body: bytes) -> None:
    def garble(request: httpx.Request) -> httpx.Response | None:
        return None if request.url.path == "/v1/clock" else httpx.Response(200, content=body)

    asked: list[Callable[[MachineReaderClient], Coroutine[Any, Any, object]]] = [
        lambda client: client.status(),
        lambda client: client.stop("c"),
        lambda client: client.series("c", "machine"),
    ]
    for work in asked:
        with pytest.raises(TargetError) as refused:
            reader.use(work, garble)
        assert refused.value.reason == "machine_reader_garbled"


def test_a_reader_that_is_gone_is_unreachable(reader: Reader) -> None:
    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone")

    with pytest.raises(TargetError) as refused:
        reader.use(lambda client: client.status(), gone)
    assert refused.value.reason == "machine_reader_unreachable"


def test_the_clocks_of_two_kernels_are_related_and_of_one_are_the_same(reader: Reader) -> None:
    same = reader.use(lambda client: client.clock_offset("boot-1", "boot-1"))
    other = reader.use(lambda client: client.clock_offset("boot-0", "boot-1"))
    assert (same.offset_ns, same.bound_ns, same.method) == (0, 0, "one_kernel")
    assert other.method == "four_timestamps"
    assert abs(other.offset_ns) <= other.bound_ns + 1
