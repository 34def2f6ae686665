"""What a machine holds of an application: what must go, what is left, what was pulled."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.image_contents import held, leftovers, pulled_bytes, to_remove
from probes.readers import ReaderSet
from probes.regimes import purge
from tests.probes.fake_readers import FakeContainerd, FakeReader, content_of

LAYERS = {"base": 100, "shared": 20, "own": 3}
CONTENT = content_of("app", LAYERS)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.regimes.SETTLE_S", 0.0)


def purged(containerd: FakeContainerd) -> str | None:
    readers = ReaderSet({"edge": FakeReader(containerd=containerd)}, {}, "boot", lambda _text: None)
    return asyncio.run(purge(readers, "edge", CONTENT))


def test_nothing_of_the_application_is_left_and_nothing_else_is_touched() -> None:
    containerd = FakeContainerd(downloads=["own"])
    containerd.pull("app", list(LAYERS))
    containerd.pull("other-pattern", ["base", "theirs"])
    containerd.pull("system", ["unrelated"])
    assert purged(containerd) is None
    assert leftovers(containerd.inventory(), CONTENT) == []
    assert set(containerd.images) == {"system"}
    assert {"unrelated", "chain-unrelated"} <= containerd.content | containerd.snapshots


def test_parts_without_an_image_are_found_too() -> None:
    containerd = FakeContainerd(content={"own"}, snapshots={"chain-base"}, downloads=["shared"])
    assert held(containerd.inventory(), CONTENT) == ["chain-base", "own", "shared"]
    assert purged(containerd) is None
    assert held(containerd.inventory(), CONTENT) == []


def test_what_is_in_use_stays_and_is_named() -> None:
    containerd = FakeContainerd(used=frozenset({"app"}))
    containerd.pull("app", list(LAYERS))
    problem = purged(containerd)
    assert problem is not None
    assert "edge keeps image app: running containers use it" in problem


def test_a_reader_without_a_socket_removes_nothing() -> None:
    readers = ReaderSet({"edge": FakeReader()}, {}, "boot", lambda _text: None)
    assert asyncio.run(purge(readers, "edge", CONTENT)) == "edge: no_image_access"


def test_pulled_bytes_count_what_came_and_nothing_that_was_there() -> None:
    before, after = FakeContainerd(), FakeContainerd()
    before.pull("other", ["base"])
    after.pull("other", ["base"])
    after.pull("app", list(LAYERS))
    assert pulled_bytes(before.inventory(), after.inventory(), CONTENT) == 20 + 3 + 7
    assert pulled_bytes(after.inventory(), after.inventory(), CONTENT) == 0


def test_a_layer_whose_content_was_thrown_away_after_unpacking_was_pulled_all_the_same() -> None:
    after = FakeContainerd()
    after.pull("app", list(LAYERS))
    after.content -= {"base", "own"}
    assert pulled_bytes(FakeContainerd().inventory(), after.inventory(), CONTENT) == 123 + 7


@given(st.sets(st.sampled_from(sorted(LAYERS))), st.sets(st.sampled_from(sorted(LAYERS))), st.booleans())
def test_a_purge_of_anything_leaves_nothing(content: set[str], unpacked: set[str], has_image: bool) -> None:
    containerd = FakeContainerd(content=set(content), snapshots={f"chain-{layer}" for layer in unpacked})
    if has_image:
        containerd.pull("app", list(LAYERS))
    assert purged(containerd) is None
    assert to_remove(containerd.inventory(), CONTENT) == []
