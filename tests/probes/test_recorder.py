"""The recorder's client: repeats what broke, says what was tried, and relates clocks with a bound that holds."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import TargetError
from probes.provenance import boot_id
from probes.recorder import ClockOffset, Exchange, RecorderClient, RecorderRefused, best_offset
from probes.samples import decode_samples
from tests.probes.standins import TOPIC, Deployment, StandInRecorder

Answer = TypeVar("Answer")


@pytest.fixture
def recorder() -> Generator[StandInRecorder]:
    with StandInRecorder(Deployment()) as standin:
        yield standin


def ask(address: str, question: Callable[[RecorderClient], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        async with httpx.AsyncClient(
            base_url=address, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ) as http:
            return await question(RecorderClient(http))

    return asyncio.run(run())


def test_a_capture_from_start_to_samples(recorder: StandInRecorder) -> None:
    async def capture(client: RecorderClient) -> tuple[int, int]:
        await client.start("one", 100)
        recorder.application.start()
        await asyncio.sleep(0.05)
        stopped = await client.stop("one")
        samples = await client.samples("one", TOPIC)
        await client.delete("one")
        return stopped.samples[TOPIC], len(samples)

    counted, fetched = ask(recorder.address, capture)
    assert counted == fetched > 0
    assert recorder.captures == {}


def test_a_broken_connection_is_tried_again(recorder: StandInRecorder) -> None:
    recorder.broken_requests = 2
    assert ask(recorder.address, lambda client: client.status()).domain_id == 7


def test_a_recorder_out_of_reach_is_named_with_what_was_tried() -> None:
    with pytest.raises(TargetError, match=r"GET /v1/status three times"):
        ask("http://127.0.0.1:9", lambda client: client.status())


def test_a_refusal_carries_the_recorders_sentence(recorder: StandInRecorder) -> None:
    with pytest.raises(RecorderRefused, match="there is no capture none") as caught:
        ask(recorder.address, lambda client: client.read("none"))
    assert caught.value.status == 404


def test_starting_twice_finds_its_own_capture_but_not_that_of_others(recorder: StandInRecorder) -> None:
    async def twice(client: RecorderClient) -> bool:
        return await client.start("one", 1) == await client.start("one", 1)

    assert ask(recorder.address, twice)
    with pytest.raises(RecorderRefused, match="one is active"):
        ask(recorder.address, lambda client: client.start("two", 1))


def test_one_kernel_has_one_clock(recorder: StandInRecorder) -> None:
    found = ask(recorder.address, lambda client: client.clock_offset(boot_id(), boot_id()))
    assert found == ClockOffset(0, 0, "one_kernel")


def test_another_kernel_is_measured(recorder: StandInRecorder) -> None:
    found = ask(recorder.address, lambda client: client.clock_offset("here", "there"))
    assert found.method == "four_timestamps"
    assert abs(found.offset_ns) <= found.bound_ns + 1


TIMES = st.integers(0, 10**9)


@given(st.integers(-(10**15), 10**15), st.lists(st.tuples(TIMES, TIMES, TIMES), min_size=1, max_size=8))
def test_the_true_offset_lies_within_the_bound(offset_ns: int, ways: list[tuple[int, int, int]]) -> None:
    exchanges = [
        Exchange(0, there + offset_ns, there + work + offset_ns, there + work + back) for there, work, back in ways
    ]
    found = best_offset(exchanges)
    assert abs(found.offset_ns - offset_ns) <= found.bound_ns + 1
    assert found.bound_ns <= min(there + back for there, _, back in ways) // 2 + 1


@given(st.integers(0, 2**62), st.integers(-(10**15), 10**15))
def test_conversions_undo_each_other(moment_ns: int, offset_ns: int) -> None:
    clock = ClockOffset(offset_ns, 0, "four_timestamps")
    assert clock.to_runner(clock.to_recorder(moment_ns)) == moment_ns


def test_a_cut_answer_is_not_samples() -> None:
    with pytest.raises(TargetError, match="63 bytes, not a multiple of 64"):
        decode_samples(b"x" * 63, TOPIC)
