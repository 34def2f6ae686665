"""What a stack says of itself makes runs of its patterns comparable, and runs of other things not."""

import json
from typing import Any

import pytest

from components import patterns
from probes.conditions import Conditions, conditions_of, differences
from stacks.outputs import ImageBase, StackOutputs
from tests.probes.stored_records import TEMPLATE_TEXT
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.deployment import Deployment

SAME: dict[str, Any] = {"load": {"rateHz": 5}, "nodes": {"camera": {"resources": {"cpuRequestMillicores": 200}}}}


def outputs(deployment: Deployment) -> StackOutputs:
    return StackOutputs.model_validate_json(json.dumps(deployment.value))


def conditions(deployment: Deployment) -> Conditions:
    told = outputs(deployment)
    written = told.model_dump(mode="json", by_alias=True)
    return conditions_of({**json.loads(TEMPLATE_TEXT), "outputs": written, "spec": told.spec})


@pytest.mark.parametrize("pattern", patterns.names())
def test_the_pattern_is_what_is_compared(run: Run, pattern: str) -> None:
    assert differences(conditions(run(pattern, application=SAME)), conditions(run(application=SAME))) == ()


def test_another_load_or_application_is_not_compared(run: Run) -> None:
    expected = conditions(run(application=SAME))
    faster = conditions(run(application={**SAME, "load": {"rateHz": 6}}))
    assert [item.field for item in differences(faster, expected)] == ["load.rateHz"]
    other = conditions(run(application={"load": {"rateHz": 5}}))
    assert [item.field for item in differences(other, expected)] == ["application"]


def test_the_base_of_the_images_is_told_where_they_are_of_the_lock(run: Run) -> None:
    assert outputs(run()).image_base == ImageBase(flavour="wheels", ros_distro="jazzy")
    foreign = run(application={"images": {"monolithic": f"registry.example/robot@{values.DIGEST}"}})
    assert outputs(foreign).image_base is None
