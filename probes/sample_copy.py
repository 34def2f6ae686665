"""Copies the samples of a running capture to this machine, every few seconds and without fetching any twice.

What has been copied survives the loss of the recorder, and the end of a run has little left to fetch.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from probes.durable import FAILED, disk_problems_named, make_folder, sync_folder, unused, write_fully
from probes.errors import DiskFailed
from probes.recorder import RecorderClient
from probes.samples import ROW_BYTES, Samples, decode_samples

SUFFIX = ".rows"


class SampleCopy:
    """The samples of one capture in a folder: one file per topic, little-endian rows in the order of `COLUMNS`.

    A copy that was interrupted goes on where it ended: the files say how far it came.

    Args:
        recorder: Where the capture runs.
        capture: Its name.
        topics: What is copied.
        folder: Made where it does not exist; for this capture alone.
    """

    def __init__(self, recorder: RecorderClient, capture: str, topics: Sequence[str], folder: Path) -> None:
        self._recorder = recorder
        self._capture = capture
        self._files = {topic: folder / file_name(topic) for topic in topics}
        with disk_problems_named(folder):
            make_folder(folder)

    async def advance(self) -> int:
        """Fetch what is new and make it durable; gives how many samples that were.

        Raises:
            TargetError: The recorder cannot be reached or no longer has the capture.
            SpoolFull: The disk has no room.
            DiskFailed: The disk returned errors, twice for one topic.
        """
        fetched = 0
        for topic, path in self._files.items():
            try:
                fetched += await self._fetch(topic, path)
            except DiskFailed:
                # What is in that file can no longer be relied on; the recorder still has all of it.
                _set_aside(path)
                fetched += await self._fetch(topic, path)
        return fetched

    async def _fetch(self, topic: str, path: Path) -> int:
        have = _whole_bytes(path)
        new = await self._recorder.samples(self._capture, topic, have // ROW_BYTES)
        if len(new):
            _write(path, have, new.rows.astype("<i8").tobytes())
        return len(new)

    def samples(self) -> dict[str, Samples]:
        """Read everything that has been copied."""
        return {topic: _read(path, topic) for topic, path in self._files.items()}


def read_copy(folder: Path, topics: Sequence[str]) -> dict[str, Samples]:
    """Read what was copied of some topics, for one who has no recorder any more."""
    return {topic: _read(folder / file_name(topic), topic) for topic in topics}


def _read(path: Path, topic: str) -> Samples:
    samples = decode_samples(path.read_bytes()[: _whole_bytes(path)] if path.exists() else b"", topic)
    # A loss of power may leave zeros at the end, in place of rows that were never synced; no clock has ever told zero.
    unwritten = np.flatnonzero(samples.column("monotonic_ns") == 0)
    return Samples(samples.rows[: unwritten[0]]) if unwritten.size else samples


def _whole_bytes(path: Path) -> int:
    size = path.stat().st_size if path.exists() else 0
    return size - size % ROW_BYTES


def _set_aside(path: Path) -> None:
    with disk_problems_named(path.parent):
        if path.exists():
            path.rename(unused(path.with_name(path.name + FAILED)))


def _write(path: Path, position: int, payload: bytes) -> None:
    """Write behind the last whole row, over what an interruption has torn."""
    with disk_problems_named(path.parent):
        is_new = not path.exists()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(file, position)
            os.lseek(file, position, os.SEEK_SET)
            write_fully(file, payload)
            os.fdatasync(file)
        finally:
            os.close(file)
        if is_new:
            sync_folder(path.parent)


def file_name(topic: str) -> str:
    """Name of a topic's file: two topics never share one."""
    return topic.strip("/").replace("_", "__").replace("/", "_-") + SUFFIX
