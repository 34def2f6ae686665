"""Values as people read them: a handy multiple of the unit, digits that mean something, intervals beside them. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SPACE = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"

MULTIPLES: Mapping[str, Sequence[tuple[float, str]]] = {
    "s": ((60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "B/s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
    "J": ((1e3, "kJ"), (1.0, "J"), (1e-3, "mJ")),
    "W": ((1e3, "kW"), (1.0, "W"), (1e-3, "mW")),
}
MINUTES_FROM_S = 180.0
MOST_DECIMALS = 6


def multiple(values: Iterable[float], unit: str) -> tuple[float, str]:
    """Choose what the values are divided by, and what is written behind them, by the largest."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    known = MULTIPLES.get(unit)
    if known is None:
        return 1.0, "" if unit == "1" else unit
    if largest == 0:
        return 1.0, unit
    usable = [item for item in known if item[1] != "min" or largest >= MINUTES_FROM_S]
    return next((item for item in usable if largest >= item[0]), usable[-1])


def amount(value: float, unit: str, digits: int = 3) -> str:
    """Write one value with its unit: `21.9 ms`."""
    factor, said = multiple((value,), unit)
    return _with_unit(number(value / factor, digits), said)


@dataclass(frozen=True)
class Style:
    """How the values of one row are written: divided by `factor`, with `decimals`, and `unit` behind them."""

    factor: float
    unit: str
    decimals: int

    def value(self, value: float) -> str:
        """Write a value."""
        return _with_unit(fixed(value / self.factor, self.decimals), self.unit)

    def interval(self, bounds: tuple[float, float]) -> str:
        """Write an interval, its ends with a dash between."""
        low, high = (fixed(bound / self.factor, self.decimals) for bound in bounds)
        return _with_unit(f"{low}{f'{SPACE}to{SPACE}' if bounds[0] < 0 else DASH}{high}", self.unit)


def style_of_row(values: Sequence[float], intervals: Sequence[tuple[float, float]], unit: str) -> Style:
    """Choose a common way of writing values that are read beside one another.

    The widest interval shows one or two digits that are uncertain, and the smallest value keeps two digits.

    Args:
        values: At least one.
        intervals: Those that are known.
        unit: Base unit.
    """
    factor, said = multiple(values, unit)
    scaled = [abs(value) / factor for value in values if value]
    widths = [abs(high - low) / factor for low, high in intervals if high != low]
    if not scaled or (not widths and all(value == round(value) for value in scaled)):
        return Style(factor, said, 0)
    largest, smallest = max(scaled), min(scaled)
    digits_of_smallest = 1 - math.floor(math.log10(smallest))
    if not widths:
        return Style(factor, said, min(max(2 - math.floor(math.log10(largest)), digits_of_smallest, 0), MOST_DECIMALS))
    wanted = 1 - math.floor(math.log10(max(widths)))
    bearable = 3 - math.floor(math.log10(largest))
    return Style(factor, said, min(max(min(wanted, bearable), digits_of_smallest, 0), MOST_DECIMALS))


def ratio(value: float) -> str:
    """Write a ratio: `1.31` and a cross."""
    return f"{_ratio_number(value)}{TIMES}"


def ratio_interval(bounds: tuple[float, float]) -> str:
    """Write the interval of a ratio."""
    return f"{_ratio_number(bounds[0])}{DASH}{_ratio_number(bounds[1])}{TIMES}"


def _ratio_number(value: float) -> str:
    return fixed(value, 2) if 0.095 <= abs(value) < 99.5 else number(value, 2 if abs(value) < 1 else 3)


def percent(share: float) -> str:
    """Write a probability that was counted over draws: no number of draws makes it sure."""
    if share >= 0.995:
        return f">{SPACE}99{SPACE}%"
    if share < 0.005:
        return f"<{SPACE}1{SPACE}%"
    return f"{share * 100:.0f}{SPACE}%"


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, thousands set apart; as a power of ten only where it must be."""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -5 <= size <= 11:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    decimals = max(digits - 1 - size, 0)
    rounded = round(value, digits - 1 - size) if size < digits else round(value)
    said = f"{rounded:,.{decimals}f}"
    if "." in said and (math.isclose(value, rounded, rel_tol=1e-12) or set(said.partition(".")[2]) == {"0"}):
        said = said.rstrip("0").rstrip(".")
    return said.replace("-", MINUS)


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals; below zero so many digits before the point are rounded."""
    return f"{round(value, decimals) + 0.0:,.{max(decimals, 0)}f}".replace("-", MINUS)


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{SPACE}{unit}" if unit else text
