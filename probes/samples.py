"""What the recorder keeps of each message, as arrays: eight 64-bit integers per sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.errors import TargetError

COLUMNS: tuple[str, ...] = (
    "frame_number",
    "intended_ns",
    "published_ns",
    "source_ns",
    "received_ns",
    "taken_ns",
    "monotonic_ns",
    "sequence_number",
)
"""Order of the recorder's rows; -1 stands where the source has none. Times are nanoseconds since the Unix epoch,
except `monotonic_ns` (CLOCK_MONOTONIC of the recorder's machine)."""

ABSENT = -1
ROW_BYTES = 8 * len(COLUMNS)

Column = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Window:
    """The measured window, in the real-time clock of the recorder's machine; the end is not part of it."""

    start_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9

    def holds(self, times_ns: Column) -> Mask:
        """Tell which times lie inside."""
        return (times_ns >= self.start_ns) & (times_ns < self.end_ns)


@dataclass(frozen=True)
class Samples:
    """Every sample of one topic, in the order in which they were taken.

    `application_behind_ns` places the application's stamps on the recorder's clock where these are two clocks
    (`placed`); it tells what belongs to a window and is never part of a latency.
    """

    rows: NDArray[np.int64]
    application_behind_ns: int = 0

    def __len__(self) -> int:
        """Count the samples."""
        return int(self.rows.shape[0])

    def column(self, name: str) -> Column:
        """Give one column by its name in `COLUMNS`."""
        return self.rows[:, COLUMNS.index(name)]

    def where(self, mask: Mask) -> "Samples":
        """Give the samples that a mask selects."""
        return Samples(self.rows[mask], self.application_behind_ns)

    def in_window(self, window: Window) -> Mask:
        """Tell which samples belong to the window: by their intended time, or by arrival where there is none."""
        return window.holds(self.due_ns())

    def due_ns(self) -> Column:
        """Give the intended times on the recorder's clock; the arrival where there is none."""
        intended = self.column("intended_ns")
        return np.where(intended == ABSENT, self.column("received_ns"), intended + self.application_behind_ns)


NO_SAMPLES = Samples(np.empty((0, len(COLUMNS)), dtype=np.int64))


def placed(samples: Samples) -> Samples:
    """Place samples of an application that reads another clock than the recorder.

    The fastest message decides: the clocks differ by at most what lies between its stamps. Where a window begins is
    late by that message's transport; a latency cannot be had from it.
    """
    received = samples.column("received_ns")
    for name in ("source_ns", "published_ns", "intended_ns"):
        sent = samples.column(name)
        known = sent != ABSENT
        if known.any():
            return Samples(samples.rows, int((received[known] - sent[known]).min()))
    return samples


def joined(parts: Sequence[Samples]) -> Samples:
    """Put samples of one topic that were fetched one after the other together."""
    return Samples(np.concatenate([part.rows for part in parts])) if parts else NO_SAMPLES


def decode_samples(payload: bytes, topic: str) -> Samples:
    """Decode the recorder's answer: little-endian int64 rows.

    Raises:
        TargetError: The answer is not a whole number of rows.
    """
    if len(payload) % ROW_BYTES:
        raise TargetError(
            f"The recorder's samples of {topic} are {len(payload)} bytes, not a multiple of {ROW_BYTES}: "
            "the answer was cut, or the recorder speaks another contract.",
            next_step="run again; if it stays, deploy the stack again with the images of this checkout",
        )
    rows = np.frombuffer(payload, dtype="<i8").reshape(-1, len(COLUMNS)).astype(np.int64)
    return Samples(rows)
