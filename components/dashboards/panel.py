"""What a dashboard is made of: panels of queries, what they need to have series, and rows. Plain data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.dashboards.query import Query
from components.dashboards.units import Unit

Kind = Literal["lines", "numbers", "states"]
"""Lines over time; the newest values as large numbers; 0 and 1 over time as bands."""
WIDTH = 24
"""Columns of a dashboard."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What must be there for a panel to have series, and what is said where it is not.

    Attributes:
        name: Short name.
        reason: Why a panel is empty without it.
        sign: Expression with series where it is there; None where nothing else tells it but the panel itself.
        preset: Preset of `application.metrics` that brings it.
        metric: Metric that a stack file maps by hand.
    """

    name: str
    reason: str
    sign: str | None = None
    preset: str | None = None
    metric: str | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture of one or several queries with a common unit."""

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    needs: tuple[Need, ...]
    width: int = 12
    height: int = 8

    def __post_init__(self) -> None:
        """Refuse what could not be drawn over one axis."""
        units = {query.unit for query in self.queries}
        if len(units) != 1:
            raise ValueError(f"panel {self.title!r} mixes the units {sorted(units)}; an axis has one")
        if not 0 < self.width <= WIDTH:
            raise ValueError(f"panel {self.title!r} is {self.width} wide; a dashboard has {WIDTH} columns")

    @property
    def unit(self) -> Unit:
        """Unit of its axis."""
        return self.queries[0].unit

    @property
    def description(self) -> str:
        """What its values mean."""
        return "\n".join(dict.fromkeys(query.description for query in self.queries))


@dataclass(frozen=True)
class Row:
    """Panels under a common heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One page. `name` is its identifier: small letters and hyphens."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels in their order."""
        return tuple(panel for row in self.rows for panel in row.panels)

    @property
    def variables(self) -> frozenset[str]:
        """Variables that a reader may set."""
        return frozenset(name for panel in self.panels for query in panel.queries for name in query.variables)


def lines(title: str, *queries: Query, needs: Sequence[Need] = (), width: int = 12) -> Panel:
    """Make a panel of lines over time."""
    return Panel(title=title, kind="lines", queries=queries, needs=tuple(needs), width=width)


def numbers(title: str, *queries: Query, needs: Sequence[Need] = (), width: int = 6) -> Panel:
    """Make a panel of the newest values."""
    return Panel(title=title, kind="numbers", queries=queries, needs=tuple(needs), width=width, height=5)


def states(title: str, *queries: Query, needs: Sequence[Need] = (), width: int = 12) -> Panel:
    """Make a panel of what is so (1) and what is not (0) over time."""
    return Panel(title=title, kind="states", queries=queries, needs=tuple(needs), width=width)
