"""What a Prometheus answers to every panel of every dashboard: series found, or why there are none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from components.dashboards.catalogue import DASHBOARDS
from components.dashboards.panel import Dashboard, Need, Panel
from components.dashboards.queries import ANY, DEFAULT_WINDOW, exactly, filled
from probes.prometheus import Asker, QueryRefused, Series, Span

Verdict = Literal["found", "not here", "missing", "refused"]
"""`missing`: it should have series and has none. `refused`: Prometheus does not understand a query."""
FAULTS: frozenset[Verdict] = frozenset({"missing", "refused"})


@dataclass(frozen=True)
class Scope:
    """What panels are asked about: regular expressions of stack and topic, a window, and the stack file's mappings.

    Attributes:
        stack: Regular expression.
        topic: Regular expression.
        machine: Regular expression.
        window: Duration as Prometheus writes it.
        presets: Presets that `application.metrics` uses.
        metrics: Metrics that it maps by hand.
    """

    stack: str = ANY
    topic: str = ANY
    machine: str = ANY
    window: str = DEFAULT_WINDOW
    presets: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()

    def resolve(self, expression: str) -> str:
        """Fill in the variables of an expression."""
        return filled(expression, stack=self.stack, topic=self.topic, machine=self.machine, window=self.window)


@dataclass(frozen=True)
class Line:
    """One series of a panel under the name that its legend gives it."""

    name: str
    query: str
    series: Series


@dataclass(frozen=True)
class Answer:
    """What one panel got."""

    panel: Panel
    verdict: Verdict
    lines: tuple[Line, ...]
    why: str = ""


@dataclass(frozen=True)
class DashboardAnswers:
    """What the panels of one dashboard got, row by row."""

    dashboard: Dashboard
    rows: tuple[tuple[str, tuple[Answer, ...]], ...]

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All of them in their order."""
        return tuple(answer for _, answers in self.rows for answer in answers)


@dataclass
class Asking:
    """Asks panel after panel; what several need is asked once."""

    asker: Asker
    span: Span
    scope: Scope
    said: Callable[[str], None] = field(default=lambda _: None)
    _signs: dict[str, bool] = field(default_factory=dict[str, bool])

    def dashboards(self, wanted: Sequence[Dashboard] = DASHBOARDS) -> tuple[DashboardAnswers, ...]:
        """Ask for every panel of dashboards.

        Raises:
            TargetError: Prometheus cannot be reached.
        """
        found: list[DashboardAnswers] = []
        for dashboard in wanted:
            self.said(f"dashboard {dashboard.title}: {len(dashboard.panels)} panels")
            rows = tuple((row.title, tuple(self.panel(panel) for panel in row.panels)) for row in dashboard.rows)
            found.append(DashboardAnswers(dashboard, rows))
        return tuple(found)

    def panel(self, panel: Panel) -> Answer:
        """Ask for one panel, and find out why where it has no series."""
        try:
            lines = tuple(self._lines(panel))
            if lines:
                return Answer(panel, "found", lines)
            return self._empty(panel)
        except QueryRefused as refused:
            return Answer(panel, "refused", (), refused.message)

    def _lines(self, panel: Panel) -> Iterable[Line]:
        for query in panel.queries:
            for series in self.asker.over(self.scope.resolve(query.expression), self.span):
                if series.finite:
                    yield Line(legend(query.legend, series.labels), query.name, series)

    def _empty(self, panel: Panel) -> Answer:
        untold: list[Need] = []
        for need in panel.needs:
            met = self._met(need)
            if met is False:
                return Answer(panel, "not here", (), need.reason)
            if met is None:
                untold.append(need)
        if untold:
            return Answer(panel, "not here", (), "; ".join(need.reason for need in untold))
        names = ", ".join(query.name for query in panel.queries)
        return Answer(panel, "missing", (), f"all that it needs is there, but no series answers to {names}")

    def _met(self, need: Need) -> bool | None:
        """Tell whether a need is met; None where only the panel itself could tell."""
        if need.preset is not None:
            return need.preset in self.scope.presets
        if need.metric is not None:
            return need.metric in self.scope.metrics
        if need.sign is None:
            return None
        expression = self.scope.resolve(need.sign)
        if expression not in self._signs:
            # At the end of the span: what came later than most of it, a panel may still lack.
            found = self.asker.over(expression, Span(self.span.until_s, self.span.until_s, self.span.step_s))
            self._signs[expression] = any(series.finite for series in found)
        return self._signs[expression]


def legend(template: str, labels: Mapping[str, str]) -> str:
    """Name a series by a legend's template; a label that it lacks leaves nothing behind."""
    text = template
    for name, value in labels.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    while "{{" in text and "}}" in text:
        before, _, rest = text.partition("{{")
        text = before + rest.partition("}}")[2]
    return " ".join(text.split()) or "all"


def scope_of(stack: str, spec: Mapping[str, Any], *, is_experiment: bool, topic: str | None, window: str) -> Scope:
    """Give the scope of a stack by its contract.

    Args:
        stack: Its name.
        spec: Its validated spec.
        is_experiment: Whether the stack holds one; a platform is asked about all of them.
        topic: One topic, or all.
        window: Duration.
    """
    application: Mapping[str, Any] = spec.get("application") or {}
    mappings: Sequence[Mapping[str, Any]] = application.get("metrics") or ()
    fields = [(mapping.get("preset"), mapping.get("fields") or {}) for mapping in mappings]
    values = [value for mapping in mappings for value in mapping.get("values") or ()]
    by_hand = {str(value["name"]) for value in values}
    if any(preset == "mission" and "state" in named for preset, named in fields):
        by_hand.add("ros2bench_mission_state")
    return Scope(
        stack=exactly(stack) if is_experiment else ANY,
        topic=exactly(topic) if topic else ANY,
        window=window,
        presets=frozenset(str(preset) for preset, _ in fields if preset),
        metrics=frozenset(by_hand),
    )


def faults(answers: Iterable[DashboardAnswers]) -> tuple[tuple[Dashboard, Answer], ...]:
    """Give the panels that should have series and have none."""
    return tuple((each.dashboard, answer) for each in answers for answer in each.answers if answer.verdict in FAULTS)
