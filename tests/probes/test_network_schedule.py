"""Probes of the network and its faults in whole runs: when, between which machines, and what a failure becomes."""

import asyncio
import signal
from typing import Any

import pytest

from probes import faults, network_schedule
from probes.errors import ExitCode, TargetError, UsageError
from probes.fault_order import FaultOrder
from probes.network_probe import ProbeSettings, both_ways
from probes.network_schedule import joined, load_settings, machines_to_probe, probing_meanwhile, with_bandwidth
from probes.plan import Durations
from probes.platform import require_readers
from probes.readers import ReaderSet
from stacks.outputs import MachineReaderEndpoint
from tests.probes.fake_network import FakeNetwork, FakeNetworkReader, fake_readers
from tests.probes.fake_readers import door
from tests.probes.standins import Deployment, machine, outputs_of, pod
from tests.probes.test_session import Scene, interrupt_when, scene

__all__ = ["scene"]
ENDPOINT = MachineReaderEndpoint(namespace="ros2bench-platform", labels={"a": "b"}, port=8090)
NOTHING: dict[str, Any] = {"kind": "platform", "application": None, "recorder": None, "network": None}
DELAYED = FaultOrder(delay_s=0.02)
UNLABELLED = ("network_rtt_s", "network_lost_ratio", "network_bandwidth_bytes_per_s")
IDLE_TRIPS = "network_rtt_s{machine=cloud,part=idle,peer=edge,statistic=p50}"
LOAD_TRIPS = "network_rtt_s{machine=cloud,part=load,peer=edge,statistic=p50}"
LOAD_BANDWIDTH = "network_bandwidth_bytes_per_s{machine=edge,part=load,peer=cloud}"


class Spread(Deployment):
    """An application with a pod on each of some machines."""

    machines: tuple[str, ...] = ("edge", "cloud")

    def start(self, stack: str = "monolithic") -> None:
        super().start(stack)
        self.pods = [placed(stack, name, number) for number, name in enumerate(self.machines, 20)]


def placed(stack: str, name: str, number: int) -> dict[str, Any]:
    """Make a pod on a machine, with an address."""
    made = pod(stack, uid=f"u{number}", spec={"nodeName": name})
    made["status"]["podIP"] = f"198.51.100.{number}"
    return made


@pytest.fixture
def application(scene: Scene) -> Spread:
    """Let the scene's application be spread."""
    spread = Spread()
    scene.application = scene.recorder.application = spread
    scene.target.application = scene.cluster.application = spread
    return spread


