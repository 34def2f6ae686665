"""Composition: one component container, into which the nodes are loaded as classes and unloaded again at run time.

One pod and one image; a node can be exchanged while the others run. `process: per-component` gives each node a
process, so that none starves another; `shared` puts all into one, turned by one or several executors.
"""

from collections.abc import Mapping, Sequence

from components.graph import ComponentContainer, Container, Language, Node, Pod, Process, object_name
from components.patterns import NODES, Options, needed_application_image, needed_component
from components.refusal import Refusal


def place(nodes: Sequence[Node], options: Options) -> tuple[Pod, ...]:
    """All nodes in one component container of one pod, in a process each or in one together."""
    image = needed_application_image("composition", options.images, "composition", options.images.composition)
    language = _one_language({node.name: needed_component("composition", node).language for node in nodes})
    name = object_name(options.application)
    shared = options.process == "shared"
    processes = (
        (Process(name=name, nodes=tuple(nodes)),)
        if shared
        else tuple(Process(name=node.name, nodes=(node,)) for node in nodes)
    )
    container = Container(
        name=name,
        image=image,
        processes=processes,
        component_container=ComponentContainer(
            name=name.replace("-", "_"), process=options.process, executor=options.executor, language=language
        ),
    )
    return (Pod(name=name, container=container),)


def _one_language(languages: Mapping[str, Language]) -> Language:
    """Language of all components; a container loads one."""
    found = set(languages.values())
    if len(found) > 1:
        said = ", ".join(f"{name} {language}" for name, language in languages.items())
        raise Refusal(
            f"pattern composition: the components are written in two languages ({said}), and a component container "
            f"loads one. Give those of the other language an executable and choose pattern: microservices, or write "
            f"{NODES}.NAME.component.language"
        )
    return found.pop()
