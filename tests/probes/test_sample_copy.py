"""Samples are copied while they are taken: each once, in order, and on after whatever interrupted it."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

import numpy as np
import pytest

from probes.errors import TargetError
from probes.recorder import RecorderClient
from probes.sample_copy import SampleCopy, file_name, read_copy
from probes.samples import COLUMNS, ROW_BYTES
from probes.signed_http import forwarded_client
from tests.probes.standins import TOPIC, Deployment, StandInRecorder


@pytest.fixture
def recorder() -> Generator[StandInRecorder]:
    with StandInRecorder(Deployment()) as standin:
        yield standin


def run(recorder: StandInRecorder, body: Callable[[RecorderClient], Awaitable[None]]) -> None:
    async def connected() -> None:
        async with forwarded_client(recorder.address) as http:
            await body(RecorderClient(http, pauses_s=(0, 0, 0)))

    asyncio.run(connected())


def test_every_sample_is_copied_once_whatever_interrupts_it(recorder: StandInRecorder, tmp_path: Path) -> None:
    folder = tmp_path / "000"

    async def body(client: RecorderClient) -> None:
        await client.start("one", 1000)
        recorder.application.start()
        copy, copied = SampleCopy(client, "one", [TOPIC], folder), 0
        for turn in range(4):
            await asyncio.sleep(0.02)
            # A new one each time, as after an interruption of the runner, which tore a row.
            copy = SampleCopy(client, "one", [TOPIC, "/silent"], folder)
            copied += await copy.advance()
            if turn == 1:
                path = folder / file_name(TOPIC)
                path.write_bytes(path.read_bytes()[:-10])
                copied -= 1
        stopped = await client.stop("one")
        copied += await copy.advance()
        found = copy.samples()
        assert len(found["/silent"]) == 0
        assert found[TOPIC].column("frame_number").tolist() == list(range(stopped.samples[TOPIC]))
        assert copied == stopped.samples[TOPIC] > 20

    run(recorder, body)


def test_a_capture_that_is_gone_leaves_what_was_copied(recorder: StandInRecorder, tmp_path: Path) -> None:
    async def body(client: RecorderClient) -> None:
        await client.start("one", 1000)
        recorder.application.start()
        await asyncio.sleep(0.02)
        copy = SampleCopy(client, "one", [TOPIC], tmp_path)
        copied = await copy.advance()
        await client.delete("one")
        with pytest.raises(TargetError, match="no capture one"):
            await copy.advance()
        assert len(copy.samples()[TOPIC]) == copied > 0

    run(recorder, body)


def test_topics_never_share_a_file() -> None:
    topics = ["/a/b", "/a_b", "/a__b", "/a_/b", "/a/_b", "/ab"]
    assert len({file_name(topic) for topic in topics}) == len(topics)


def test_zeros_that_a_loss_of_power_left_are_no_samples(tmp_path: Path) -> None:
    rows = np.arange(1, 3 * len(COLUMNS) + 1, dtype="<i8").reshape(3, len(COLUMNS))
    content = rows.tobytes() + bytes(2 * ROW_BYTES)
    (tmp_path / file_name(TOPIC)).write_bytes(content + rows.tobytes() + b"torn")
    assert read_copy(tmp_path, [TOPIC, "/absent"])[TOPIC].rows.tolist() == rows.tolist()
