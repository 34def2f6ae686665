"""The machine reader's own gRPC: its wire format, and calls to a server of the reference implementation."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

grpc_channel = module("ros2bench_machine_reader.grpc_channel")
protobuf = module("ros2bench_machine_reader.protobuf")

NUMBERS = st.integers(0, 2**64 - 1)
FIELDS = st.lists(st.tuples(st.integers(1, 2**29 - 1), NUMBERS | st.binary() | st.text()), max_size=20)


@given(fields=FIELDS)
def test_what_is_encoded_is_decoded(fields: list[tuple[int, Any]]) -> None:
    found = protobuf.decode(protobuf.encode(fields))
    wanted: dict[int, list[Any]] = {}
    for number, value in fields:
        wanted.setdefault(number, []).append(value.encode() if isinstance(value, str) else value)
    assert found == wanted


@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = protobuf.decode(data)
    except protobuf.WireError:
        return
    assert all(isinstance(value, int | bytes) for values in found.values() for value in values)


def test_messages_as_protoc_writes_them() -> None:
    """Field 1 = 150, field 2 = "testing" and field 3 = {1: 150}, from the format's own description."""
    message = protobuf.decode(bytes.fromhex("089601120774657374696e671a03089601"))
    assert protobuf.number(message, 1) == 150
    assert protobuf.text(message, 2) == "testing"
    assert [protobuf.number(inner, 1) for inner in protobuf.messages(message, 3)] == [150]
    assert protobuf.number(protobuf.decode(bytes.fromhex("08ffffffffffffffffff01")), 1) == -1
    assert protobuf.number(protobuf.decode(bytes.fromhex("0d07000000")), 1) == 7
    assert protobuf.text({}, 9) == ""
    assert protobuf.number({}, 9) == 0
    entry = protobuf.encode([(1, "key"), (2, "value")])
    assert protobuf.text_map(protobuf.decode(protobuf.encode([(5, entry)])), 5) == {"key": "value"}


@pytest.mark.parametrize("data", ["08", "0aff", "0a05ab", "0b", "08ffffffffffffffffffff01", "0d0700"])
def test_what_is_cut_off_is_refused(data: str) -> None:
    with pytest.raises(protobuf.WireError):
        protobuf.decode(bytes.fromhex(data))


@pytest.mark.parametrize("data", [b"\0\0\0", b"\0\0\0\0\5abc", b"\1\0\0\0\1a"])
def test_a_body_that_holds_no_messages_is_refused(data: bytes) -> None:
    with pytest.raises(protobuf.WireError):
        grpc_channel.split_messages(data)


class Service(grpc.GenericRpcHandler):
    """Answers every method by a function of the request and the context."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}

    def service(self, handler_call_details: Any) -> Any:
        """Choose the function of a method."""
        self.metadata = dict(handler_call_details.invocation_metadata)
        methods: dict[str, Any] = {
            "/test.Test/Echo": grpc.unary_unary_rpc_method_handler(_echo),
            "/test.Test/Stream": grpc.unary_stream_rpc_method_handler(_stream),
            "/test.Test/Refuse": grpc.unary_unary_rpc_method_handler(_refuse),
            "/test.Test/Sleep": grpc.unary_unary_rpc_method_handler(_sleep),
        }
        return methods.get(handler_call_details.method)


def _echo(request: bytes, _: Any) -> bytes:
    return request


def _stream(request: bytes, _: Any) -> Iterator[bytes]:
    for number in range(int(request)):
        yield bytes([number % 256]) * 70_000


def _refuse(_request: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, 'content "sha256:ä" was not found: 100 %')
    return b""


def _sleep(_request: bytes, context: Any) -> bytes:
    while context.is_active():
        time.sleep(0.02)
    return b""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Service]]:
    """A server on a unix socket."""
    service = Service()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[service])
    path = tmp_path / "grpc.sock"
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield path, service
    finally:
        server.stop(None).wait()


def test_calls_one_after_another_on_one_connection(served: tuple[Path, Service]) -> None:
    path, service = served
    with closing(grpc_channel.Channel(path)) as channel:
        assert channel.call("/test.Test/Echo", b"first", {"containerd-namespace": "k8s.io"}) == [b"first"]
        assert service.metadata["containerd-namespace"] == "k8s.io"
        assert channel.call("/test.Test/Echo", b"x" * 60_000) == [b"x" * 60_000]
        assert channel.call("/test.Test/Echo", b"") == [b""]
        assert channel.call("/test.Test/Stream", b"0") == []


def test_an_answer_that_is_larger_than_every_window(served: tuple[Path, Service]) -> None:
    with closing(grpc_channel.Channel(served[0])) as channel:
        found = channel.call("/test.Test/Stream", b"300")
        assert len(found) == 300
        assert all(message == bytes([number % 256]) * 70_000 for number, message in enumerate(found))
        assert channel.call("/test.Test/Echo", b"still there") == [b"still there"]


def test_a_refusal_has_its_code_and_its_sentence(served: tuple[Path, Service]) -> None:
    with closing(grpc_channel.Channel(served[0])) as channel:
        with pytest.raises(grpc_channel.GrpcError, match='"sha256:ä" was not found: 100 %') as refused:
            channel.call("/test.Test/Refuse", b"")
        assert refused.value.code == grpc_channel.NOT_FOUND
        with pytest.raises(grpc_channel.GrpcError) as refused:
            channel.call("/test.Test/Unknown", b"")
        assert refused.value.code == grpc_channel.UNIMPLEMENTED
        assert channel.call("/test.Test/Echo", b"still there") == [b"still there"]


def test_a_server_that_hangs_is_given_up(served: tuple[Path, Service]) -> None:
    with (
        closing(grpc_channel.Channel(served[0], timeout_s=0.2)) as channel,
        pytest.raises(grpc_channel.GrpcError, match=r"no answer in 0\.2 s") as refused,
    ):
        channel.call("/test.Test/Sleep", b"")
    assert refused.value.code == grpc_channel.UNAVAILABLE


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(grpc_channel.GrpcError, match="No such file"):
        grpc_channel.Channel(tmp_path / "none.sock")
