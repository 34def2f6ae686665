"""Every pattern places every node exactly once, whatever the graph."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import patterns
from components.graph import Pod, placed_nodes
from components.patterns import Options
from components.refusal import Refusal
from tests.support import values

NODE_NAMES = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=8, unique=True)
VALID_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@pytest.mark.parametrize("pattern", patterns.names())
@given(names=NODE_NAMES)
def test_every_node_is_placed_once_in_pods_with_valid_names(pattern: str, names: list[str]) -> None:
    nodes = tuple(values.node(name) for name in names)
    pods = patterns.load(pattern).place(nodes, Options(application="perception"))
    assert sorted(placed_nodes(pods)) == sorted(names)
    for name in [n for pod in pods for n in (pod.name, pod.container.name)]:
        assert VALID_NAME.fullmatch(name)
    assert len({pod.name for pod in pods}) == len(pods)


@pytest.mark.parametrize("pattern", patterns.names())
def test_a_pattern_defines_itself_and_names_processes_once(pattern: str) -> None:
    module = patterns.load(pattern)
    assert len(str(module.__doc__).split()) > 8
    for pod in module.place(values.application().nodes, Options(application="perception")):
        processes = [process.name for process in pod.container.processes]
        assert len(set(processes)) == len(processes)


@pytest.mark.parametrize("pattern", patterns.names())
def test_a_placement_is_a_function_of_its_input(pattern: str) -> None:
    application = values.application()
    assert patterns.placement(pattern, application) == patterns.placement(pattern, application)


def test_monolithic_is_one_pod_with_a_process_per_node() -> None:
    (pod,) = patterns.placement("monolithic", values.application())
    assert [len(process.nodes) for process in pod.container.processes] == [1, 1, 1, 1]
    assert pod.container.image_role == "application-monolithic"


def test_an_unknown_pattern_lists_those_that_exist() -> None:
    with pytest.raises(Refusal, match=r"pattern 'monolith' does not exist\. Did you mean monolithic"):
        patterns.load("monolith")


def test_a_pattern_that_forgets_a_node_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful:
        def place(self, nodes: object, options: Options) -> tuple[Pod, ...]:
            del nodes, options
            return ()

    def load(name: str) -> Forgetful:
        return Forgetful()

    monkeypatch.setattr(patterns, "load", load)
    with pytest.raises(ValueError, match="pattern forgetful placed"):
        patterns.placement("forgetful", values.application())
