"""Every pattern places every node exactly once, whatever the graph, and refuses a node that lacks an ingredient."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import patterns, perception
from components.graph import Component, Images, Node, Overlay, Pod, placed_nodes
from components.patterns import Options
from components.refusal import Refusal
from tests.support import values

OPTIONS = Options(application="perception", images=perception.IMAGES)
NODE_NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,7}[a-z]", fullmatch=True), min_size=1, max_size=8, unique=True)
VALID_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
KINDS = st.sampled_from(["per-component", "shared"])
EXECUTORS = st.sampled_from(["single", "multi", "isolated"])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Node, ...]:
    """Nodes with names that stay different as names of objects."""
    names = draw(NODE_NAMES)
    distinct = {name.replace("_", "-"): name for name in names}
    return tuple(values.node(name) for name in distinct.values())


@pytest.mark.parametrize("pattern", patterns.names())
@given(nodes=graphs(), process=KINDS, executor=EXECUTORS)
def test_every_node_is_placed_once_in_pods_with_valid_names(
    pattern: str, nodes: tuple[Node, ...], process: str, executor: str
) -> None:
    options = replace(OPTIONS, process=process, executor=executor)
    pods = patterns.load(pattern).place(nodes, options)
    assert sorted(placed_nodes(pods)) == sorted(node.name for node in nodes)
    for name in [n for pod in pods for n in (pod.name, pod.container.name)]:
        assert VALID_NAME.fullmatch(name)
    assert len({pod.name for pod in pods}) == len(pods)


@pytest.mark.parametrize("pattern", patterns.names())
@given(nodes=graphs())
def test_nodes_are_the_same_in_every_pattern(pattern: str, nodes: tuple[Node, ...]) -> None:
    """Same source, same parameters, same needs: the placement is the only variable."""
    placed = [node for pod in patterns.load(pattern).place(nodes, OPTIONS) for node in pod.nodes()]
    assert sorted(placed, key=lambda node: node.name) == sorted(nodes, key=lambda node: node.name)


@pytest.mark.parametrize("pattern", patterns.names())
def test_a_pattern_defines_itself_and_names_processes_once(pattern: str) -> None:
    module = patterns.load(pattern)
    assert len(str(module.__doc__).split()) > 8
    for pod in module.place(values.application().nodes, OPTIONS):
        processes = [process.name for process in pod.container.processes]
        assert len(set(processes)) == len(processes)


@pytest.mark.parametrize("pattern", patterns.names())
def test_a_placement_is_a_function_of_its_input(pattern: str) -> None:
    application = values.application()
    assert patterns.placement(pattern, application) == patterns.placement(pattern, application)


def one_pod(pattern: str, **options: str) -> Pod:
    application = values.application()
    known = replace(OPTIONS, images=application.images, **options)
    (pod,) = patterns.placement(pattern, application, known)
    return pod


def test_monolithic_is_one_pod_with_a_process_per_node() -> None:
    container = one_pod("monolithic").container
    assert [len(process.nodes) for process in container.processes] == [1, 1, 1, 1]
    assert (container.image, container.overlays, container.component_container) == ("application-monolithic", (), None)


def test_microservices_are_a_pod_and_an_image_per_node() -> None:
    pods = patterns.placement("microservices", values.application())
    assert [(pod.name, pod.container.image) for pod in pods] == [
        ("camera", "application-camera"),
        ("detector", "application-detector"),
        ("reader", "application-reader"),
        ("monitor", "application-monitor"),
    ]


@pytest.mark.parametrize(("process", "nodes"), [("per-component", [1, 1, 1, 1]), ("shared", [4])])
def test_composition_is_one_component_container_with_a_process_each_or_one(process: str, nodes: list[int]) -> None:
    container = one_pod("composition", process=process, executor="isolated").container
    assert [len(each.nodes) for each in container.processes] == nodes
    loader = container.component_container
    assert loader is not None
    assert (loader.name, loader.process, loader.executor) == ("perception", process, "isolated")


def test_overlay_is_monolithic_over_a_base() -> None:
    container = one_pod("overlay").container
    assert container.processes == one_pod("monolithic").container.processes
    assert container.image == "application-overlay-base"
    assert [overlay.image for overlay in container.overlays] == ["overlay-interfaces", "overlay-nodes"]


def refusal(pattern: str, node: Node | None = None, images: Images = perception.IMAGES) -> str:
    with pytest.raises(Refusal) as caught:
        patterns.load(pattern).place([node or values.node("camera")], Options(application="a", images=images))
    return str(caught.value)


@pytest.mark.parametrize("pattern", ["monolithic", "microservices", "overlay"])
def test_a_node_without_an_executable_is_refused_by_name(pattern: str) -> None:
    words = refusal(pattern, replace(values.node("camera"), command=()))
    assert words.startswith(f"pattern {pattern}: node camera has no executable")
    assert "ros2bench:spec.application.nodes.camera.executable" in words


def test_a_node_without_a_component_is_refused_by_name() -> None:
    words = refusal("composition", replace(values.node("camera"), component=None))
    assert words.startswith("pattern composition: node camera has no component")
    assert "nodes.camera.component with package and plugin" in words


def test_a_node_without_an_image_of_its_own_is_refused_by_name() -> None:
    words = refusal("microservices", replace(values.node("camera"), image=None))
    assert words.startswith("pattern microservices: node camera has no image of its own")


@pytest.mark.parametrize(
    ("pattern", "key"), [("monolithic", "monolithic"), ("composition", "composition"), ("overlay", "overlayBase")]
)
def test_an_application_without_the_patterns_image_is_refused_with_those_it_has(pattern: str, key: str) -> None:
    images = Images(monolithic=None if key == "monolithic" else "mine")
    words = refusal(pattern, images=images)
    assert f"the application has no image {key}" in words
    assert f"ros2bench:spec.application.images.{key}" in words
    assert ("The application has mine." in words) == (key != "monolithic")


def test_components_of_two_languages_are_refused() -> None:
    nodes = [
        values.node("camera"),
        replace(values.node("driver"), component=Component(package="p", plugin="p::Driver", language="cpp")),
    ]
    with pytest.raises(Refusal, match=r"two languages \(camera python, driver cpp\)"):
        patterns.load("composition").place(nodes, OPTIONS)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("", "the application has no overlay"),
        ("abcd", r"4 overlays \(a, b, c, d\) are more than 3. Each adds a look-up to every import"),
        ("aa", "two overlays have one name"),
    ],
)
def test_overlays_that_cannot_be_stacked_are_refused(names: str, words: str) -> None:
    overlays = tuple(Overlay(name=name, image=f"overlay-{name}") for name in names)
    assert re.search(words, refusal("overlay", images=Images(overlay_base="base", overlays=overlays)))


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
