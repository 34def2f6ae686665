"""Losses by frame number: what became of every frame that was due inside the window.

The load is open-loop: the camera stamps the time at which a frame was *due* and counts frames, also those that it had
to skip. So the frames due inside the window follow from the schedule, not from what arrived.

Classes are relative to the period of the source (as in iROBOT's ros2-performance, whose limits of 20 % and 100 % of a
period suit plain messages; a pipeline with inference needs whole periods):

    on time    the result arrived within 1 period of the intended time
    late       within 2 periods
    too late   later than that, but before the drain after the window ended
    lost       no result at all
"""

import math
from dataclasses import dataclass

import numpy as np

from probes.samples import ABSENT, Mask, Samples, Window

ON_TIME_PERIODS = 1
LATE_PERIODS = 2
TOLERANCE_PERIODS = 1e-6
"""Due times are rounded to nanoseconds; a frame due exactly at an edge must not fall to the other side."""


@dataclass(frozen=True)
class FrameCount:
    """What became of the frames that were due inside the window."""

    intended: int
    delivered: int
    on_time: int
    late: int
    too_late: int
    lost: int
    duplicate: int


def period_ns(samples: Samples, expected_rate_hz: float | None) -> float | None:
    """Give the period of the source: as declared, else estimated from stamps; None where neither is possible."""
    if expected_rate_hz:
        return 1e9 / expected_rate_hz
    numbered = samples.where(samples.column("frame_number") != ABSENT)
    frames, first = np.unique(numbered.column("frame_number"), return_index=True)
    if frames.size < 2:
        return None
    due = numbered.column("intended_ns")[first]
    return float(np.median(np.diff(due) / np.diff(frames)))


def first_arrivals(samples: Samples, window: Window) -> Samples:
    """Keep the first result of every frame that was due inside the window, in order of frame number."""
    numbered = samples.where((samples.column("frame_number") != ABSENT) & samples.in_window(window))
    order = np.lexsort((numbered.column("received_ns"), numbered.column("frame_number")))
    ordered = Samples(numbered.rows[order], numbered.application_behind_ns)
    _, first = np.unique(ordered.column("frame_number"), return_index=True)
    return Samples(ordered.rows[first], ordered.application_behind_ns)


def count_frames(samples: Samples, window: Window, expected_rate_hz: float | None) -> FrameCount | None:
    """Count the frames due inside the window by what became of them.

    Args:
        samples: Every sample of the result topic in the capture; those outside the window anchor the schedule.
        window: The measured window.
        expected_rate_hz: Rate of the source, if declared.

    Returns:
        None where the source has no frame numbers or no period can be had.
    """
    numbered = samples.where(samples.column("frame_number") != ABSENT)
    period = period_ns(numbered, expected_rate_hz)
    if len(numbered) == 0 or period is None:
        return None
    arrivals = first_arrivals(samples, window)
    due = arrivals.column("intended_ns")
    latency = arrivals.column("received_ns") - due
    delivered = len(arrivals)
    on_time = int(np.count_nonzero(latency <= ON_TIME_PERIODS * period))
    late = int(np.count_nonzero(latency <= LATE_PERIODS * period)) - on_time
    intended = _due_inside(numbered, window, period)
    return FrameCount(
        intended=intended,
        delivered=delivered,
        on_time=on_time,
        late=late,
        too_late=delivered - on_time - late,
        lost=intended - delivered,
        duplicate=int(np.count_nonzero(samples.in_window(window) & _numbered(samples))) - delivered,
    )


def _numbered(samples: Samples) -> Mask:
    return samples.column("frame_number") != ABSENT


def _due_inside(numbered: Samples, window: Window, period: float) -> int:
    """Count the frame numbers whose due time lies inside the window.

    Between the first and the last frame seen inside, every number counts. Beyond them the schedule is continued to
    the edges of the window, but never over a frame that was seen outside.
    """
    due, frames = numbered.due_ns(), numbered.column("frame_number")
    earlier, later = frames[due < window.start_ns], frames[due >= window.end_ns]
    floor = int(earlier.max()) + 1 if earlier.size else 0
    ceiling = int(later.min()) - 1 if later.size else None
    inside = np.flatnonzero(window.holds(due))
    anchor = inside if inside.size else np.argmin(np.abs(due - window.start_ns), keepdims=True)
    low, high = anchor[np.argmin(frames[anchor])], anchor[np.argmax(frames[anchor])]
    first = int(frames[low]) + math.ceil((window.start_ns - int(due[low])) / period - TOLERANCE_PERIODS)
    last = int(frames[high]) + math.ceil((window.end_ns - int(due[high])) / period - TOLERANCE_PERIODS) - 1
    first = max(first, floor)
    last = last if ceiling is None else min(last, ceiling)
    if inside.size:
        first, last = min(first, int(frames[low])), max(last, int(frames[high]))
    return max(0, last - first + 1)
