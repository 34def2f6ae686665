"""The recorder's client: repeats what broke, says what was tried, and relates clocks with a bound that holds."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from probes import recorder as recorder_module
from probes.clock import ClockOffset, Exchange, best_offset
from probes.errors import TargetError
from probes.provenance import boot_id
from probes.recorder import RecorderClient
from probes.samples import decode_samples
from probes.signed_http import CallRefused
from probes.signing import CallSigner
from tests.images.in_cluster import module
from tests.probes.standins import TOPIC, Deployment, StandInRecorder

Answer = TypeVar("Answer")
signed_calls = module("ros2bench_service.signed_calls")
SIGNER = CallSigner(Ed25519PrivateKey.generate(), "recorder/here")
HOUR_NS = 3600 * 10**9


@pytest.fixture
def recorder() -> Generator[StandInRecorder]:
    with StandInRecorder(Deployment()) as standin:
        yield standin


def ask(
    address: str, question: Callable[[RecorderClient], Awaitable[Answer]], signer: CallSigner | None = None
) -> Answer:
    async def run() -> Answer:
        async with httpx.AsyncClient(
            base_url=address, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ) as http:
            return await question(RecorderClient(http, signer, pauses_s=(0, 0, 0.01)))

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
    with pytest.raises(TargetError, match=r"GET /v1/status 3 times"):
        ask("http://127.0.0.1:9", lambda client: client.status())


def test_a_refusal_carries_the_recorders_sentence(recorder: StandInRecorder) -> None:
    with pytest.raises(CallRefused, match="there is no capture none") as caught:
        ask(recorder.address, lambda client: client.read("none"))
    assert caught.value.status == 404


def test_calls_carry_the_servers_time_and_are_signed_anew_when_repeated(recorder: StandInRecorder) -> None:
    # The recorder's clock is an hour ahead of ours.
    recorder.clock_ns = lambda: time.time_ns() + HOUR_NS
    recorder.verifier = signed_calls.CallVerifier(SIGNER.key.public_key(), "recorder/here", recorder.clock_ns)

    async def capture(client: RecorderClient) -> None:
        await client.require_obedience()
        await client.start("one", 100)
        recorder.broken_requests = 1
        await client.stop("one")
        await client.samples("one", TOPIC)
        await client.delete("one")
        await client.delete("one")

    ask(recorder.address, capture, SIGNER)
    assert recorder.captures == {}


def test_a_key_that_the_recorder_does_not_obey_is_found_before_anything_is_changed(recorder: StandInRecorder) -> None:
    recorder.verifier = signed_calls.CallVerifier(SIGNER.key.public_key(), "recorder/here")
    for signer in (
        None,
        CallSigner(SIGNER.key, "recorder/there"),
        CallSigner(Ed25519PrivateKey.generate(), "recorder/here"),
    ):
        with pytest.raises(CallRefused, match="401") as refused:
            ask(recorder.address, lambda client: client.require_obedience(), signer)
        assert "ROS2BENCH_SIGNING_KEY" in str(refused.value.next_step)


def test_a_recorder_that_was_restarted_is_asked_for_its_clock_again(recorder: StandInRecorder) -> None:
    recorder.verifier = signed_calls.CallVerifier(SIGNER.key.public_key(), "recorder/here")

    async def over_a_restart(client: RecorderClient) -> None:
        await client.start("one", 100)
        # Its clock was set back by a minute meanwhile.
        recorder.verifier = signed_calls.CallVerifier(
            SIGNER.key.public_key(), "recorder/here", lambda: time.time_ns() - 60 * 10**9
        )
        recorder.clock_ns = lambda: time.time_ns() - 60 * 10**9
        await client.stop("one")

    ask(recorder.address, over_a_restart, SIGNER)


def test_samples_come_in_parts_and_from_one_on(recorder: StandInRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "ROWS_PER_CALL", 7)

    async def capture(client: RecorderClient) -> tuple[list[int], list[int]]:
        await client.start("one", 100)
        recorder.application.start()
        await asyncio.sleep(0.06)
        await client.stop("one")
        found = [(await client.samples("one", TOPIC, offset)).column("frame_number").tolist() for offset in (0, 3)]
        return found[0], found[1]

    whole, rest = ask(recorder.address, capture)
    assert len(whole) > 14
    assert whole == list(range(len(whole)))
    assert rest == whole[3:]


def test_starting_twice_finds_its_own_capture_but_not_that_of_others(recorder: StandInRecorder) -> None:
    async def twice(client: RecorderClient) -> bool:
        return await client.start("one", 1) == await client.start("one", 1)

    assert ask(recorder.address, twice)
    with pytest.raises(CallRefused, match="one is active"):
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
