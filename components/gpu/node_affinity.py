"""Which machines the node affinity of a pod demands; pure.

The rules are the scheduler's (kubernetes/component-helpers, scheduling/corev1/nodeaffinity): one term has to hold, of a
term every expression, and a term without any holds nowhere.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from components.gpu.machines import Machine
from components.gpu.matching import REQUIRED, Term

NAME_FIELD = "metadata.name"
NUMBER = re.compile(r"[+-]?\d{1,18}")

Expression = Mapping[str, Any]


def demands(machine: Machine, affinity: Mapping[str, Any]) -> bool:
    """Whether a pod may go to a machine for all that its affinity says of machines; wishes do not count.

    Args:
        machine: The machine.
        affinity: `affinity` of the pod, in the words of Kubernetes.
    """
    of_node = cast("Mapping[str, Any]", affinity.get("nodeAffinity") or {})
    required = cast("Mapping[str, Any]", of_node.get(REQUIRED) or {})
    terms = cast("Sequence[Term]", required.get("nodeSelectorTerms") or ())
    return not required or any(holds(term, machine) for term in terms)


def holds(term: Term, machine: Machine) -> bool:
    """Whether a machine is one that a term means."""
    of_labels = cast("Sequence[Expression]", term.get("matchExpressions") or ())
    of_fields = cast("Sequence[Expression]", term.get("matchFields") or ())
    if not of_labels and not of_fields:
        return False
    known = {NAME_FIELD: machine.name}
    return all(matches(each, machine.labels) for each in of_labels) and all(matches(each, known) for each in of_fields)


def matches(expression: Expression, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy an expression; one that Kubernetes does not know satisfies, as the API server refuses it.

    Args:
        expression: With `key`, `operator` and `values`.
        labels: Of a machine.
    """
    found = labels.get(str(expression.get("key")))
    values = [str(value) for value in cast("Sequence[Any]", expression.get("values") or ())]
    match expression.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as order:
            return _ordered(found, values, greater=order == "Gt")
        case _:
            return True


def _ordered(found: str | None, values: Sequence[str], *, greater: bool) -> bool:
    if found is None or len(values) != 1 or not NUMBER.fullmatch(found) or not NUMBER.fullmatch(values[0]):
        return False
    return int(found) > int(values[0]) if greater else int(found) < int(values[0])
