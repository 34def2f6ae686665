"""What every store promises, whatever it is made of. Each check gets a store of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from probes.errors import ExitCode, RecordConflict, StoreUnavailable
from probes.store import Store

RUN = "runs/schema=1/date=2026-01-31/pattern=overlay/run=01a1fe1d-c144-7d62-9047-ae094b6d73df/"
KEY = f"{RUN}manifest.json"
WRITERS = 8
OpenStore = Callable[[], Store]


def it_gives_back_what_it_was_given(open_store: OpenStore) -> None:
    store = open_store()
    store.check()
    for name, payload in (("empty", b""), ("manifest.json", b"{}"), ("samples.parquet", bytes(range(256)) * 16)):
        assert store.put(RUN + name, payload) == "read_back"
        assert open_store().get(RUN + name) == payload


def the_same_again_is_a_success(open_store: OpenStore) -> None:
    open_store().put(KEY, b"content")
    assert open_store().put(KEY, b"content") == "read_back"


def other_bytes_are_a_conflict_and_change_nothing(open_store: OpenStore) -> None:
    open_store().put(KEY, b"content")
    for other in (b"another", b"", b"content" * 1000):
        with pytest.raises(RecordConflict, match="exists with other bytes") as caught:
            open_store().put(KEY, other)
        assert caught.value.exit_code == ExitCode.CONFLICT
    assert open_store().get(KEY) == b"content"


def what_is_not_there_is_named(open_store: OpenStore) -> None:
    store = open_store()
    store.check()
    with pytest.raises(StoreUnavailable) as caught:
        store.get(KEY)
    assert caught.value.reason == "object_missing"


def keys_are_listed_below_a_prefix(open_store: OpenStore) -> None:
    store = open_store()
    assert store.list("runs/schema=1/") == ()
    names = [f"runs/schema=1/date=2026-01-0{day}/run=a b+ü{day}/manifest.json" for day in range(1, 6)]
    for name in reversed(names):
        store.put(name, name.encode())
    assert store.list("runs/schema=1/") == tuple(names)
    assert store.list("runs/schema=1/date=2026-01-02/") == (names[1],)
    assert store.list("runs/schema=1/date=2026-01-0") == tuple(names)
    assert store.list("compacted/") == ()
    assert [store.get(name).decode() for name in names] == names


def large_objects_go_the_same_way(open_store: OpenStore) -> None:
    """Larger than a part: in an S3 store it is sent in parts."""
    payload = bytes(range(251)) * 27
    assert open_store().put(KEY, payload) == "read_back"
    assert open_store().put(KEY, payload) == "read_back"
    with pytest.raises(RecordConflict):
        open_store().put(KEY, payload[:-1] + b"?")
    assert open_store().get(KEY) == payload


def of_many_writers_of_different_bytes_one_wins(open_store: OpenStore) -> None:
    """Nobody is told of a success that another one overwrote."""
    together = threading.Barrier(WRITERS)
    for race in range(3):
        key = f"{RUN}race-{race}"

        def write(number: int, key: str = key) -> int | None:
            store = open_store()
            store.check()
            together.wait()
            try:
                store.put(key, f"bytes of writer {number}".encode())
            except RecordConflict:
                return None
            return number

        with ThreadPoolExecutor(WRITERS) as pool:
            won = [number for number in pool.map(write, range(WRITERS)) if number is not None]
        assert len(won) == 1
        assert open_store().get(key) == f"bytes of writer {won[0]}".encode()


def many_writers_of_the_same_bytes_all_succeed(open_store: OpenStore) -> None:
    together = threading.Barrier(WRITERS)

    def write(_: int) -> Any:
        store = open_store()
        together.wait()
        return store.put(KEY, b"the same bytes")

    with ThreadPoolExecutor(WRITERS) as pool:
        assert set(pool.map(write, range(WRITERS))) == {"read_back"}


alone: tuple[Callable[[OpenStore], None], ...] = (
    it_gives_back_what_it_was_given,
    the_same_again_is_a_success,
    other_bytes_are_a_conflict_and_change_nothing,
    what_is_not_there_is_named,
    keys_are_listed_below_a_prefix,
    large_objects_go_the_same_way,
)
races: tuple[Callable[[OpenStore], None], ...] = (
    of_many_writers_of_different_bytes_one_wins,
    many_writers_of_the_same_bytes_all_succeed,
)
each_promise = pytest.mark.parametrize("promise", [*alone, *races], ids=lambda promise: promise.__name__)
