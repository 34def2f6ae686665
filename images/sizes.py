"""What the images weigh: what each has for itself and what it shares with others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

Layers = Sequence[tuple[str, int]]
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """What one image weighs.

    Attributes:
        role: the image.
        layers: how many it has.
        own_bytes: in layers that no other image has.
        shared_bytes: in layers that another image has too.
    """

    role: str
    layers: int
    own_bytes: int
    shared_bytes: int


def sizes(images: Mapping[str, Layers]) -> list[Size]:
    """Own and shared bytes of each image among the given ones.

    Args:
        images: digest and bytes of the layers of each role.
    """
    users = Counter(digest for layers in images.values() for digest, _ in set(layers))
    return [
        Size(
            role,
            len(layers),
            sum(size for digest, size in set(layers) if users[digest] == 1),
            sum(size for digest, size in set(layers) if users[digest] > 1),
        )
        for role, layers in images.items()
    ]


def size_table(images: Mapping[str, Layers], title: str) -> Table:
    """The same as a table for people, with what all of them take together."""
    table = Table("image", "layers", "own MiB", "shared MiB", title=title, title_justify="left")
    for size in sizes(images):
        table.add_row(size.role, str(size.layers), _mebibytes(size.own_bytes), _mebibytes(size.shared_bytes))
    different = {digest: size for layers in images.values() for digest, size in layers}
    table.add_section()
    table.add_row("all together", str(len(different)), _mebibytes(sum(different.values())), "")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / MEBIBYTE:.2f}"
