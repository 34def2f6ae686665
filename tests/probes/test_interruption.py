"""The longest silence of a topic: what lies between two arrivals, whatever their order in the file."""

import asyncio
import itertools

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import interruption
from probes.interruption import longest_silence_s, watched
from probes.recorder import RecorderClient
from probes.samples import COLUMNS, NO_SAMPLES, Samples
from tests.probes.standins import TOPIC, Deployment, StandInRecorder

ARRIVALS = st.lists(st.integers(0, 10**12), min_size=2, max_size=30, unique=True)


def samples(arrivals: list[int]) -> Samples:
    rows = np.zeros((len(arrivals), len(COLUMNS)), dtype=np.int64)
    rows[:, COLUMNS.index("received_ns")] = arrivals
    return Samples(rows)


@given(ARRIVALS)
def test_the_longest_silence_is_between_neighbours(arrivals: list[int]) -> None:
    ordered = sorted(arrivals)
    longest_ns = max(later - earlier for earlier, later in itertools.pairwise(ordered))
    assert longest_silence_s(samples(arrivals)) == pytest.approx(longest_ns / 1e9)


def test_one_message_has_no_silence() -> None:
    assert longest_silence_s(samples([5])) is None
    assert longest_silence_s(NO_SAMPLES) is None


def test_an_exchange_is_watched_until_messages_flow_and_the_recorder_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interruption, "BASELINE_S", 0.05)
    monkeypatch.setattr(interruption, "SETTLE_S", 0.05)

    async def exchange(address: str) -> dict[str, float]:
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            recorder = RecorderClient(http)
            async with watched(recorder, [TOPIC]) as silences_s:
                await asyncio.sleep(0.05)
            assert (await recorder.status()).active_capture is None
            return silences_s

    with StandInRecorder(Deployment()) as standin:
        standin.application.start()
        found = asyncio.run(exchange(standin.address))
    assert 0 < found[TOPIC] < 0.1
