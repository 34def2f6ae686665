"""The node affinity of a pod means the machines that Kubernetes' scheduler takes it to mean."""

from typing import Any

import pytest

from components.gpu.machines import Machine
from components.gpu.matching import REQUIRED
from components.gpu.node_affinity import demands, matches

EDGE = Machine(name="edge", labels={"zone": "north", "gpus": "2", "spot": ""})


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def says(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("expression", "is_met"),
    [
        (says("zone", "In", "north", "south"), True),
        (says("zone", "In", "south"), False),
        (says("rack", "In", "1"), False),
        (says("zone", "NotIn", "south"), True),
        (says("zone", "NotIn", "north"), False),
        (says("rack", "NotIn", "1"), True),
        (says("spot", "Exists"), True),
        (says("rack", "Exists"), False),
        (says("rack", "DoesNotExist"), True),
        (says("spot", "DoesNotExist"), False),
        (says("gpus", "Gt", "1"), True),
        (says("gpus", "Gt", "2"), False),
        (says("gpus", "Lt", "3"), True),
        (says("zone", "Gt", "1"), False),
        (says("rack", "Lt", "1"), False),
        (says("zone", "Like", "n*"), True),
    ],
)
def test_an_expression_means_what_the_scheduler_says(expression: dict[str, Any], is_met: bool) -> None:
    assert matches(expression, EDGE.labels) is is_met


@pytest.mark.parametrize(
    ("given", "is_one"),
    [
        ({}, True),
        ({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}, True),
        ({"podAffinity": {REQUIRED: []}}, True),
        (affinity({"matchExpressions": [says("zone", "In", "north"), says("gpus", "Gt", "1")]}), True),
        (affinity({"matchExpressions": [says("zone", "In", "north"), says("gpus", "Gt", "4")]}), False),
        (
            affinity(
                {"matchExpressions": [says("zone", "In", "south")]}, {"matchExpressions": [says("spot", "Exists")]}
            ),
            True,
        ),
        (affinity({"matchFields": [says("metadata.name", "In", "edge")]}), True),
        (affinity({"matchFields": [says("metadata.name", "In", "desk")]}), False),
        (affinity({}), False),
        (affinity(), False),
    ],
)
def test_one_term_has_to_hold_and_of_it_everything(given: dict[str, Any], is_one: bool) -> None:
    assert demands(EDGE, given) is is_one
