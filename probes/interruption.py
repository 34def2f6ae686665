"""For how long measured topics fell silent while something was exchanged, seen by the recorder."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from probes.recorder import RecorderClient
from probes.samples import Samples

BASELINE_S = 1.0
RECOVERY_LIMIT_S = 30.0
SETTLE_S = 1.0
POLL_S = 0.1
MOST_SAMPLES = 200_000


def longest_silence_s(samples: Samples) -> float | None:
    """Give the longest time between two messages of a topic, or None where fewer than two arrived.

    Arrivals are the recorder's DDS receipt; the silence before the first and after the last message is no gap.
    """
    arrivals = np.sort(samples.column("received_ns"))
    if arrivals.size < 2:
        return None
    return float(np.diff(arrivals).max()) / 1e9


@asynccontextmanager
async def watched(recorder: RecorderClient, topics: Sequence[str]) -> AsyncGenerator[dict[str, float]]:
    """Watch topics while the body runs, from a second before it until their messages flow again.

    Yields a mapping that holds the longest silence of each topic, in seconds, once the body has ended; a topic whose
    messages did not come back within half a minute is left out, and so is every topic if the recorder itself was
    restarted meanwhile, whose silence would be the recorder's. The recorder watches for one at a time.

    Raises:
        TargetError: Another run uses the recorder.
    """
    found: dict[str, float] = {}
    if not topics:
        yield found
        return
    capture = f"exchange-{secrets.token_hex(8)}"
    await recorder.start(capture, MOST_SAMPLES)
    try:
        await asyncio.sleep(BASELINE_S)
        yield found
        before = (await recorder.read(capture)).samples
        flowing = await _flowing_again(recorder, capture, before, topics)
        await asyncio.sleep(SETTLE_S)
        stopped = await recorder.stop(capture)
        for topic in flowing if not stopped.gaps else ():
            silence_s = longest_silence_s(await recorder.samples(capture, topic))
            if silence_s is not None:
                found[topic] = silence_s
    finally:
        if (await recorder.read(capture)).active:
            await recorder.stop(capture)
        await recorder.delete(capture)


async def _flowing_again(
    recorder: RecorderClient, capture: str, before: dict[str, int], topics: Sequence[str]
) -> list[str]:
    """Wait until every topic has brought a message more, or the time is up; gives those that have."""
    deadline_s = asyncio.get_running_loop().time() + RECOVERY_LIMIT_S
    while True:
        now = (await recorder.read(capture)).samples
        flowing = [topic for topic in topics if now.get(topic, 0) > before.get(topic, 0)]
        if len(flowing) == len(topics) or asyncio.get_running_loop().time() > deadline_s:
            return flowing
        await asyncio.sleep(POLL_S)
