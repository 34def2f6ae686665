"""What the machine reader's network partner answers, and to whom; what a probe may ask; what a step tells."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.images.in_cluster import module

network_partner = module("ros2bench_machine_reader.network_partner")
network_probe = module("ros2bench_machine_reader.network_probe")
datagram = module("ros2bench_machine_reader.probe_datagram")
routing = module("ros2bench_machine_reader.routing")

NONCE = bytes(range(16))
PROBE: dict[str, Any] = {"nonce": NONCE.hex(), "peer": "198.51.100.7", "port": 8091, "mode": "rtt", "bytes": 128}


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def partner(clock: Clock) -> Any:
    made = network_partner.Partner(clock, lambda: 5_000)
    made.announce(NONCE, 10.0)
    return made


def arrival(*datagrams: bytes, arrived_ns: int = 1_000, dropped: int = 0) -> Any:
    return datagram.Arrival(("198.51.100.9", 4000), datagrams, arrived_ns, dropped)


def head(kind: int, stream: int = 1, sequence: int = 0, nonce: bytes = NONCE) -> Any:
    return datagram.Datagram(nonce, kind, stream, sequence)


def test_an_echo_has_the_size_of_its_datagram_and_says_how_long_it_took(partner: Any) -> None:
    asked = head(datagram.ECHO, sequence=7).packed(200)
    (answer,) = partner.answers(arrival(asked))
    assert len(answer) == 200
    found = datagram.parse_head(answer)
    assert (found.kind, found.sequence, found.turnaround_ns) == (datagram.ECHOED, 7, 4_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        bytes(200),
        datagram.Datagram(b"n" * 16, datagram.ECHO).packed(200),
        datagram.Datagram(NONCE, 99).packed(200),
        datagram.Datagram(NONCE, datagram.ECHOED).packed(200),
    ],
)
def test_nothing_is_answered_that_was_not_announced(partner: Any, data: bytes) -> None:
    assert partner.answers(arrival(data)) == []


def test_nothing_is_answered_later_than_announced_or_beyond_the_volume(partner: Any, clock: Clock) -> None:
    asked = head(datagram.ECHO).packed(200)
    clock.now_s += 9.9
    assert partner.answers(arrival(asked))
    clock.now_s += 0.2
    assert partner.answers(arrival(asked)) == []
    partner.announce(NONCE, 10.0)
    partner._announced[NONCE].echo_bytes_left = 250
    assert [len(partner.answers(arrival(asked))) for _ in range(3)] == [1, 0, 0]


def test_no_more_numbers_are_kept_than_agreed(partner: Any, clock: Clock) -> None:
    for number in range(network_partner.MOST_NONCES - 1):
        partner.announce(number.to_bytes(16, "big"), 10.0)
    with pytest.raises(routing.CallRefused) as refused:
        partner.announce(b"z" * 16, 10.0)
    assert refused.value.status == 409
    clock.now_s += 11
    partner.announce(b"z" * 16, 10.0)


def test_what_arrives_is_counted_by_stream_joined_or_not(partner: Any) -> None:
    long, short = head(datagram.SINK).packed(1400), head(datagram.SINK).packed(500)
    assert partner.answers(arrival(long, long, long, short, arrived_ns=10, dropped=5)) == []
    assert partner.answers(arrival(long, arrived_ns=30, dropped=7)) == []
    assert partner.answers(arrival(head(datagram.SINK, stream=2).packed(1400), arrived_ns=40)) == []
    (answer,) = partner.answers(arrival(head(datagram.REPORT).packed()))
    counts = datagram.Counts._make(datagram.COUNTS.unpack_from(answer, datagram.HEADER.size))
    assert counts == (5, 4 * 1400 + 500, 10, 30, 2)
    assert len(answer) == datagram.LEAST_BYTES
    answers = partner.answers(arrival(long, head(datagram.REPORT).packed(), arrived_ns=50))
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nonce": "xyz"}, "32 hexadecimal digits"),
        ({"nonce": 5}, "32 hexadecimal digits"),
        ({"peer": "::1"}, "peer:"),
        ({"peer": "edge"}, "peer:"),
        ({"port": 0}, "port is 0"),
        ({"mode": "ping"}, "mode is 'ping'"),
        ({"bytes": 10}, "bytes is 10"),
        ({"bytes": 70_000}, "bytes is 70000"),
        ({"count": 0}, "count is 0"),
        ({"count": 1.5}, "count is 1.5"),
        ({"interval_s": -1}, "interval_s is -1"),
        ({"count": 100_000, "interval_s": 1}, "more than 300 s"),
        ({"mode": "bandwidth"}, "needs seconds"),
        ({"mode": "bandwidth", "seconds": 1e6}, "seconds is 1000000.0"),
    ],
)
def test_a_probe_that_makes_no_sense_is_refused_by_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(routing.CallRefused) as refused:
        network_probe.parse_probe(PROBE | {"count": 10, "interval_s": 0.1} | change)
    assert refused.value.status == 400
    assert said in str(refused.value)


def test_a_probe_of_round_trips_needs_count_and_interval() -> None:
    with pytest.raises(routing.CallRefused, match="mode rtt needs count, interval_s"):
        network_probe.parse_probe(PROBE)


def step(**changed: Any) -> Any:
    plain = {"wanted_bytes_per_s": 1e6, "sent_bytes_per_s": 1e6, "received_bytes_per_s": 1e6, "lost_ratio": 0.0}
    return network_probe.Step(**plain | {"receiver_dropped": 0} | changed)


@pytest.mark.parametrize(
    ("changed", "ended"),
    [
        ({}, None),
        ({"lost_ratio": 0.005}, None),
        ({"lost_ratio": 0.02}, "network"),
        ({"lost_ratio": 0.02, "receiver_dropped": 3}, "receiver"),
        ({"received_bytes_per_s": 5e5}, "network"),
        ({"sent_bytes_per_s": 5e5, "received_bytes_per_s": 5e5}, "sender"),
    ],
)
def test_what_limits_a_step(changed: Mapping[str, Any], ended: str | None) -> None:
    assert network_probe.what_ended(step(**changed)) == ended


def test_nothing_that_arrived_is_no_bandwidth() -> None:
    assert network_probe.best_bytes_per_s([step(received_bytes_per_s=0.0)]) is None
    assert network_probe.best_bytes_per_s([step(), step(received_bytes_per_s=2e6)]) == 2e6


def test_a_probe_and_its_partner_on_this_machine() -> None:
    partner = network_partner.Partner()
    partner.announce(NONCE, 60.0)
    with datagram.open_socket() as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
    server = network_partner.Server(partner, port)
    server.start()
    try:
        here = PROBE | {"peer": "127.0.0.1", "port": port}
        found = network_probe.probe(network_probe.parse_probe(here | {"count": 50, "interval_s": 0.001}))
        assert found["sent"] == found["received"] == len(found["rtt_ns"]) == 50
        assert all(0 < trip < 1e8 for trip in found["rtt_ns"])
        strange = here | {"nonce": "ff" * 16, "count": 2, "interval_s": 0.0}
        network_probe.ANSWER_LIMIT_S, kept = 0.1, network_probe.ANSWER_LIMIT_S
        try:
            silent = network_probe.probe(network_probe.parse_probe(strange))
        finally:
            network_probe.ANSWER_LIMIT_S = kept
        assert (silent["sent"], silent["received"], silent["rtt_ns"]) == (2, 0, [])
    finally:
        server.stop()
