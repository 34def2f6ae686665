"""When each frame is due: an open-loop schedule in integer nanoseconds that never shifts."""

from dataclasses import dataclass

NANOSECONDS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Schedule:
    """Absolute schedule of a camera.

    Frames come in groups of `burst`: the frames of one group are due at the same moment and groups
    are `burst` periods apart, so that the mean rate is the same for every burst.

    Attributes:
        start_ns: when frame 0 is due, in nanoseconds of the clock that the caller uses.
        rate_hz: mean frames per second.
        burst: frames per group.
    """

    start_ns: int
    rate_hz: float
    burst: int = 1

    def due_ns(self, frame_number: int) -> int:
        """When a frame is due. Computed from the start, so rounding never adds up."""
        group = frame_number // self.burst
        return self.start_ns + round(group * self.burst * NANOSECONDS_PER_SECOND / self.rate_hz)


def seconds_and_nanoseconds(time_ns: int) -> tuple[int, int]:
    """Split nanoseconds since the epoch into the two fields of builtin_interfaces/Time."""
    return divmod(time_ns, NANOSECONDS_PER_SECOND)
