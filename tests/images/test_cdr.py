"""Offsets of the stamp in serialised messages."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

cdr = module("ros2bench_recorder.cdr")

SECONDS = st.integers(0, 2**31 - 1)
NANOSECONDS = st.integers(0, 10**9 - 1)
LITTLE, BIG = b"\x00\x01\x00\x00", b"\x00\x00\x00\x00"


@given(SECONDS, NANOSECONDS, st.integers(0, 2**63 - 1), SECONDS, NANOSECONDS, st.binary(max_size=40))
def test_fields_lie_where_the_contract_says(
    intended_s: int, intended_ns: int, frame_number: int, published_s: int, published_ns: int, rest: bytes
) -> None:
    message = bytearray(28) + rest
    message[0:4] = LITTLE
    struct.pack_into("<i", message, 4, intended_s)
    struct.pack_into("<I", message, 8, intended_ns)
    struct.pack_into("<Q", message, 12, frame_number)
    struct.pack_into("<i", message, 20, published_s)
    struct.pack_into("<I", message, 24, published_ns)
    expected = (frame_number, intended_s * 10**9 + intended_ns, published_s * 10**9 + published_ns)
    assert cdr.read_ros2bench(bytes(message)) == expected
    assert cdr.read_header(bytes(message)) == (-1, expected[1], -1)


def test_big_endian_messages_are_read_as_well() -> None:
    message = BIG + struct.pack(">iIQiI", 5, 6, 7, 8, 9)
    assert cdr.read_ros2bench(message) == (7, 5_000_000_006, 8_000_000_009)


@pytest.mark.parametrize("reader", ["read_ros2bench", "read_header"])
@given(message=st.binary(max_size=11))
def test_short_message_is_an_error_of_one_kind(reader: str, message: bytes) -> None:
    with pytest.raises(ValueError, match=f"{len(message)} bytes"):
        getattr(cdr, reader)(message)


def test_message_without_stamp_says_nothing() -> None:
    assert cdr.READERS["none"](b"") == (-1, -1, -1)
