"""Power of a machine in a window, rail by rail and in all, from the rows of its reader; pure.

Every rail is integrated for itself. The rails that the reader marks (`is_total`) make up the machine's total: the one
that measures its input, or, where there is none, several whose sum is a proxy.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from probes.cluster import Machine
from probes.energy import COVERAGE, NO_ROWS, Mean, Series, Unmeasured, mean_power, mean_power_of_counter
from probes.evidence import Cell, Readers, ReaderSeries, SeriesTable
from probes.samples import Window

NO_TOTAL_RAIL = "no_total_rail"
OTHER_RAILS = "other_rails_than_idle"
TOTAL_REASONS = {
    NO_TOTAL_RAIL: "the machine tells the power of parts only, and their sum is not its total; each rail has a value",
    OTHER_RAILS: "the rails that make up the total are others than while it was idle",
}


@dataclass(frozen=True)
class MachinePower:
    """Mean power of one machine in watts, or why there is none; `total_rails` name what its total is made of."""

    total: float | Unmeasured
    total_rails: tuple[str, ...] = ()
    rails: Mapping[str, Mean | Unmeasured] = field(default_factory=dict[str, Mean | Unmeasured])


@dataclass(frozen=True)
class _Rail:
    rows: Sequence[Mapping[str, Cell]]

    @property
    def is_total(self) -> bool:
        return any(row["is_total"] is True for row in self.rows)

    def mean(self, window: Window, period_s: float) -> Mean | Unmeasured:
        """Integrate what the rail tells: energy where it counts it, power otherwise."""
        counts = any(row["energy_j"] is not None for row in self.rows)
        series = Series(
            [row["time_ns"] for row in self.rows],
            [row["monotonic_ns"] for row in self.rows],
            [row["energy_j" if counts else "power_w"] for row in self.rows],
        )
        return (mean_power_of_counter if counts else mean_power)(series, window, period_s)


def kernels(names: Iterable[str], machines: Iterable[Machine], readers: Readers) -> tuple[str, ...]:
    """Name one machine for each kernel that some machines run on, rather one whose reader captured.

    Machines that share a kernel share its power: counted for each, it would be counted twice.
    """
    boot_ids = {machine.name: machine.boot_id for machine in machines}
    chosen: dict[str, str] = {}
    for name in names:
        kernel = boot_ids.get(name, name)
        if kernel not in chosen or not isinstance(readers.get(chosen[kernel]), ReaderSeries):
            chosen[kernel] = name
    return tuple(chosen.values())


def machine_power(
    table: SeriesTable, window: Window, period_s: float, known_reasons: Collection[str | None] = ()
) -> MachinePower:
    """Give the mean power of a machine in a window of its own clock.

    Args:
        table: Rows of kind `power`.
        window: The window, in the machine's real-time clock.
        period_s: Time between two readings, as asked for.
        known_reasons: The reader's own reasons that may be passed on.
    """
    reason = table.missing if table.missing in known_reasons else None
    if not table.rows:
        return MachinePower(Unmeasured(reason or NO_ROWS))
    rails = {name: _Rail(rows) for name, rows in _by_rail(table).items()}
    means = {name: _explained(rail.mean(window, period_s), reason) for name, rail in rails.items()}
    total_rails = tuple(name for name, rail in rails.items() if rail.is_total)
    return MachinePower(_sum([means[name] for name in total_rails]), total_rails, means)


def above_idle(loaded: MachinePower, idle: MachinePower) -> float | Unmeasured:
    """Give the power above idle in watts; below zero where noise is larger than the load."""
    if isinstance(loaded.total, Unmeasured) or isinstance(idle.total, Unmeasured):
        return loaded.total if isinstance(loaded.total, Unmeasured) else idle.total
    if set(loaded.total_rails) != set(idle.total_rails):
        return Unmeasured(OTHER_RAILS)
    return loaded.total - idle.total


def add_up(values: Iterable[float | Unmeasured]) -> float | Unmeasured:
    """Add values of several machines; one that is missing makes the sum missing."""
    total = 0.0
    for value in values:
        if isinstance(value, Unmeasured):
            return value
        total += value
    return total


def _by_rail(table: SeriesTable) -> dict[str, list[Mapping[str, Cell]]]:
    rails: dict[str, list[Mapping[str, Cell]]] = {}
    for row in table.records():
        rails.setdefault(str(row["rail"]), []).append(row)
    return dict(sorted(rails.items()))


def _explained(mean: Mean | Unmeasured, reason: str | None) -> Mean | Unmeasured:
    """Put the reader's own reason for a gap in the place of the gap."""
    return Unmeasured(reason) if reason and mean == Unmeasured(COVERAGE) else mean


def _sum(means: Sequence[Mean | Unmeasured]) -> float | Unmeasured:
    if not means:
        return Unmeasured(NO_TOTAL_RAIL)
    return add_up(mean if isinstance(mean, Unmeasured) else mean.mean for mean in means)
