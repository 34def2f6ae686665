"""Samples of an application whose clock is not the recorder's."""

import numpy as np
import pytest

from probes.frames import count_frames
from probes.milestones import first_valid_arrival_ns
from probes.samples import ABSENT, COLUMNS, NO_SAMPLES, Samples, Window, placed

MS = 1_000_000
PERIOD_NS = 100 * MS
START_NS = 1_700_000_000_000_000_000
FASTEST_NS = 2 * MS


def samples(ahead_ns: int, *, count: int = 40, source: bool = True) -> Samples:
    """One result every 100 ms, 20 ms after its frame was due and 2 to 6 ms on its way; the recorder is ahead."""
    number = np.arange(count)
    due = START_NS + number * PERIOD_NS
    published = due + 20 * MS
    received = published + FASTEST_NS + (number % 5) * MS + ahead_ns
    columns = {
        "frame_number": number,
        "intended_ns": due,
        "published_ns": published,
        "source_ns": published if source else np.full(count, ABSENT),
        "received_ns": received,
        "taken_ns": received,
        "monotonic_ns": received - START_NS,
        "sequence_number": number,
    }
    return Samples(np.stack([columns[name] for name in COLUMNS], axis=1).astype(np.int64))


@pytest.mark.parametrize("ahead_ns", [0, 5 * MS, 20_000 * MS, -20_000 * MS])
@pytest.mark.parametrize("source", [True, False])
def test_a_window_of_the_recorder_s_clock_finds_the_frames_of_another(ahead_ns: int, source: bool) -> None:
    window = Window(START_NS + 10 * PERIOD_NS + ahead_ns, START_NS + 30 * PERIOD_NS + ahead_ns)
    found = placed(samples(ahead_ns, source=source))
    assert found.application_behind_ns == ahead_ns + FASTEST_NS
    inside = found.where(found.in_window(window))
    assert len(inside) == 20
    assert inside.application_behind_ns == found.application_behind_ns
    count = count_frames(found, window, 10.0)
    assert count is not None
    assert (count.intended, count.delivered, count.lost) == (20, 20, 0)


def test_without_placing_a_clock_that_is_far_ahead_leaves_the_window_empty() -> None:
    ahead_ns = 20_000 * MS
    window = Window(START_NS + ahead_ns, START_NS + ahead_ns + 30 * PERIOD_NS)
    assert not samples(ahead_ns).in_window(window).any()


def test_raw_times_stay_as_they_were_taken() -> None:
    raw = samples(5 * MS)
    assert np.array_equal(placed(raw).rows, raw.rows)


def test_the_first_valid_message_is_found_on_two_clocks() -> None:
    ahead_ns = -20_000 * MS
    raw = samples(ahead_ns)
    since_ns = START_NS + 10 * PERIOD_NS + ahead_ns
    tenth_ns = int(raw.column("received_ns")[10])
    assert first_valid_arrival_ns(placed(raw), since_ns) == tenth_ns
    assert (
        first_valid_arrival_ns(placed(samples(-ahead_ns)), START_NS + 10 * PERIOD_NS - ahead_ns)
        == tenth_ns - 2 * ahead_ns
    )


def test_nothing_can_be_placed_by_nothing() -> None:
    assert placed(NO_SAMPLES).application_behind_ns == 0
