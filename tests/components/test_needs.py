"""Wishes of nodes that share a pod become one, or the contradiction is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import needs
from components.needs import Needs
from components.refusal import Refusal


def together(*wishes: Needs, joint_environment: bool = True) -> Needs:
    named = [(name, each) for name, each in zip("abc", wishes, strict=False)]
    return needs.together("pod", named, joint_environment=joint_environment)


def test_a_node_alone_gets_what_it_asks_for_but_for_its_readiness() -> None:
    wanted = Needs(
        environment={"A": "1"},
        secrets={"S": needs.SecretKey(secret="s", key="k")},
        files=(needs.File(path="/etc/a", text="t"),),
        ports=(needs.Port(name="web", port=80),),
        memory_volumes=(needs.MemoryVolume(name="m", path="/m", size_mebibytes=1),),
        shared_memory_mebibytes=128,
        gpus={"nvidia.com/gpu": 1},
        replicas=3,
        service_account=needs.ServiceAccount(name="robot"),
        image_pull_secrets=("pull",),
        security=needs.Security(run_as_user=2000),
        tier="edge",
        node_selector={"a": "b"},
        affinity={"nodeAffinity": {}},
        tolerations=(needs.Toleration(key="gpu"),),
        update=needs.Update(strategy="rolling"),
        labels={"l": "1"},
        annotations={"n": "1"},
    )
    assert together(wanted) == wanted


def test_what_can_be_added_up_is() -> None:
    merged = together(
        Needs(gpus={"g": 1}, shared_memory_mebibytes=64, image_pull_secrets=("x",), labels={"a": "1"}),
        Needs(gpus={"g": 2}, shared_memory_mebibytes=32, image_pull_secrets=("x", "y"), labels={"b": "2"}),
    )
    assert merged.gpus == {"g": 3}
    assert merged.shared_memory_mebibytes == 96
    assert merged.image_pull_secrets == ("x", "y")
    assert merged.labels == {"a": "1", "b": "2"}


def test_what_both_want_alike_is_shared() -> None:
    volume = needs.PersistentVolume(name="map", path="/map", size_mebibytes=10)
    assert together(Needs(persistent_volumes=(volume,)), Needs(persistent_volumes=(volume,))).persistent_volumes == (
        volume,
    )


def test_environments_are_apart_where_something_starts_the_nodes_apart() -> None:
    first, second = Needs(environment={"A": "1"}), Needs(environment={"A": "2"})
    assert together(first, second, joint_environment=False).environment == {}
    with pytest.raises(Refusal, match=r"environment\.A: a says '1', b says '2'"):
        together(first, second)


CONTRADICTIONS: list[tuple[Needs, Needs, str]] = [
    (Needs(tier="edge"), Needs(tier="cloud"), "tier: a says 'edge', b says 'cloud'"),
    (Needs(replicas=2), Needs(), "replicas: a says 2, b says 1"),
    (Needs(labels={"x": "1"}), Needs(labels={"x": "2"}), "labels.x"),
    (Needs(node_selector={"x": "1"}), Needs(node_selector={"x": "2"}), "node_selector.x"),
    (
        Needs(service_account=needs.ServiceAccount(name="x")),
        Needs(service_account=needs.ServiceAccount(name="y")),
        "service_account",
    ),
    (
        Needs(security=needs.Security(run_as_user=1)),
        Needs(security=needs.Security(run_as_user=2)),
        "run_as_user: a says 1, b says 2",
    ),
    (Needs(affinity={"x": {}}), Needs(affinity={"y": {}}), "affinity"),
    (
        Needs(update=needs.Update(strategy="rolling")),
        Needs(update=needs.Update(strategy="rolling", max_surge=1)),
        "update",
    ),
    (
        Needs(ports=(needs.Port(name="web", port=80),)),
        Needs(ports=(needs.Port(name="web", port=81),)),
        "ports.web",
    ),
    (
        Needs(files=(needs.File(path="/a", text="1"),)),
        Needs(files=(needs.File(path="/a", text="2"),)),
        "files./a",
    ),
    (
        Needs(ports=(needs.Port(name="web", port=80),)),
        Needs(ports=(needs.Port(name="api", port=80),)),
        "port 80/TCP is used twice",
    ),
    (
        Needs(memory_volumes=(needs.MemoryVolume(name="m", path="/x", size_mebibytes=1),)),
        Needs(secret_volumes=(needs.SecretVolume(name="s", path="/x", secret="s"),)),
        "path /x is used twice",
    ),
]


@pytest.mark.parametrize(("first", "second", "words"), CONTRADICTIONS, ids=[words for _, _, words in CONTRADICTIONS])
def test_a_contradiction_names_the_nodes_the_key_and_the_way_out(first: Needs, second: Needs, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        together(first, second)
    assert words in str(caught.value)
    assert "pod pod" in str(caught.value)
    assert "pattern: microservices" in str(caught.value)


WISHES = st.builds(
    Needs,
    shared_memory_mebibytes=st.integers(0, 100),
    gpus=st.dictionaries(st.sampled_from(["g", "h"]), st.integers(1, 4)),
    image_pull_secrets=st.lists(st.sampled_from(["x", "y", "z"]), unique=True).map(tuple),
)


@given(wishes=st.lists(WISHES, min_size=1, max_size=3))
def test_sums_do_not_depend_on_the_order(wishes: list[Needs]) -> None:
    def measure(merged: Needs) -> Any:
        return merged.shared_memory_mebibytes, dict(merged.gpus), set(merged.image_pull_secrets)

    assert measure(together(*wishes)) == measure(together(*reversed(wishes)))
