"""What the ROS graph says of the topics that are watched and of the nodes that should be there."""

from collections.abc import Collection, Iterable, Mapping, Sequence

# A graph of many short-lived nodes must not become a series for each.
MOST_OTHERS = 100


def nodes_up(expected: Sequence[str], found: Collection[str]) -> Mapping[str, bool]:
    """Whether each node is there.

    Args:
        expected: names that the stack gives, without their namespace.
        found: full names of the nodes in the graph.

    Returns:
        The expected ones as `/name`, whatever namespace the application gives them; then the others
        of the graph by their full names, without those that ROS hides (`_name`), a hundred at most.
    """
    short = {name.rpartition('/')[2] for name in found}
    up = {f'/{name.lstrip("/")}': name.rpartition('/')[2] in short for name in expected}
    wanted = {name.rpartition('/')[2] for name in expected}
    return {**up, **dict.fromkeys(_others(found, wanted), True)}


def _others(found: Iterable[str], wanted: Collection[str]) -> Sequence[str]:
    others = (
        name
        for name in sorted(found)
        if not name.rpartition('/')[2].startswith('_') and name.rpartition('/')[2] not in wanted
    )
    return [name for _, name in zip(range(MOST_OTHERS), others, strict=False)]
