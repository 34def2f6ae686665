"""Which machines have a GPU that will do: the terms that the scheduler reads say the same as our own answer."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.gpu import matching
from components.gpu.matching import Capability, GpuNeed


def holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """What the scheduler decides (kube-scheduler, `nodeaffinity`), for the operators that are used here."""
    for expression in term.get("matchExpressions", ()):
        value = labels.get(expression["key"])
        if value is None:
            return False
        if expression["operator"] == "In" and value not in expression["values"]:
            return False
        if expression["operator"] == "Gt" and not int(value) > int(expression["values"][0]):
            return False
    return True


capabilities = st.builds(Capability, major=st.integers(1, 12), minor=st.integers(0, 9))
needs = st.builds(GpuNeed, memory_mebibytes=st.integers(0, 100_000), capability=st.none() | capabilities)


@given(needs, st.none() | st.integers(0, 100_000), st.none() | capabilities)
def test_terms_and_our_own_answer_agree(need: GpuNeed, memory: int | None, found: Capability | None) -> None:
    labels: dict[str, str] = {}
    if memory is not None:
        labels[matching.MEMORY_LABEL] = str(memory)
    if found is not None:
        labels |= {matching.MAJOR_LABEL: str(found.major), matching.MINOR_LABEL: str(found.minor)}
    terms = need.terms()
    assert (not terms or any(holds(term, labels) for term in terms)) == (need.unmet(labels) is None)


def test_an_orin_is_new_enough_for_what_a_xavier_runs_and_not_for_a_thor() -> None:
    orin = {matching.MEMORY_LABEL: "30697", matching.MAJOR_LABEL: "8", matching.MINOR_LABEL: "7"}
    assert GpuNeed(memory_mebibytes=16_384, capability=Capability(major=7, minor=2)).unmet(orin) is None
    assert "compute capability 8.7" in str(GpuNeed(capability=Capability(major=11, minor=0)).unmet(orin))
    assert "30697 MiB" in str(GpuNeed(memory_mebibytes=40_000).unmet(orin))
    assert "no label" in str(GpuNeed(memory_mebibytes=1).unmet({}))
    assert "no labels" in str(GpuNeed(capability=Capability(major=7, minor=2)).unmet({matching.MAJOR_LABEL: "x"}))


@given(needs, needs)
def test_together_is_what_satisfies_both(one: GpuNeed, other: GpuNeed) -> None:
    both = one.together(other)
    assert both == other.together(one)
    assert both.together(one) == both
    assert both.memory_mebibytes == max(one.memory_mebibytes, other.memory_mebibytes)


def test_terms_are_joined_with_those_of_the_pod() -> None:
    zone = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["edge"]}]}
    own = {
        "nodeAffinity": {
            matching.REQUIRED: {"nodeSelectorTerms": [zone, name]},
            "preferredDuringSchedulingIgnoredDuringExecution": ["kept"],
        },
        "podAffinity": {"kept": True},
    }
    need = GpuNeed(capability=Capability(major=8, minor=7))
    found = matching.with_terms(own, need.terms())
    terms = found["nodeAffinity"][matching.REQUIRED]["nodeSelectorTerms"]
    assert len(terms) == 4
    assert terms[0]["matchExpressions"][0]["key"] == "zone"
    assert terms[3]["matchFields"] == name["matchFields"]
    assert found["podAffinity"] == {"kept": True}
    assert found["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] == ["kept"]
    assert own["nodeAffinity"][matching.REQUIRED] == {"nodeSelectorTerms": [zone, name]}, "the pod's own is not changed"
    assert matching.with_terms(own, ()) == own


@pytest.mark.parametrize(
    ("labels", "has"),
    [
        ({"a": "1", "b": "2"}, True),
        ({"a": "1"}, False),
        ({"c": "3", "x": "y"}, True),
        ({}, False),
    ],
)
def test_sets_of_labels(labels: dict[str, str], has: bool) -> None:
    sets = ({"a": "1", "b": "2"}, {"c": "3"})
    assert matching.has_labels(labels, sets) is has
    assert any(holds(term, labels) for term in matching.set_terms(sets)) is has
