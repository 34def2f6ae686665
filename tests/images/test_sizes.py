"""What images weigh, alone and together."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from images.sizes import size_table, sizes

LAYERS = {"one": [("a", 10), ("b", 5)], "two": [("a", 10), ("c", 7)], "three": [("d", 1), ("d", 1)]}


def test_shared_is_what_another_image_has_too() -> None:
    told = {size.role: (size.layers, size.own_bytes, size.shared_bytes) for size in sizes(LAYERS)}
    assert told == {"one": (2, 5, 10), "two": (2, 7, 10), "three": (2, 1, 0)}


@given(st.dictionaries(st.sampled_from("xyz"), st.sets(st.integers(0, 5), max_size=4)))
def test_own_bytes_and_shared_layers_make_up_everything(held: dict[str, set[int]]) -> None:
    images = {role: [(str(number), number + 1) for number in numbers] for role, numbers in held.items()}
    everything = sum(number + 1 for number in set[int]().union(*held.values()))
    told = sizes(images)
    assert sum(size.own_bytes for size in told) <= everything
    assert all(size.own_bytes + size.shared_bytes == sum(n for _, n in images[size.role]) for size in told)


def test_table_ends_with_each_layer_counted_once() -> None:
    shown = io.StringIO()
    mebi = 1024 * 1024
    Console(file=shown, width=100).print(size_table({"one": [("a", mebi)], "two": [("a", mebi)]}, "title"))
    assert "1.00" in shown.getvalue()
    assert shown.getvalue().splitlines()[-2].split("│")[1:4][0].strip() == "all together"
