"""Overlay: an immutable base image, and the application as small workspaces mounted over it, read-only.

Processes are as in monolithic; what differs is how the code arrives: changing one package changes one small image,
and the base stays where it is.
"""

from collections.abc import Sequence

from components.graph import Container, Node, Overlay, Pod, Process, object_name
from components.patterns import IMAGES, Options, needed_application_image, needed_command
from components.refusal import Refusal

DEPTH_LIMIT = 3


def place(nodes: Sequence[Node], options: Options) -> tuple[Pod, ...]:
    """All nodes in one container of one pod, each in a process of its own, over the base and its overlays."""
    image = needed_application_image("overlay", options.images, "overlayBase", options.images.overlay_base)
    processes = tuple(Process(name=node.name, command=needed_command("overlay", node), nodes=(node,)) for node in nodes)
    name = object_name(options.application)
    container = Container(name=name, image=image, processes=processes, overlays=_stacked(options.images.overlays))
    return (Pod(name=name, container=container),)


def _stacked(overlays: Sequence[Overlay]) -> tuple[Overlay, ...]:
    """The overlays from the base upwards, if they can be stacked."""
    if not overlays:
        raise Refusal(
            f"pattern overlay: the application has no overlay. Write {IMAGES}.overlays: a list of name and image, "
            "from the base upwards"
        )
    names = [overlay.name for overlay in overlays]
    if len(overlays) > DEPTH_LIMIT:
        raise Refusal(
            f"pattern overlay: {len(overlays)} overlays ({', '.join(names)}) are more than {DEPTH_LIMIT}. Each adds a "
            "look-up to every import, a pull to every start and a layer in which a package can be shadowed unnoticed. "
            f"Merge the workspaces that change together, then shorten {IMAGES}.overlays"
        )
    if len(set(names)) != len(names):
        raise Refusal(
            f"pattern overlay: two overlays have one name: {', '.join(names)}. Each is mounted under its name; "
            f"rename one in {IMAGES}.overlays"
        )
    return tuple(overlays)
