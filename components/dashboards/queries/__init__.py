"""Every expression of dashboards, rules and probes, once; by subject in a module each.

Plain data: importing this imports nothing beyond the standard library.
"""

from components.dashboards.queries import application, machines, messages, platform, pods, robots
from components.dashboards.queries.names import (
    MESSAGE_LATENCY_SECONDS,
    MESSAGES_LOST_TOTAL,
    MESSAGES_TOTAL,
    RECORDER_CPU_SECONDS_TOTAL,
    TOPIC_LABEL,
)
from components.dashboards.query import ANY, DEFAULT_WINDOW, VARIABLES, Query, exactly, filled

__all__ = [
    "ANY",
    "DEFAULT_WINDOW",
    "MESSAGES_LOST_TOTAL",
    "MESSAGES_TOTAL",
    "MESSAGE_LATENCY_SECONDS",
    "QUERIES",
    "RECORDER_CPU_SECONDS_TOTAL",
    "TOPIC_LABEL",
    "VARIABLES",
    "Query",
    "exactly",
    "filled",
    "find",
]

_MODULES = (messages, pods, application, machines, robots, platform)

QUERIES: dict[str, Query] = {
    value.name: value for module in _MODULES for value in vars(module).values() if isinstance(value, Query)
}
"""All of them by name."""


def find(name: str) -> Query:
    """Give a query by its name.

    Raises:
        KeyError: There is none of that name; the message names those that there are.
    """
    if name not in QUERIES:
        raise KeyError(f"there is no query {name!r}; there are {', '.join(sorted(QUERIES))}")
    return QUERIES[name]