@pytest.fixture
def network(scene: Scene, application: Spread, monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    """Put a reader on each of two machines, with a network between."""
    found = FakeNetwork(carries=5e6)
    _, clients, _ = fake_readers(found, "cloud", "edge")
    platform = outputs_of(
        "platform", **NOTHING, machine_readers=ENDPOINT, spec={"machineReaders": {"allowFaults": True}}
    )
    scene.target.known = {"monolithic": outputs_of(platform="platform"), "platform": platform}
    scene.cluster.known_machines = [machine("edge"), machine("cloud")]
    monkeypatch.setattr("probes.session.reader_door", door(clients))
    monkeypatch.setattr(faults, "REMOVE_PAUSE_S", 0.0)
    return found


def probes_of(network: FakeNetwork) -> list[str]:
    return [path for _, path in network.log if path.endswith("/probe")]


def missing(scene: Scene) -> dict[str, str | None]:
    return {name: scene.manifest()["metrics"][name].get("missing") for name in UNLABELLED}


def test_a_repetition_probes_idle_under_load_and_the_bandwidth_after_the_window(
    scene: Scene, network: FakeNetwork
) -> None:
    assert scene.run() == ExitCode.COMMITTED
    metrics = scene.manifest()["metrics"]
    assert metrics["network_rtt_s"]["value"] == pytest.approx(network.rtt_s, rel=0.1)
    assert metrics["network_bandwidth_bytes_per_s"]["value"] == 5e6
    assert metrics[IDLE_TRIPS]["value"] > 0
    assert metrics[LOAD_TRIPS] == {"missing": "too_few_samples"}, "a window of 0.1 s has room for one"
    assert metrics[LOAD_BANDWIDTH]["value"] == 5e6
    assert len(probes_of(network)) == 8, "round trips and bandwidth, both ways, idle and under load"


def test_without_a_platform_the_reason_says_so(scene: Scene) -> None:
    assert scene.run() == ExitCode.COMMITTED
    assert set(missing(scene).values()) == {"no_platform"}


@pytest.mark.parametrize("wanted", [None, True])
def test_an_application_on_one_machine_is_not_probed_under_load_unless_asked(
    scene: Scene, application: Spread, network: FakeNetwork, wanted: bool | None
) -> None:
    application.machines = ("edge",)
    assert scene.run(repetitions=2, network=wanted) == ExitCode.COMMITTED
    assert set(missing(scene).values()) == {"one_machine"}
    # Where the application will be is not known before the first repetition has shown it.
    assert len(probes_of(network)) == (4 if wanted is None else 16)


def test_a_run_that_shall_not_probe_does_not(scene: Scene, network: FakeNetwork) -> None:
    assert scene.run(network=False) == ExitCode.COMMITTED
    assert set(missing(scene).values()) == {"not_requested"}
    assert network.log == []


def test_without_a_cycle_there_is_no_idle(scene: Scene, network: FakeNetwork, application: Spread) -> None:
    application.start()
    assert scene.run(cycles="none") == ExitCode.COMMITTED
    assert set(missing(scene).values()) == {"idle_not_measured"}
    assert scene.manifest()["metrics"][LOAD_BANDWIDTH]["value"] == 5e6


def test_a_network_that_does_not_answer_ends_no_run(scene: Scene, network: FakeNetwork) -> None:
    network.answers = False
    assert scene.run() == ExitCode.COMMITTED
    assert set(missing(scene).values()) == {"network_probe_unanswered"}
    assert scene.manifest()["metrics"]["inference_s"]["value"] == pytest.approx(0.004)


def test_a_fault_is_held_in_the_window_and_verified(scene: Scene, network: FakeNetwork) -> None:
    assert scene.run(fault=DELAYED, durations=Durations(0.02, 0.4, 0.02, 0.0, 5.0)) == ExitCode.COMMITTED
    manifest = scene.manifest()
    assert manifest["plan"]["fault"]["delay_s"] == 0.02
    (fault,) = manifest["repetitions"][0]["faults"]
    assert (fault["verified"], fault["means"]) == (True, "relay")
    window = manifest["repetitions"][0]["window"]
    assert fault["started_ns"] < window["start_ns"] < window["end_ns"] < fault["stopped_ns"]
    assert next(gate for gate in manifest["gates"] if gate["name"] == "fault_verified")["passed"]
    metrics = manifest["metrics"]
    assert metrics["network_rtt_s"]["value"] == pytest.approx(network.rtt_s, rel=0.1)
    assert metrics[LOAD_TRIPS]["value"] == pytest.approx(0.04, rel=0.1)
    assert network.faults == {}


def test_a_fault_that_is_not_what_was_asked_for_makes_the_run_invalid(scene: Scene, network: FakeNetwork) -> None:
    network.effect = 0.5
    assert scene.run(fault=DELAYED) == ExitCode.INVALID
    assert scene.manifest()["reason"] == "fault_verified"
    assert not scene.manifest()["repetitions"][0]["faults"][0]["verified"]
    assert network.faults == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_removes_the_fault(scene: Scene, network: FakeNetwork, number: signal.Signals) -> None:
    thread = interrupt_when(lambda: bool(scene.folders()) and len(network.faults) == 2 and held(scene), number)
    assert scene.run(fault=DELAYED, durations=Durations(0.3, 20, 0.05, 0, 5)) == ExitCode.ABORTED
    thread.join()
    assert network.faults == {}
    assert scene.manifest()["state"] == "aborted"
    assert scene.recorder.captures == {}


def held(scene: Scene) -> bool:
    return any(scene.folders()[-1].repetitions.glob("*.window.json"))


def test_a_run_that_fails_in_the_window_leaves_no_fault(
    scene: Scene, network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any) -> Any:
        raise TargetError("no answer", reason="recorder_unreachable")

    monkeypatch.setattr("probes.repetition.SampleCopy.advance", lost)
    monkeypatch.setattr("probes.repetition.COPY_PERIOD_S", 0.01)
    assert scene.run(fault=DELAYED) == ExitCode.TARGET
    assert network.faults == {}


def test_a_fault_between_pods_on_one_machine_is_refused(
    scene: Scene, application: Spread, network: FakeNetwork
) -> None:
    application.machines = ("edge",)
    assert scene.run(fault=DELAYED) == ExitCode.TARGET
    assert "place the pods on different machines" in scene.shown.getvalue()
    assert network.faults == {}


def test_faults_and_probes_need_a_platform_that_allows_them() -> None:
    silent = outputs_of("platform", **NOTHING, machine_readers=ENDPOINT)
    with pytest.raises(UsageError) as refused:
        require_readers(silent, network=None, fault=DELAYED)
    assert "machineReaders.allowFaults: true in Pulumi.platform.yaml" in refused.value.next_step
    for platform in (None, outputs_of("other")):
        with pytest.raises(UsageError, match="--fault needs machine readers"):
            require_readers(platform, network=None, fault=DELAYED)
        with pytest.raises(UsageError, match="--network needs machine readers"):
            require_readers(platform, network=True, fault=None)
        require_readers(platform, network=None, fault=None)
        require_readers(platform, network=False, fault=None)
    require_readers(silent, network=True, fault=None)


@pytest.mark.parametrize(
    ("wanted", "known", "found"),
    [
        (False, None, "not_requested"),
        (None, None, ("a", "b")),
        (None, {"a"}, "one_machine"),
        (None, {"a", "b"}, ("a", "b")),
        (None, {"a", "far"}, ("a", "far")),
        (None, {"a", "not-of-this-cluster"}, "one_machine"),
        (True, {"a"}, ("a", "b")),
    ],
)
def test_machines_that_are_used_are_probed(
    wanted: bool | None, known: set[str] | None, found: tuple[str, ...] | str
) -> None:
    readers, _, _ = fake_readers(FakeNetwork(), "a", "b")
    assert machines_to_probe(wanted, readers, known) == found


def test_many_machines_are_probed_only_where_somebody_asks() -> None:
    readers, _, _ = fake_readers(FakeNetwork(), *"abcde")
    assert machines_to_probe(None, readers, None) == "too_many_machines"
    assert machines_to_probe(None, readers, {"a", "b"}) == ("a", "b")
    assert machines_to_probe(wanted=True, readers=readers, known=None) == tuple("abcde")
    nobody = ReaderSet({}, {"a": "machine_reader_unreachable"}, "boot", print)
    assert machines_to_probe(wanted=True, readers=nobody, known=None) == "machine_reader_unreachable"


@pytest.mark.parametrize(("window_s", "ways"), [(0.1, 2), (20.0, 2), (20.0, 12), (3600.0, 2)])
def test_round_trips_under_load_are_few_and_no_call_lasts_longer_than_its_limit(window_s: float, ways: int) -> None:
    settings = load_settings(window_s, ways)
    assert settings.count >= 1
    assert settings.bandwidth_s == 0
    assert settings.count * settings.interval_s <= max(network_schedule.LOAD_INTERVAL_S, window_s / ways)
    assert settings.count * settings.interval_s <= network_schedule.LONGEST_CALL_S
    assert settings.interval_s * settings.size_bytes > 0


def test_a_reader_that_hangs_in_the_window_is_given_up_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_schedule, "SPARE_S", 0.05)
    readers, clients, _ = fake_readers(FakeNetwork(), "cloud", "edge")

    async def hang(*_: Any) -> Any:
        await asyncio.sleep(60)

    async def work() -> Any:
        monkeypatch.setattr(clients["edge"], "call", hang)
        async with probing_meanwhile(readers, ("cloud", "edge"), 0.1) as found:
            await asyncio.sleep(0.1)
        return await with_bandwidth(readers, found)

    links = asyncio.run(work())
    assert [(link.machine, link.peer) for link in links] == list(both_ways(("cloud", "edge")))
    assert {link.trips for link in links} == {link.bandwidth for link in links} == {"machine_reader_unreachable"}


def test_a_window_that_ends_early_ends_its_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    readers, clients, _ = fake_readers(FakeNetwork(), "cloud", "edge")
    ended: list[str] = []

    async def hang(*_: Any) -> Any:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("edge")

    async def work() -> None:
        monkeypatch.setattr(clients["edge"], "call", hang)
        async with probing_meanwhile(readers, ("cloud", "edge"), 0.1):
            await asyncio.sleep(0.01)
            raise TargetError("lost")

    with pytest.raises(TargetError, match="lost"):
        asyncio.run(work())
    assert ended == ["edge"]


def test_what_was_probed_outweighs_a_reason() -> None:
    readers, _, _ = fake_readers(FakeNetwork(), "cloud", "edge")
    links = asyncio.run(network_schedule.probe_links(readers, [("cloud", "edge")], "load", ProbeSettings(100)))
    assert joined("idle_not_measured", links) == links
    assert joined(links, "one_machine") == links
    assert joined(links, links) == links * 2
    assert joined("idle_not_measured", "one_machine") == "one_machine"
    assert isinstance(readers.clients["edge"], FakeNetworkReader)
