"""What a query is: one expression with its name, unit and meaning. Plain data, imports nothing that is heavy."""

import re
from dataclasses import dataclass

from components.dashboards.units import Unit

VARIABLES = ("stack", "topic", "machine", "window")
"""What an expression may leave open: three regular expressions and a duration."""
ANY = ".+"
DEFAULT_WINDOW = "1m"
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[a-z_]+)\}|(?P<bare>[a-z_]+))")


@dataclass(frozen=True, kw_only=True)
class Query:
    """One expression, for panels, rules and probes alike.

    Attributes:
        name: Snake case, unique.
        expression: PromQL; `$stack`, `$topic` and `$machine` stand in regular expressions, `$window` is a duration.
        unit: What its values are measured in.
        legend: Name of one series, with labels as `{{label}}`.
        description: What a value means, and where it comes from.
    """

    name: str
    expression: str
    unit: Unit
    legend: str
    description: str

    def __post_init__(self) -> None:
        """Refuse a variable that nobody fills in."""
        if unknown := self.variables - set(VARIABLES):
            raise ValueError(f"query {self.name} leaves {sorted(unknown)} open; there are only {VARIABLES}")

    @property
    def variables(self) -> frozenset[str]:
        """Variables that the expression leaves open."""
        return frozenset(found["braced"] or found["bare"] for found in _VARIABLE.finditer(self.expression))

    def resolved(self, *, stack: str = ANY, topic: str = ANY, machine: str = ANY, window: str = DEFAULT_WINDOW) -> str:
        """Give the expression with its variables filled in; see `filled`."""
        return filled(self.expression, stack=stack, topic=topic, machine=machine, window=window)


def filled(
    expression: str, *, stack: str = ANY, topic: str = ANY, machine: str = ANY, window: str = DEFAULT_WINDOW
) -> str:
    """Fill in the variables of an expression.

    Args:
        expression: PromQL with variables.
        stack: Regular expression of stacks.
        topic: Regular expression of topics.
        machine: Regular expression of machines.
        window: Duration as Prometheus writes it, for example `30s`.
    """
    values = {"stack": stack, "topic": topic, "machine": machine, "window": window}
    return _VARIABLE.sub(lambda found: values[found["braced"] or found["bare"]], expression)


def exactly(text: str) -> str:
    """Give the regular expression that matches this text alone, inside the quotes of PromQL.

    RE2 knows no escape of letters and digits, and a backslash in quotes is doubled.
    """
    return re.sub(r"([.+*?()|\[\]{}^$\\])", lambda found: "\\\\" + found[1], text)
