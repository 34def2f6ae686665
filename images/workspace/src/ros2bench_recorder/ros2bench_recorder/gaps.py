"""Times in which nobody listened, because the recorder was restarted. Needs no ROS."""

from collections.abc import Iterable, Sequence


class Gaps:
    """Gaps of one capture.

    A gap ends when every topic that was heard before has been heard again (any topic, if none
    was): until then discovery may not have found the publishers, and what they sent is not lost by
    the application.
    """

    def __init__(self, known: Iterable[Sequence[int]] = ()) -> None:
        """Take over gaps that an earlier process has written down; the last may be open."""
        self._closed = [(start, end) for start, end in known]
        self._open_since_ns: int | None = None
        self._silent: set[int] = set()
        self._any_will_do = False

    @property
    def is_open(self) -> bool:
        """Whether a gap has not ended yet."""
        return self._open_since_ns is not None

    def begin(self, since_ns: int, heard_before: Iterable[int]) -> None:
        """Begin a gap.

        Args:
            since_ns: last moment at which samples are known to be on the disk.
            heard_before: numbers of the topics that have samples.
        """
        self._silent = set(heard_before)
        self._any_will_do = not self._silent
        self._open_since_ns = since_ns

    def hear(self, topic: int, now_ns: int) -> None:
        """Take note of a sample while a gap is open."""
        self._silent.discard(topic)
        if self._any_will_do or not self._silent:
            self.end(now_ns)

    def end(self, now_ns: int) -> None:
        """End the gap, if one is open."""
        if self._open_since_ns is not None:
            self._closed.append((self._open_since_ns, now_ns))
            self._open_since_ns = None

    def listed(self, now_ns: int) -> list[list[int]]:
        """All gaps as `[from_ns, to_ns]`; one that is open lasts until now."""
        gaps = [list(gap) for gap in self._closed]
        if self._open_since_ns is not None:
            gaps.append([self._open_since_ns, now_ns])
        return gaps
