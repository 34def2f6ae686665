"""Energy of every rail as a counter, for whoever asks seldom: Prometheus.

A source that counts energy is passed on. One that tells power is integrated here by the trapezoid
rule, from every row and not from those that happen to be scraped. Rows further apart than two
seconds leave a gap: it adds neither joules nor seconds, so that joules over seconds covered stay
the mean power of the time that was seen. A rail without a row for two seconds is not told at all.
What sensors show below zero is subtracted from what comes after it, because a counter that goes
back is taken for one that began anew. Captures keep the rows themselves.

Where one of the rails that make up the total is not told, no rail is marked as total: the others
would be added up to less than the machine takes.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ros2bench_machine_reader.rails import known_totals
from ros2bench_machine_reader.sources import Row

LONGEST_STRETCH_NS = 2_000_000_000
SECOND_NS = 1_000_000_000
COLUMNS = ('rail', 'is_total', 'energy_j', 'covered_s')


@dataclass
class _Rail:
    time_ns: int
    monotonic_ns: int
    power_w: float | None = None
    integral_j: float = 0.0
    energy_j: float = 0.0
    covered_s: float = 0.0


class EnergyCounters:
    """Joules of each rail since the start, and the seconds that they stand for."""

    def __init__(self) -> None:
        self._rails: dict[str, _Rail] = {}
        self._totals: frozenset[str] = frozenset()
        self._guard = threading.Lock()

    def note(self, rows: Sequence[Row]) -> None:
        """Take rows of kind `power`, in the order in which they were read."""
        with self._guard:
            self._totals = known_totals(self._totals, rows)
            for row in rows:
                self._note(row)

    def rows(self, now_ns: int) -> list[Row]:
        """The counters of now, a row each: the two times, then `COLUMNS`.

        Args:
            now_ns: monotonic time; rails whose last row is old are left out.
        """
        with self._guard:
            told = {
                name: rail
                for name, rail in self._rails.items()
                if now_ns - rail.monotonic_ns <= LONGEST_STRETCH_NS
            }
            totals = self._totals if self._totals <= told.keys() else frozenset[str]()
            return [
                (
                    rail.time_ns,
                    rail.monotonic_ns,
                    name,
                    name in totals,
                    rail.energy_j,
                    rail.covered_s,
                )
                for name, rail in told.items()
            ]

    def _note(self, row: Row) -> None:
        time_ns, monotonic_ns, name, power_w, energy_j, _ = row
        known = self._rails.get(name)
        if known is None:
            known = self._rails[name] = _Rail(time_ns, monotonic_ns, power_w)
        stretch_ns = monotonic_ns - known.monotonic_ns
        if energy_j is not None:
            # A counter covers whatever time went by between two readings of it.
            known.energy_j = energy_j
            known.covered_s += max(stretch_ns, 0) / SECOND_NS
        elif _is_seen(stretch_ns, known.power_w, power_w):
            seconds = stretch_ns / SECOND_NS
            known.integral_j += (known.power_w + power_w) / 2 * seconds
            known.energy_j = max(known.energy_j, known.integral_j)
            known.covered_s += seconds
        known.time_ns, known.monotonic_ns = time_ns, monotonic_ns
        known.power_w = power_w


def _is_seen(stretch_ns: int, before_w: Any, after_w: Any) -> bool:
    """Tell whether the power between two rows is known well enough for a straight line."""
    return before_w is not None and after_w is not None and 0 < stretch_ns <= LONGEST_STRETCH_NS
