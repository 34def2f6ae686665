"""Objects that a preview would change."""

import json

import pytest

from probes.preview import objects_changed


def step(op: str, kind: str, name: str = "x") -> dict[str, str]:
    return {"op": op, "urn": f"urn:pulumi:s::p::ros2bench:components:Workload${kind}::{name}"}


def test_only_objects_of_the_cluster_count_and_a_replacement_once() -> None:
    steps = [
        step("same", "kubernetes:core/v1:Namespace"),
        step("update", "pulumi:pulumi:Stack"),
        step("update", "ros2bench:components:Workload"),
        step("create-replacement", "kubernetes:core/v1:ConfigMap", "perception"),
        step("replace", "kubernetes:core/v1:ConfigMap", "perception"),
        step("delete-replaced", "kubernetes:core/v1:ConfigMap", "perception"),
        step("update", "kubernetes:apps/v1:Deployment", "perception"),
        step("read", "kubernetes:core/v1:Namespace", "kube-system"),
    ]
    assert objects_changed(json.dumps({"steps": steps})) == 2


@pytest.mark.parametrize("text", ["", "[]", '{"steps": 1}', "{}"])
def test_what_is_no_preview_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        objects_changed(text)
