"""Run identifiers are UUIDs of version 7 that sort by time and carry it."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from probes.run_id import created_at, new_run_id

TIMES = st.integers(0, (2**48 - 1) * 1_000_000).filter(lambda now: now < 253402300799 * 10**9)


@given(TIMES, st.integers(0, 2**74 - 1))
def test_version_variant_and_time(now_ns: int, random_bits: int) -> None:
    run_id = new_run_id(now_ns, random_bits)
    parsed = uuid.UUID(run_id)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert round(created_at(run_id).timestamp() * 1000) == now_ns // 1_000_000


@given(TIMES, TIMES, st.integers(0, 2**74 - 1), st.integers(0, 2**74 - 1))
def test_later_sorts_later(first_ns: int, second_ns: int, one: int, other: int) -> None:
    if first_ns // 1_000_000 < second_ns // 1_000_000:
        assert new_run_id(first_ns, one) < new_run_id(second_ns, other)


def test_identifiers_differ() -> None:
    assert len({new_run_id() for _ in range(1000)}) == 1000
