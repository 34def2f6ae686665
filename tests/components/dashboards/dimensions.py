"""Which unit an expression of PromQL has, from the names of its series: Prometheus puts base units into names."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import promql_parser as promql

from components.dashboards.units import Unit

Dimension = Mapping[str, int]
"""Powers of base units; nothing is a bare number."""
BARE: Dimension = {}
SECOND: Dimension = {"s": 1}

UNITS: Mapping[Unit, Dimension] = {
    Unit.SECONDS: SECOND,
    Unit.HERTZ: {"s": -1},
    Unit.PER_SECOND: {"s": -1},
    Unit.RATIO: BARE,
    Unit.COUNT: BARE,
    Unit.CORES: BARE,
    Unit.BYTES: {"B": 1},
    Unit.BYTES_PER_SECOND: {"B": 1, "s": -1},
    Unit.WATTS: {"J": 1, "s": -1},
    Unit.JOULES: {"J": 1},
    Unit.CELSIUS: {"°C": 1},
    Unit.VOLTS: {"V": 1},
    Unit.RADIANS: {"rad": 1},
    Unit.RADIANS_PER_SECOND: {"rad": 1, "s": -1},
    Unit.NEWTON_METERS: {"N": 1, "m": 1},
    Unit.METERS_PER_SECOND: {"m": 1, "s": -1},
}

# The longest endings first.
ENDINGS: tuple[tuple[str, Dimension], ...] = (
    ("_radians_per_second", UNITS[Unit.RADIANS_PER_SECOND]),
    ("_meters_per_second", UNITS[Unit.METERS_PER_SECOND]),
    ("_newton_meters", UNITS[Unit.NEWTON_METERS]),
    ("_radians", UNITS[Unit.RADIANS]),
    ("_seconds", SECOND),
    ("_hertz", UNITS[Unit.HERTZ]),
    ("_bytes", UNITS[Unit.BYTES]),
    ("_watts", UNITS[Unit.WATTS]),
    ("_joules", UNITS[Unit.JOULES]),
    ("_celsius", UNITS[Unit.CELSIUS]),
    ("_volts", UNITS[Unit.VOLTS]),
    ("_time", SECOND),
    ("_cert_expiry", SECOND),
)
TIMES = frozenset(
    {
        "kube_pod_created",
        "kube_pod_deletion_timestamp",
        "kube_deployment_created",
        "kube_cronjob_created",
    }
)
OVER_TIME = frozenset({"rate", "irate", "deriv"})
KEEP = frozenset({"+", "-"})
LEFT = frozenset({"and", "unless", "or", ">", "<", "==", ">=", "<=", "!="})


def dimension_of(node: Any) -> Dimension:  # noqa: PLR0911 - a case for each kind of node
    """Give the dimension of an expression.

    Raises:
        ValueError: Values of different dimensions are added, or a node is of a kind that is not known here.
    """
    match node:
        case promql.NumberLiteral() | promql.StringLiteral():
            return BARE
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return dimension_of(node.expr)
        case promql.MatrixSelector():
            return dimension_of(node.vector_selector)
        case promql.VectorSelector():
            return _of_series(node)
        case promql.AggregateExpr():
            return BARE if str(node.op) in {"count", "group"} else dimension_of(node.expr)
        case promql.Call():
            return _of_call(node)
        case promql.BinaryExpr():
            return _of_pair(str(node.op), dimension_of(node.lhs), dimension_of(node.rhs))
        case _:
            raise ValueError(f"{type(node).__name__} is not known here")


def _of_series(selector: Any) -> Dimension:
    name: str = selector.name
    matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
    if name.startswith("kube_pod_container_resource_"):
        return UNITS[Unit.BYTES] if matchers["resource"] == "memory" else BARE
    if ":" in name:
        # Of a recorded series the operation may be a ratio; else the series in the middle says the unit.
        _, middle, operation = name.split(":")
        return BARE if "ratio" in operation else _of_name(middle)
    return _of_name(name)


def _of_name(name: str) -> Dimension:
    if name.endswith(("_bucket", "_count")):
        return BARE
    if name in TIMES:
        return SECOND
    plain = name.removesuffix("_sum").removesuffix("_total")
    return next((dimension for ending, dimension in ENDINGS if plain.endswith(ending)), BARE)


def _of_call(call: Any) -> Dimension:
    name = call.func.name
    if name in {"time", "timestamp"}:
        return SECOND
    if name == "histogram_quantile":
        series: list[str] = []
        promql.walk(
            call, lambda node: series.append(str(node.name)) if isinstance(node, promql.VectorSelector) else None
        )
        assert all(found.endswith("_bucket") for found in series)
        return _of_name(series[0].removesuffix("_bucket"))
    inner = dimension_of(call.args[0])
    return _product(inner, {"s": -1}) if name in OVER_TIME else inner


def _of_pair(operation: str, left: Dimension, right: Dimension) -> Dimension:
    if operation == "*":
        return _product(left, right)
    if operation == "/":
        return _product(left, {unit: -power for unit, power in right.items()})
    if operation in KEEP or operation == "or":
        if dict(left) != dict(right):
            raise ValueError(f"{dict(left)} {operation} {dict(right)}")
        return left
    assert operation in LEFT, operation
    return left


def _product(left: Dimension, right: Dimension) -> Dimension:
    powers = Counter(left)
    powers.update(right)
    return {unit: power for unit, power in powers.items() if power}
