"""Raw parameters reach exactly the item that is named, and a name that is not there is refused."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import raw
from components.refusal import Refusal

SPEC: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "containers": [
        {
            "name": "app",
            "image": "i",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "resources": {"limits": {"memory": "1Mi"}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a mount, not a file
        }
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "tolerations": [{"key": "a"}],
}


def merged(patch: dict[str, Any]) -> dict[str, Any]:
    return raw.merged("app", copy.deepcopy(SPEC), patch)


def test_nothing_changes_nothing() -> None:
    assert merged({}) == SPEC


def test_a_variable_is_found_by_its_name_in_a_container_found_by_its_name() -> None:
    found = merged({"containers": [{"name": "app", "env": [{"name": "B", "value": "3"}]}]})
    assert found["containers"][0]["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]
    assert found["containers"][0]["image"] == "i"


def test_mappings_are_merged_scalars_and_other_lists_replaced_and_none_removes() -> None:
    found = merged(
        {
            "runtimeClassName": "nvidia",
            "tolerations": [{"key": "b"}],
            "containers": [{"name": "app", "resources": {"limits": {"cpu": "1"}}, "image": None}],
        }
    )
    assert found["runtimeClassName"] == "nvidia"
    assert found["tolerations"] == [{"key": "b"}]
    assert found["containers"][0]["resources"]["limits"] == {"memory": "1Mi", "cpu": "1"}
    assert "image" not in found["containers"][0]


def test_an_item_is_added_and_deleted_where_it_is_said() -> None:
    found = merged(
        {
            "volumes": [{"name": "host", "$patch": "add", "downwardAPI": {}}, {"name": "tmp", "$patch": "delete"}],
            "containers": [{"name": "app", "env": [{"name": "C", "$patch": "add", "value": "3"}]}],
        }
    )
    assert found["volumes"] == [{"name": "host", "downwardAPI": {}}]
    assert found["containers"][0]["env"][-1] == {"name": "C", "value": "3"}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"contaners": []}, "kubernetes.app.contaners: unknown field. Did you mean containers?"),
    "snake case": ({"node_name": "x"}, "Did you mean nodeName?"),
    "unknown container": (
        {"containers": [{"name": "ap"}]},
        "kubernetes.app.containers[ap]: there is no item of this name. Did you mean app? Choices: app.",
    ),
    "unknown container field": ({"containers": [{"name": "app", "imag": "x"}]}, "Did you mean image?"),
    "unknown variable": (
        {"containers": [{"name": "app", "env": [{"name": "D"}]}]},
        "containers[app].env[D]: there is no item of this name",
    ),
    "unknown mount": (
        {"containers": [{"name": "app", "volumeMounts": [{"mountPath": "/x"}]}]},
        "there is no item of this mountPath. Choices: /tmp.",
    ),
    "no name": ({"volumes": [{"emptyDir": {}}]}, "has no name, by which it would be found"),
    "no list": ({"volumes": {}}, "is {}, a list is expected"),
    "added twice": ({"volumes": [{"name": "tmp", "$patch": "add"}]}, "exists already"),
    "unknown directive": ({"volumes": [{"name": "tmp", "$patch": "ad"}]}, "is 'ad'. Did you mean add?"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_slip_is_refused_with_what_exists(case: str) -> None:
    patch, words = REFUSED[case]
    with pytest.raises(Refusal) as caught:
        merged(patch)
    assert words in str(caught.value)


def test_the_fields_are_those_of_the_api() -> None:
    assert merged({"hostPID": True, "setHostnameAsFQDN": True, "topologySpreadConstraints": []})["hostPID"] is True


@given(patch=st.dictionaries(st.sampled_from(["priorityClassName", "schedulerName", "hostname"]), st.text(max_size=5)))
def test_merging_twice_is_merging_once_and_leaves_the_rendered_as_it_was(patch: dict[str, Any]) -> None:
    before = copy.deepcopy(SPEC)
    once = raw.merged("app", SPEC, patch)
    assert before == SPEC
    assert raw.merged("app", once, patch) == once
