"""Network faults as the runner makes them: proved, held, removed whatever happens, proved again."""

import asyncio
from typing import Any

import pytest

from probes import faults
from probes.errors import UsageError
from probes.fault_order import FaultOrder, Tolerances, fault_order, tolerances_of
from probes.faults import FaultNotRemoved, FaultRefused, Injection, injected, pod_networks, reader_addresses
from tests.probes.fake_network import FakeNetwork, fake_readers

NETWORKS = {"cloud": ("198.51.100.1/32", "198.51.100.20/32"), "edge": ("198.51.100.2/32", "198.51.100.30/32")}
DELAYED = FaultOrder(delay_s=0.02)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removal is tried again at once."""
    monkeypatch.setattr(faults, "REMOVE_PAUSE_S", 0.0)


def inject(
    network: FakeNetwork,
    order: FaultOrder,
    networks: dict[str, tuple[str, ...]] = NETWORKS,
    error: Exception | None = None,
) -> tuple[Injection, list[str]]:
    """Hold a fault for a moment; gives what was there and the notes."""
    readers, _, notes = fake_readers(network, "cloud", "edge")

    async def hold() -> Injection:
        async with injected(readers, order, networks, 10.0, notes.append) as injection:
            assert set(network.faults) == {"198.51.100.1", "198.51.100.2"}
            if error:
                raise error
            return injection

    return asyncio.run(hold()), notes


@pytest.mark.parametrize(
    "order",
    [
        DELAYED,
        FaultOrder(delay_s=0.02, jitter_s=0.005),
        FaultOrder(loss_ratio=0.1),
        FaultOrder(rate_bytes_per_s=1e6),
        FaultOrder(delay_s=0.005, loss_ratio=0.01, rate_bytes_per_s=1e6),
    ],
)
def test_a_fault_is_proved_and_gone_afterwards(order: FaultOrder) -> None:
    network = FakeNetwork()
    injection, notes = inject(network, order)
    assert injection.problems == ()
    assert notes == []
    assert network.faults == {}
    kept = injection.evidence(injection.started_ns + 5)
    assert kept.verified
    assert kept.means == "relay"
    assert kept.settings["delay_s"] == order.delay_s


def test_each_machine_gets_its_own_way_and_a_limit_of_its_own() -> None:
    network = FakeNetwork()
    readers, _, notes = fake_readers(network, "cloud", "edge")

    async def hold() -> dict[str, Any]:
        async with injected(readers, DELAYED, NETWORKS, 10.0, notes.append):
            return dict(network.faults)

    made = asyncio.run(hold())
    assert made["198.51.100.1"]["from"] == list(NETWORKS["cloud"])
    assert made["198.51.100.1"]["to"] == list(NETWORKS["edge"])
    assert made["198.51.100.2"]["to"] == list(NETWORKS["cloud"])
    assert made["198.51.100.1"]["max_s"] == 10.0 + faults.SPARE_S


@pytest.mark.parametrize("order", [DELAYED, FaultOrder(loss_ratio=0.1), FaultOrder(rate_bytes_per_s=1e6)])
@pytest.mark.parametrize("effect", [0.0, 0.6, 1.6])
def test_a_fault_that_is_not_what_was_asked_for_is_not_verified(order: FaultOrder, effect: float) -> None:
    injection, notes = inject(FakeNetwork(effect=effect), order)
    assert injection.problems
    assert not injection.evidence().verified
    assert notes == [f"network fault: {problem}" for problem in injection.problems]


def test_a_relay_in_user_space_may_be_less_exact_than_the_kernel() -> None:
    assert tolerances_of(["netem"]) == Tolerances()
    assert tolerances_of(["netem", "relay"]).delay_s > Tolerances().delay_s


def test_a_fault_is_removed_when_what_it_was_for_fails() -> None:
    network = FakeNetwork()
    with pytest.raises(ValueError, match="broken"):
        inject(network, DELAYED, error=ValueError("broken"))
    assert network.faults == {}


def test_a_fault_is_removed_when_the_run_is_interrupted() -> None:
    network = FakeNetwork()
    readers, _, notes = fake_readers(network, "cloud", "edge")

    async def run() -> None:
        async def hold() -> None:
            async with injected(readers, DELAYED, NETWORKS, 10.0, notes.append):
                held.set()
                await asyncio.sleep(60)

        held = asyncio.Event()
        task = asyncio.create_task(hold())
        await held.wait()
        assert network.faults
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert network.faults == {}


def test_a_machine_that_refuses_leaves_no_other_one_with_a_fault() -> None:
    network = FakeNetwork()
    readers, clients, notes = fake_readers(network, "cloud", "edge")
    clients["edge"].may_fault = False

    async def hold() -> None:
        async with injected(readers, DELAYED, NETWORKS, 10.0, notes.append):
            raise AssertionError("it was not made")

    with pytest.raises(FaultRefused) as refused:
        asyncio.run(hold())
    assert "allowFaults" in refused.value.next_step
    assert network.faults == {}
    assert ("POST", "cloud/v1/network/faults") in network.log


def test_a_fault_that_stays_is_an_error_that_says_where() -> None:
    with pytest.raises(FaultNotRemoved, match="cloud, edge") as kept:
        inject(FakeNetwork(removable=False), DELAYED)
    assert kept.value.reason == "fault_not_removed"


def test_a_network_that_does_not_come_back_is_an_error() -> None:
    network = FakeNetwork()
    readers, _, notes = fake_readers(network, "cloud", "edge")

    async def hold() -> None:
        async with injected(readers, DELAYED, NETWORKS, 10.0, notes.append):
            network.rtt_s = 0.01

    with pytest.raises(FaultNotRemoved, match=r"round trips are 9\.\d+ ms longer"):
        asyncio.run(hold())


def test_there_is_no_network_on_one_machine() -> None:
    with pytest.raises(FaultRefused) as refused:
        inject(FakeNetwork(), DELAYED, {"edge": NETWORKS["edge"]})
    assert refused.value.reason == "one_machine"


def test_faults_act_between_pods_with_a_reader_beside_them() -> None:
    def pod(machine: str | None, address: str | None) -> dict[str, Any]:
        return {"spec": {"nodeName": machine} if machine else {}, "status": {"podIP": address} if address else {}}

    pods = [pod("edge", "198.51.100.30"), pod("edge", "198.51.100.31"), pod("far", "198.51.100.40"), pod(None, None)]
    found = pod_networks([*pods, pod("cloud", None)], {"edge": "198.51.100.2", "cloud": "198.51.100.1"})
    assert found == {"edge": ("198.51.100.2/32", "198.51.100.30/32", "198.51.100.31/32")}
    readers, _, _ = fake_readers(FakeNetwork(), "cloud", "edge")
    assert asyncio.run(reader_addresses(readers)) == {"cloud": "198.51.100.1", "edge": "198.51.100.2"}


@pytest.mark.parametrize("level", [None, "none"])
def test_no_fault_is_a_level_too(level: Any) -> None:
    assert fault_order(level) is None


def test_an_option_is_a_fault_in_text() -> None:
    wanted = FaultOrder(delay_s=0.02, loss_ratio=0.01, seed=7)
    assert fault_order("delay_s=0.02, loss_ratio=0.01,seed=7") == wanted


def test_an_impatient_user_cannot_stop_the_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork()
    readers, _, notes = fake_readers(network, "cloud", "edge")
    removing = asyncio.Event()
    remove = faults._remove  # pyright: ignore[reportPrivateUsage]

    async def slowly(*arguments: Any) -> None:
        removing.set()
        await asyncio.sleep(0.05)
        await remove(*arguments)

    monkeypatch.setattr(faults, "_remove", slowly)

    async def hold(held: asyncio.Event) -> None:
        async with injected(readers, DELAYED, NETWORKS, 10.0, notes.append):
            held.set()
            await asyncio.sleep(60)

    async def run() -> None:
        held = asyncio.Event()
        task = asyncio.create_task(hold(held))
        await held.wait()
        task.cancel()
        await removing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert network.faults == {}


def test_a_level_is_a_fault() -> None:
    assert fault_order({"delayS": 0.02, "lossRatio": 0.01}) == FaultOrder(delay_s=0.02, loss_ratio=0.01)


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ({"delayS": -1}, "fault.delayS"),
        ({"delayS": float("nan")}, "fault.delayS"),
        ({"jitterS": 0.1}, "jitterS is at most delayS"),
        ({"reorderRatio": 0.1, "lossRatio": 0.1}, "reorderRatio needs a delayS"),
        ({}, "one of delayS, lossRatio and rateBytesPerS"),
        ({"seed": 5}, "one of delayS"),
        ({"latency": 1}, "fault.latency"),
        ("slow", "KEY=VALUE"),
        ("delay_s=", "KEY=VALUE"),
        ("delay_s=0.1,delay_s=0.2", "each key once"),
        ("delay_s=much", "fault.delay_s"),
        ("latency=1", "fault.latency"),
        ("loss_ratio=1.5", "fault.loss_ratio"),
        (5, "fault"),
    ],
)
def test_a_level_that_is_no_fault_is_refused_with_its_key(level: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        fault_order(level)
    assert said in refused.value.message
    assert "delayS" in refused.value.next_step
