"""Every frame that was due inside the window has exactly one fate, whatever arrived."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probes.frames import count_frames, first_arrivals, period_ns
from probes.samples import ABSENT, NO_SAMPLES, Samples, Window

RATE_HZ = 10.0
PERIOD_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


def sample_rows(
    frames: list[int], latencies_ns: list[int], *, start_ns: int = START_NS, period: int = PERIOD_NS
) -> Samples:
    rows = [
        [frame, start_ns + frame * period, 0, 0, start_ns + frame * period + latency, 0, 0, frame]
        for frame, latency in zip(frames, latencies_ns, strict=True)
    ]
    return Samples(np.array(rows, dtype=np.int64).reshape(-1, 8))


@given(
    lost=st.sets(st.integers(0, 99), max_size=80),
    offset_ns=st.integers(0, 3_000_000_000),
    length=st.integers(1, 60),
    rate_hz=st.floats(1, 240),
)
def test_what_was_due_does_not_depend_on_what_arrived(
    lost: set[int], offset_ns: int, length: int, rate_hz: float
) -> None:
    due = [START_NS + round(frame * 1e9 / rate_hz) for frame in range(100)]
    arrived = [frame for frame in range(100) if frame not in lost]
    rows = [[frame, due[frame], 0, 0, due[frame] + 1000, 0, 0, frame] for frame in arrived]
    samples = Samples(np.array(rows, dtype=np.int64).reshape(-1, 8))
    # Edges lie between two due times, where no rounding decides; frame 99 stays outside to anchor the end.
    start_ns = START_NS + offset_ns % round(30 * 1e9 / rate_hz)
    end_ns = min(start_ns + round(length * 1e9 / rate_hz), due[98])
    truth = [frame for frame in range(100) if start_ns <= due[frame] < end_ns]
    counts = count_frames(samples, Window(start_ns, end_ns), rate_hz)
    if counts is None:
        assert not arrived
        return
    assert abs(counts.intended - len(truth)) <= (0 if _is_clear(due, start_ns, end_ns) else 1)
    assert counts.delivered == len([frame for frame in truth if frame not in lost])
    assert counts.delivered + counts.lost == counts.intended
    assert counts.on_time + counts.late + counts.too_late == counts.delivered


def _is_clear(due: list[int], start_ns: int, end_ns: int) -> bool:
    return all(abs(moment - edge) > 200 for moment in due for edge in (start_ns, end_ns))


def test_frames_lost_at_both_edges_are_counted() -> None:
    window = Window(START_NS + 10 * PERIOD_NS, START_NS + 20 * PERIOD_NS)
    counts = count_frames(sample_rows([12, 13, 17], [1, 1, 1]), window, RATE_HZ)
    assert counts is not None
    assert (counts.intended, counts.delivered, counts.lost) == (10, 3, 7)


def test_a_window_without_any_arrival_is_all_lost() -> None:
    window = Window(START_NS + 10 * PERIOD_NS, START_NS + 20 * PERIOD_NS)
    counts = count_frames(sample_rows([0, 1, 2], [1, 1, 1]), window, RATE_HZ)
    assert counts is not None
    assert (counts.intended, counts.delivered, counts.lost) == (10, 0, 10)


def test_classes_are_relative_to_the_period() -> None:
    window = Window(START_NS, START_NS + 4 * PERIOD_NS)
    latencies = [PERIOD_NS, PERIOD_NS + 1, 2 * PERIOD_NS + 1, 5]
    counts = count_frames(sample_rows([0, 1, 2, 3], latencies), window, RATE_HZ)
    assert counts is not None
    assert (counts.on_time, counts.late, counts.too_late) == (2, 1, 1)


def test_a_second_result_of_a_frame_is_a_duplicate_and_the_first_one_counts() -> None:
    window = Window(START_NS, START_NS + 2 * PERIOD_NS)
    samples = sample_rows([0, 1, 0, 1], [9, 8, 3, 20])
    counts = count_frames(samples, window, RATE_HZ)
    assert counts is not None
    assert (counts.delivered, counts.duplicate) == (2, 2)
    latency = first_arrivals(samples, window)
    assert (latency.column("received_ns") - latency.column("intended_ns")).tolist() == [3, 8]


def test_a_burst_shares_one_due_time() -> None:
    rows = [
        [frame, START_NS + (frame // 3) * 3 * PERIOD_NS, 0, 0, START_NS + 10**9, 0, 0, frame] for frame in range(30)
    ]
    window = Window(START_NS, START_NS + 9 * PERIOD_NS)
    counts = count_frames(Samples(np.array(rows, dtype=np.int64)), window, RATE_HZ)
    assert counts is not None
    assert (counts.intended, counts.lost) == (9, 0)


def test_without_numbers_there_is_no_count() -> None:
    samples = sample_rows([ABSENT, ABSENT], [1, 1])
    assert count_frames(samples, Window(0, START_NS * 2), RATE_HZ) is None
    assert count_frames(NO_SAMPLES, Window(0, 1), RATE_HZ) is None


def test_the_period_is_estimated_where_it_is_not_declared() -> None:
    assert period_ns(sample_rows([0, 1, 5, 6], [1, 1, 1, 1]), None) == PERIOD_NS
    assert period_ns(sample_rows([3], [1]), None) is None
