"""The camera's schedule: exact, monotonic, and free of accumulated rounding."""

from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

schedule = module("ros2bench_nodes.schedule")


def test_ten_hertz_frames_are_due_every_tenth_of_a_second() -> None:
    due = schedule.Schedule(start_ns=1_000, rate_hz=10.0).due_ns
    assert [due(number) for number in range(3)] == [1_000, 100_001_000, 200_001_000]


def test_frames_of_a_burst_are_due_together_at_the_same_mean_rate() -> None:
    due = schedule.Schedule(start_ns=0, rate_hz=10.0, burst=3).due_ns
    assert [due(number) for number in range(7)] == [0, 0, 0, 300_000_000, 300_000_000, 300_000_000, 600_000_000]


@given(rate_hz=st.floats(0.01, 1000), number=st.integers(0, 10**7), burst=st.integers(1, 50))
def test_rounding_never_adds_up(rate_hz: float, number: int, burst: int) -> None:
    made = schedule.Schedule(start_ns=1_700_000_000_000_000_000, rate_hz=rate_hz, burst=burst)
    exact_s = number // burst * burst / rate_hz
    assert abs(made.due_ns(number) - made.start_ns - exact_s * 1e9) <= 1 + exact_s * 1e-6
    assert made.due_ns(number + 1) >= made.due_ns(number)


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_seconds_and_nanoseconds_keep_every_digit(time_ns: int) -> None:
    seconds, nanoseconds = schedule.seconds_and_nanoseconds(time_ns)
    assert seconds * 10**9 + nanoseconds == time_ns
    assert 0 <= nanoseconds < 10**9
