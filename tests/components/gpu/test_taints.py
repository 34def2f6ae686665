"""Which machines a pod may go to, and which taints a pod with devices accepts."""

from typing import Any

import pytest

from components.gpu.machines import Machine, Taint, machine
from components.gpu.taints import CORDON, accepted, shut_out, tolerates
from components.needs import Needs, Toleration

GPU = "nvidia.com/gpu"
TAINT = Taint(key=GPU, effect="NoSchedule", value="present")


def test_a_pod_with_devices_accepts_the_taints_of_their_machines() -> None:
    own = Toleration(key="edge", operator="Exists")
    expected = Toleration(key=GPU, operator="Exists", effect="NoSchedule")
    assert accepted(Needs()) == ()
    assert accepted(Needs(gpus={GPU: 1}, tolerations=(own,))) == (own, expected)
    assert accepted(Needs(gpus={GPU: 1}, tolerations=(expected,))) == (expected,)
    assert [each.key for each in accepted(Needs(gpus={f"{GPU}.shared": 1}))] == [f"{GPU}.shared", GPU]
    assert [each.key for each in accepted(Needs(gpus={"amd.com/gpu": 1}))] == ["amd.com/gpu"]


def test_taints_and_the_cordon_of_a_machine_are_read() -> None:
    taints = [{"key": GPU, "effect": "NoSchedule", "value": "present"}, {"key": "edge", "effect": "NoExecute"}]
    found = machine({"metadata": {"name": "edge"}, "spec": {"taints": taints, "unschedulable": True}})
    assert found.taints == (TAINT, Taint(key="edge", effect="NoExecute"))
    assert found.unschedulable
    assert [str(each) for each in found.taints] == [f"{GPU}=present:NoSchedule", "edge:NoExecute"]
    assert not machine({"metadata": {"name": "desk"}}).unschedulable


@pytest.mark.parametrize(
    ("toleration", "does"),
    [
        ({"key": GPU, "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": GPU, "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": GPU, "value": "present"}, True),
        ({"key": GPU, "value": "other"}, False),
        ({"key": GPU}, False),
        ({"key": GPU, "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "edge", "operator": "Exists"}, False),
        ({}, False),
    ],
)
def test_a_toleration_accepts_what_kubernetes_lets_it(toleration: dict[str, Any], does: bool) -> None:
    assert tolerates(toleration, TAINT) is does


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Machine(name="m"), None),
        (Machine(name="m", taints=(TAINT,)), f"has the taint {GPU}=present:NoSchedule"),
        (Machine(name="m", taints=(Taint(key="a", effect="PreferNoSchedule"),)), None),
        (Machine(name="m", taints=(Taint(key="node.kubernetes.io/not-ready", effect="NoExecute"),)), None),
        (Machine(name="m", unschedulable=True, taints=(Taint(key=CORDON, effect="NoSchedule"),)), "is cordoned"),
    ],
)
def test_what_keeps_a_pod_away_is_said(found: Machine, said: str | None) -> None:
    why = shut_out(found, {}, ())
    assert why is None if said is None else said in str(why)
    assert shut_out(found, {}, ({"operator": "Exists"},)) is None


def test_a_selector_keeps_a_pod_away_from_other_machines() -> None:
    assert shut_out(Machine(name="m", labels={"a": "1"}), {"a": "1"}, ()) is None
    assert "has no label a=2" in str(shut_out(Machine(name="m", labels={"a": "1"}), {"a": "2"}, ()))
