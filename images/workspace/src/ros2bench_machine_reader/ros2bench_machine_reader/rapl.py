"""Energy of packages and memory from the processor's own counters (RAPL), under powercap.

    class/powercap/intel-rapl:P/name, energy_uj, max_energy_range_uj        package-P, psys
    class/powercap/intel-rapl:P:S/…                                         core, uncore, dram

`core` and `uncore` are parts of their package and `psys` holds everything, so that only packages
and memory make up the total. `intel-rapl-mmio` shows the same counters again and is left out.
AMD's processors use the same tree. The figures are the processor's model, not a meter.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ros2bench_machine_reader.sources import Missing, Row

NO_POWERCAP = 'no_rapl'
UNREADABLE = 'rapl_unreadable'
ZONE = re.compile(r'intel-rapl:(\d+)(?::(\d+))?', re.ASCII)
JOULES_PER_COUNT = 1e-6


@dataclass(frozen=True)
class Zone:
    """One counter: counts microjoules from 0 to `largest_uj` and begins anew."""

    rail: str
    file: Path
    largest_uj: int
    is_total: bool


def find_zones(sys_root: Path) -> list[Zone]:
    """Every counter of the processors, each once. Two packages' zones of one name are told apart.

    Raises:
        OSError: a zone's name or range cannot be read.
        ValueError: a range is no number.
    """
    folder = sys_root / 'class' / 'powercap'
    entries = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    zones = []
    for entry in entries:
        match = ZONE.fullmatch(entry)
        if match is None:
            continue
        name = (folder / entry / 'name').read_text(encoding='ascii').strip()
        package, part = match.groups()
        zones.append(
            Zone(
                rail=name if part is None else f'{name}-{package}',
                file=folder / entry / 'energy_uj',
                largest_uj=int(
                    (folder / entry / 'max_energy_range_uj').read_text(encoding='ascii')
                ),
                is_total=name.startswith('package') if part is None else name == 'dram',
            )
        )
    return zones


class Unwrapped:
    """Turns a counter that begins anew at its end into one that does not.

    A small step back is no end of the range but a counter that was set back: it shows as such.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._last: int | None = None
        self._rounds = 0

    def add(self, count: int) -> int:
        """Take what the counter shows; give what it would show without an end.

        Raises:
            ValueError: the counter cannot show this.
        """
        if not 0 <= count <= self._largest:
            raise ValueError(f'{count} is outside 0 to {self._largest}')
        if self._last is not None and self._last - count > self._largest // 2:
            self._rounds += 1
        self._last = count
        return self._rounds * (self._largest + 1) + count


class RaplSource:
    """Reads every counter at every call."""

    kind = 'power'
    name = 'rapl'

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = [(zone, Unwrapped(zone.largest_uj)) for zone in zones]
        self.problems: Counter[str] = Counter()

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Energy of every zone since its counter began."""
        rows: list[Row] = []
        for zone, counter in self._zones:
            try:
                joules = counter.add(int(zone.file.read_text(encoding='ascii'))) * JOULES_PER_COUNT
            except (OSError, ValueError):
                self.problems[UNREADABLE] += 1
                continue
            rows.append((time_ns, monotonic_ns, zone.rail, None, joules, zone.is_total))
        return rows or Missing(UNREADABLE)

    @property
    def total_rails(self) -> frozenset[str]:
        """Rails that are part of the machine's total, also those that cannot be read now."""
        return frozenset(zone.rail for zone, _ in self._zones if zone.is_total)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def open_rapl(sys_root: Path) -> RaplSource | Missing:
    """Energy counters of the processors, or why there are none."""
    try:
        zones = find_zones(sys_root)
    except (OSError, ValueError):
        return Missing(UNREADABLE)
    return RaplSource(zones) if zones else Missing(NO_POWERCAP)
