"""Rules of network faults that need no network: what is asked for, which way packets take, what becomes of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

fault_path = module("ros2bench_machine_reader.fault_path")
fault_plan = module("ros2bench_machine_reader.fault_plan")
packet_queue = module("ros2bench_machine_reader.packet_queue")

BODY: dict[str, Any] = {"fault": "f1", "from": ["198.51.100.0/25"], "to": ["198.51.100.128/25"], "max_s": 60}
MILLISECOND = 1_000_000


def plan(**changed: Any) -> Any:
    return fault_plan.parse_plan(BODY | changed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fault": ""}, "fault is ''"),
        ({"fault": "a b"}, "fault is 'a b'"),
        ({"from": []}, "from must be a list"),
        ({"from": "198.51.100.0/25"}, "from must be a list"),
        ({"from": ["198.51.100.1/25"]}, "has host bits set"),
        ({"from": ["0.0.0.0/0"]}, "is everything"),
        ({"to": ["2001:db8::/64"]}, "wanted is one like 198.51.100.0/24"),
        ({"to": [5.5]}, "to:"),
        ({"max_s": 0}, "max_s is 0"),
        ({"max_s": 1e9}, "max_s is 1000000000.0"),
        ({"delay_s": -1}, "delay_s is -1"),
        ({"delay_s": float("nan")}, "delay_s is nan"),
        ({"delay_s": True}, "delay_s is True"),
        ({"delay_s": "5ms"}, "delay_s is '5ms'"),
        ({"jitter_s": 0.1}, "at most delay_s"),
        ({"loss_ratio": 1.5}, "loss_ratio is 1.5"),
        ({"rate_bytes_per_s": 10}, "rate_bytes_per_s is 10"),
        ({"reorder_ratio": 0.1}, "needs a delay_s"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_by_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(fault_plan.PlanError) as refused:
        fault_plan.parse_plan(BODY | change)
    assert said in str(refused.value)


def test_a_plan_survives_the_way_to_the_process_that_holds_it() -> None:
    made = plan(delay_s=0.02, jitter_s=0.001, loss_ratio=0.1, rate_bytes_per_s=5000.0, reorder_ratio=0.2, seed=9)
    assert fault_plan.plan_of_json(made.as_json()) == made


def test_packets_are_led_in_last_and_let_out_first() -> None:
    commands = fault_path.entry_commands(plan(), fault_path.RELAY_LINK, None)
    assert commands[-1] == (
        "ip", "rule", "add", "pref", "42", "from", "198.51.100.0/25", "to", "198.51.100.128/25", "lookup", "7250",
        "protocol", "217",
    )  # fmt: skip
    assert sum("42" in command for command in commands) == 1
    rules = [{"priority": priority, "protocol": "217"} for priority in (41, 42, 42, 43)]
    others = [{"priority": 0, "table": "local"}, {"priority": 42, "protocol": "bgp"}, {"priority": 32766}]
    removed = fault_path.rule_removals([*others, *rules])
    assert [command[4] for command in removed] == ["42", "42", "41", "43"]
    assert all(command[-1] == "217" for command in removed)


def test_the_machine_s_own_packets_are_led_in_only_where_its_address_is_meant() -> None:
    routes = [{"dst": "198.51.100.130", "dev": "eth0", "prefsrc": "192.0.2.7"}]
    address = fault_path.own_address(routes)
    assert not any("lo" in each for each in fault_path.entry_commands(plan(), fault_path.RELAY_LINK, address))
    own = fault_path.entry_commands(plan(**{"from": ["192.0.2.7/32"]}), fault_path.RELAY_LINK, address)
    assert any(each[5:7] == ("iif", "lo") for each in own)
    assert any(each[:3] == ("ip", "route", "add") and each[-2:] == ("src", "192.0.2.7") for each in own)
    assert fault_path.ways_out([*routes, {"dev": "r2bfault"}]) == ["eth0"]


def test_netem_gets_what_was_asked_for() -> None:
    made = plan(delay_s=0.02, jitter_s=0.001, loss_ratio=0.01, rate_bytes_per_s=1e6, reorder_ratio=0.1, seed=4)
    assert " ".join(fault_path.netem_command(made, seeded=True)) == (
        "tc qdisc replace dev r2bfault root netem limit 20000 delay 20000us 1000us loss random 1.000000% "
        "reorder 10.000000% rate 8000000bit seed 4"
    )
    assert "seed" not in fault_path.netem_command(made, seeded=False)
    assert "delay" not in fault_path.netem_command(plan(loss_ratio=0.1), seeded=False)


def drained(queue: Any) -> list[tuple[int, bytes]]:
    """Every packet with the time at which it goes on."""
    found: list[tuple[int, bytes]] = []
    while (due_ns := queue.due_ns) is not None:
        assert queue.pop(due_ns - 1) is None
        found.append((due_ns, queue.pop(due_ns)))
    return found


@given(
    arrivals=st.lists(st.integers(0, 10**9), min_size=1, max_size=200),
    delay_ms=st.integers(0, 100),
    jitter_ms=st.integers(0, 100),
    loss_ratio=st.floats(0, 1),
    reorder_ratio=st.floats(0, 1),
    seed=st.integers(0, 2**62),
)
def test_every_packet_is_sent_lost_or_counted_and_none_too_early_or_twice(
    arrivals: list[int], delay_ms: int, jitter_ms: int, loss_ratio: float, reorder_ratio: float, seed: int
) -> None:
    jitter_ms = min(jitter_ms, delay_ms)
    made = fault_plan.FaultPlan(
        "f", (), (), 1.0, delay_ms / 1e3, jitter_ms / 1e3, loss_ratio, None, reorder_ratio if delay_ms else 0.0, seed
    )
    queue = packet_queue.PacketQueue(made)
    for number, arrived_ns in enumerate(sorted(arrivals)):
        queue.add(number.to_bytes(4, "big"), arrived_ns)
    sent = drained(queue)
    counts = queue.counts
    assert counts.seen == len(arrivals) == counts.lost + len(sent)
    assert counts.lost == packet_queue.lost_among(made, len(arrivals))
    numbers = [int.from_bytes(packet, "big") for _, packet in sent]
    assert len(set(numbers)) == len(numbers)
    low_ns, high_ns = (delay_ms - jitter_ms) * MILLISECOND, (delay_ms + jitter_ms) * MILLISECOND
    waits_ns = [due_ns - sorted(arrivals)[number] for (due_ns, _), number in zip(sent, numbers, strict=True)]
    assert all(wait_ns == 0 or low_ns - 2 <= wait_ns <= high_ns + 2 for wait_ns in waits_ns)
    if low_ns:
        assert waits_ns.count(0) == counts.reordered


@given(sizes=st.lists(st.integers(20, 1500), min_size=2, max_size=100), rate=st.floats(1e3, 1e9))
def test_a_rate_spaces_packets_by_their_size_and_keeps_their_order(sizes: list[int], rate: float) -> None:
    queue = packet_queue.PacketQueue(fault_plan.FaultPlan("f", (), (), 1.0, rate_bytes_per_s=rate))
    for number, size in enumerate(sizes):
        queue.add(number.to_bytes(4, "big").ljust(size, b"\0"), 0)
    sent = drained(queue)
    assert [int.from_bytes(packet[:4], "big") for _, packet in sent] == list(range(len(sizes)))
    assert sent[-1][0] == pytest.approx(sum(sizes) / rate * 1e9, rel=1e-6, abs=2)


def test_what_a_rate_or_the_memory_cannot_take_is_counted() -> None:
    queue = packet_queue.PacketQueue(fault_plan.FaultPlan("f", (), (), 1.0, rate_bytes_per_s=1e6))
    packet = bytes(60_000)
    for _ in range(300):
        queue.add(packet, 0)
    waiting = packet_queue.LONGEST_BACKLOG_BYTES // 60_000 + 1
    assert queue.counts.overflowed == 300 - waiting
    assert len(queue.pop_all()) == waiting
    assert queue.pop_all() == []


def test_what_is_lost_at_one_percent_is_lost_at_ten() -> None:
    lost: list[set[int]] = []
    for ratio in (0.01, 0.1):
        queue = packet_queue.PacketQueue(fault_plan.FaultPlan("f", (), (), 1.0, loss_ratio=ratio, seed=11))
        for number in range(5000):
            queue.add(number.to_bytes(4, "big"), 0)
        lost.append(set(range(5000)) - {int.from_bytes(packet, "big") for packet in queue.pop_all()})
    assert lost[0] < lost[1]
    assert abs(len(lost[1]) / 5000 - 0.1) < 0.02
