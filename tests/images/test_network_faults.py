"""Network faults of the machine reader in private networks: there as asked for, and gone without a trace."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.images.in_cluster import WORKSPACE, module
from tests.images.machine_network import DESTINATION, FAR, MACHINE, NEAR, SOURCE, MachineNetwork
from tests.images.test_reader_http import settings

configuration = module("ros2bench_machine_reader.configuration")
fault_path = module("ros2bench_machine_reader.fault_path")
fault_plan = module("ros2bench_machine_reader.fault_plan")
network_faults = module("ros2bench_machine_reader.network_faults")
network_partner = module("ros2bench_machine_reader.network_partner")
network_probe = module("ros2bench_machine_reader.network_probe")
packet_queue = module("ros2bench_machine_reader.packet_queue")
routing = module("ros2bench_machine_reader.routing")

pytestmark = pytest.mark.image
PORT = 8091
NONCE = "ab" * 16
DELAYS_S = (0.0, 0.001, 0.005, 0.02, 0.1)


class Bench:
    """A partner in the far pod, a prober in the near one (or on the machine), and the machine's faults."""

    def __init__(self, folder: Path, network: MachineNetwork) -> None:
        self.network = network
        self.folder = folder
        partner = network_partner.Partner()
        partner.announce(bytes.fromhex(NONCE), 300)
        self._server = network_partner.Server(partner, PORT)
        network.do(network.far, self._server.start)
        self.faults = self.new_faults()

    def new_faults(self) -> Any:
        """What a machine reader that starts now has."""
        proc = Path("/proc")
        return network_faults.Faults(self.folder, proc, proc / str(self.network.machine) / "ns" / "net")

    def start(self, **asked: Any) -> dict[str, Any]:
        """Make a fault on what the near pod sends to the far one."""
        body = {"fault": "test", "from": [SOURCE], "to": [DESTINATION], "max_s": 60} | asked
        return self.faults.start(fault_plan.parse_plan(body))

    def probe(self, where: int | None = None, **asked: Any) -> dict[str, Any]:
        """Probe the far pod."""
        body = {"nonce": NONCE, "peer": FAR, "port": PORT, "mode": "rtt", "bytes": 128} | asked
        parsed = network_probe.parse_probe(body)
        return self.network.do(where or self.network.near, lambda: network_probe.probe(parsed))

    def median_s(self, count: int = 100, interval_s: float = 0.005, where: int | None = None, size: int = 128) -> float:
        """Median round trip; every datagram must have been answered."""
        answer = self.probe(where, count=count, interval_s=interval_s, bytes=size)
        assert answer["received"] == answer["sent"] == count
        return statistics.median(answer["rtt_ns"]) / 1e9

    def close(self) -> None:
        """End everything."""
        self.faults.end()
        self._server.stop()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A machine that checks the sources of packets strictly and tracks connections."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(folder) for folder in sorted(WORKSPACE.iterdir())))
    network = MachineNetwork()
    try:
        made = Bench(tmp_path, network)
        try:
            yield made
        finally:
            made.close()
    finally:
        network.close()


def test_delays_are_true_and_leave_no_trace(bench: Bench) -> None:
    """A delay is compared with the same path under a fault of no delay: what the path itself takes is the machine's."""
    before = bench.network.state()
    measured: dict[float, float] = {}
    for delay_s in DELAYS_S:
        assert bench.start(delay_s=delay_s)["means"] in {"relay", "netem"}
        assert "7250" in bench.network.state()
        measured[delay_s] = bench.median_s(count=60, interval_s=max(0.005, delay_s / 10))
        bench.faults.end()
        assert bench.network.state() == before
    own_s = measured[0.0]
    Console().print({delay_s: f"{(found - own_s - delay_s) * 1e3:+.3f} ms" for delay_s, found in measured.items()})
    for delay_s, found in measured.items():
        assert abs(found - own_s - delay_s) <= max(0.0003, 0.02 * delay_s), measured
    assert bench.median_s() < own_s + 0.0003, "without a fault nothing is in the way"


@pytest.mark.parametrize(("loss_ratio", "count"), [(0.01, 20_000), (0.1, 10_000)])
def test_as_many_packets_are_lost_as_the_seed_says(bench: Bench, loss_ratio: float, count: int) -> None:
    answer = bench.start(loss_ratio=loss_ratio, seed=7)
    found = bench.probe(count=count, interval_s=0.0002)
    counts = bench.faults.end()["counts"]
    true = packet_queue.lost_among(fault_plan.FaultPlan("x", (), (), 1.0, loss_ratio=loss_ratio, seed=7), count)
    assert answer["seeded"]
    lost = found["sent"] - found["received"]
    Console().print(f"asked {loss_ratio:.2%}, drawn {true / count:.3%}, measured {lost / count:.3%}")
    assert counts["lost"] == true
    assert abs(lost - true) / count < 0.001


@pytest.mark.parametrize("rate", [500_000.0, 5_000_000.0])
def test_a_rate_is_kept(bench: Bench, rate: float) -> None:
    bench.start(rate_bytes_per_s=rate)
    found = bench.probe(mode="bandwidth", bytes=1400, seconds=4)
    assert found["limited_by"] == "network"
    payload = rate * 1400 / 1428
    Console().print(f"rate {rate:g} B/s: payload {found['bytes_per_s']:.0f} B/s of {payload:.0f} B/s")
    assert abs(found["bytes_per_s"] / payload - 1) < 0.05


def test_bandwidth_without_a_fault_is_found_and_says_what_limits_it(bench: Bench) -> None:
    found = bench.probe(mode="bandwidth", bytes=1400, seconds=2)
    assert found["bytes_per_s"] > 20e6
    assert found["limited_by"] in {"sender", "receiver", "time"}


def test_packets_overtake_others(bench: Bench) -> None:
    bench.start(delay_s=0.05, reorder_ratio=0.1, seed=3)
    found = bench.probe(count=1000, interval_s=0.001)
    counts = bench.faults.end()["counts"]
    quick = [trip for trip in found["rtt_ns"] if trip < 25e6]
    assert found["received"] == 1000
    assert len(quick) == counts["reordered"] == pytest.approx(100, abs=30)


def test_jitter_is_spread_evenly_around_the_delay(bench: Bench) -> None:
    base_s = bench.median_s()
    bench.start(delay_s=0.02, jitter_s=0.01, seed=5)
    trips = sorted(trip / 1e9 - base_s for trip in bench.probe(count=1000, interval_s=0.001)["rtt_ns"])
    assert 0.0095 < trips[0] < 0.0115
    assert trips[500] == pytest.approx(0.02, abs=0.0015)
    assert trips[-1] > 0.0285


def test_large_datagrams_pass_in_fragments_at_ten_megabytes_a_second(bench: Bench) -> None:
    bench.start(delay_s=0.005)
    found = bench.probe(count=200, interval_s=0.006, bytes=60_000)
    counts = bench.faults.end()["counts"]
    assert found["received"] == 200
    assert statistics.median(found["rtt_ns"]) / 1e9 == pytest.approx(0.006, abs=0.002)
    assert counts["overflowed"] == counts["failed"] == counts["lost"] == 0


def test_what_the_machine_itself_sends_is_delayed_where_its_address_is_meant(bench: Bench) -> None:
    machine = bench.network.machine
    base_s = bench.median_s(where=machine)
    bench.start(delay_s=0.005)
    assert bench.median_s(where=machine) - base_s < 0.003
    bench.faults.end()
    before = bench.network.state()
    bench.start(**{"from": [f"{MACHINE}/32"]}, delay_s=0.005)
    assert bench.median_s(where=machine) - base_s == pytest.approx(0.005, abs=0.0005)
    bench.faults.end()
    assert bench.network.state() == before


def test_other_ways_are_left_alone(bench: Bench) -> None:
    base_s = bench.median_s()
    bench.start(delay_s=0.02, to=["198.51.100.131/32"])
    assert bench.median_s() - base_s < 0.003
    bench.faults.end()
    bench.start(delay_s=0.02, **{"from": [f"{NEAR}/32"], "to": [f"{FAR}/32"]})
    assert bench.median_s(count=30) - base_s == pytest.approx(0.02, abs=0.0005)


def test_a_fault_ends_by_itself(bench: Bench) -> None:
    before = bench.network.state()
    bench.start(delay_s=0.02, max_s=1.0)
    assert bench.network.state() != before
    deadline_s = time.monotonic() + 5
    while bench.network.state() != before and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert bench.network.state() == before
    assert not list(bench.folder.iterdir())
    assert bench.start(delay_s=0.001)["fault"] == "test"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_fault(bench: Bench, number: signal.Signals) -> None:
    before = bench.network.state()
    bench.start(delay_s=0.02)
    held = bench.faults._held.process
    held.send_signal(number)
    assert held.wait(10) == 0
    assert bench.network.state() == before


def test_the_death_of_the_machine_reader_ends_a_fault(bench: Bench) -> None:
    before = bench.network.state()
    asked = fault_plan.parse_plan({"fault": "x", "from": [SOURCE], "to": [DESTINATION], "max_s": 60, "delay_s": 0.02})
    script = (
        "import sys, time; from pathlib import Path; from ros2bench_machine_reader import network_faults, fault_plan\n"
        f"faults = network_faults.Faults(Path({str(bench.folder)!r}), Path('/proc'), "
        f"Path('/proc/{bench.network.machine}/ns/net'))\n"
        f"faults.start(fault_plan.plan_of_json({asked.as_json()!r}))\n"
        "print('made', flush=True); time.sleep(60)\n"
    )
    reader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    with reader.stdout as said:
        assert said.readline() == "made\n"
        assert bench.network.state() != before
        reader.kill()
        reader.wait()
    deadline_s = time.monotonic() + 5
    while bench.network.state() != before and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert bench.network.state() == before


def test_what_a_killed_holder_leaves_does_no_harm_and_is_removed_at_the_next_start(bench: Bench) -> None:
    before = bench.network.state()
    base_s = bench.median_s()
    bench.start(delay_s=0.02)
    held = bench.faults._held.process
    held.kill()
    held.wait()
    assert bench.median_s() - base_s < 0.003
    assert bench.network.state() != before
    later = bench.new_faults()
    later.remove_leftovers()
    assert bench.network.state() == before
    assert not list(bench.folder.iterdir())


def test_a_killed_holder_is_cleaned_up_after_by_the_end_of_its_fault(bench: Bench) -> None:
    before = bench.network.state()
    bench.start(delay_s=0.02)
    held = bench.faults._held.process
    held.kill()
    held.wait()
    answer = bench.faults.end()
    assert answer["counts"] is None
    assert "ended" in answer["problem"]
    assert bench.network.state() == before


def test_one_fault_at_a_time_and_asking_twice_for_it_is_asking_once(bench: Bench) -> None:
    first = bench.start(delay_s=0.02)
    assert bench.start(delay_s=0.02) == first
    with pytest.raises(routing.CallRefused) as refused:
        bench.start(delay_s=0.03)
    assert refused.value.status == 409
    assert bench.faults.end()["fault"] == "test"
    assert bench.faults.end()["fault"] is None


def test_the_calls_of_the_machine_reader_make_and_remove_a_fault(bench: Bench, tmp_path: Path) -> None:
    processes = tmp_path / "proc" / "1" / "ns"
    processes.mkdir(parents=True)
    (processes / "net").symlink_to(f"/proc/{bench.network.machine}/ns/net")
    allowed = {"image_removal": False, "faults": True}
    changed = settings(tmp_path, proc_root=str(tmp_path / "proc"), allow=allowed)
    (tmp_path / "captures").mkdir()
    extension = network_faults.extension(configuration.parse_configuration(changed))
    before = bench.network.state()
    extension.start()
    body = {"fault": "f1", "from": [SOURCE], "to": [DESTINATION], "max_s": 60, "delay_s": 0.02}
    path = "/v1/network/faults"

    def ask(method: str, content: dict[str, Any]) -> tuple[int, Any]:
        request = routing.Request(method, path, path, body=json.dumps(content).encode())
        answer = extension.routes[method, path].handler(request)
        return answer.status, json.loads(answer.body)

    status, made = ask("POST", body)
    assert (status, made["fault"], made["seeded"]) == (201, "f1", True)
    assert bench.median_s(count=20) > 0.02
    status, gone = ask("DELETE", {})
    assert (status, gone["fault"], gone["counts"]["sent"]) == (200, "f1", 20)
    assert bench.network.state() == before
    with pytest.raises(routing.CallRefused, match="delay_s is -1") as refused:
        ask("POST", body | {"delay_s": -1})
    assert refused.value.status == 400
    ask("POST", body)
    extension.stop()
    assert bench.network.state() == before


def test_an_image_without_the_programs_uses_those_of_the_machine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    processes = tmp_path / "proc" / "1" / "ns"
    processes.mkdir(parents=True)
    for name in ("net", "mnt"):
        (processes / name).symlink_to(f"/proc/{bench.network.machine}/ns/{name}")
    programs = tmp_path / "programs"
    programs.mkdir()
    nsenter = shutil.which("nsenter")
    assert nsenter
    used = tmp_path / "used"
    (programs / "nsenter").write_text(f'#!/bin/sh\necho "$*" >>{used}\nexec {nsenter} "$@"\n')
    (programs / "nsenter").chmod(0o755)
    before = bench.network.state()
    with monkeypatch.context() as changed:
        changed.setenv("PATH", str(programs))
        faults = network_faults.Faults(tmp_path, tmp_path / "proc")
        body = {"fault": "f1", "from": [SOURCE], "to": [DESTINATION], "max_s": 60, "delay_s": 0.02}
        faults.start(fault_plan.parse_plan(body))
    assert bench.median_s(count=20) > 0.02
    assert faults.end()["counts"]["sent"] == 20
    assert bench.network.state() == before
    assert f"--mount={processes}/mnt -- ip rule add pref 42" in used.read_text()


def test_a_machine_where_it_cannot_be_made_keeps_nothing_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = bench.network.state()
    real, folder = tmp_path / "real", tmp_path / "bin"
    folder.mkdir()
    real.symlink_to("/usr/sbin/ip")
    # The very last step fails: everything before it has to be undone.
    broken = f'#!/bin/sh\ncase "$*" in *"to {DESTINATION}"*) echo no room >&2; exit 1;; esac\nexec {real} "$@"\n'
    (folder / "ip").write_text(broken)
    (folder / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with pytest.raises(routing.CallRefused) as refused:
        bench.start(delay_s=0.02)
    assert refused.value.status == 501
    assert "no room" in str(refused.value)
    assert bench.network.state() == before


def test_a_link_for_netem_passes_packets_and_is_removed(bench: Bench) -> None:
    """Without netem in the kernel: the same link, with a queue that the kernel has in its place."""
    network, before = bench.network, bench.network.state()
    base_s = bench.median_s()
    plan = fault_plan.FaultPlan("x", (SOURCE,), (DESTINATION,), 60.0, delay_s=0.02)
    script = (
        "import sys; from pathlib import Path\n"
        "from ros2bench_machine_reader import fault_holder, fault_path, fault_plan\n"
        f"fault_holder.enter_network(Path('/proc/{network.machine}/ns/net'))\n"
        f"plan = fault_plan.plan_of_json({plan.as_json()!r})\n"
        f"machine = fault_holder.Machine(Path('/proc'), Path({str(bench.folder / 'note')!r}))\n"
        "if sys.argv[1] == 'make':\n"
        "    fault_path.netem_command = lambda plan, seeded: "
        "tuple('tc qdisc replace dev r2bfault root tbf rate 8mbit burst 4k latency 1s'.split())\n"
        "    machine.begin(plan)\n"
        "    assert fault_holder.make_netem(machine, plan)\n"
        "    fault_holder.open_way(machine, plan, fault_path.NETEM_LINK)\n"
        "else:\n"
        "    machine.restore()\n"
    )
    subprocess.run([sys.executable, "-c", script, "make"], check=True)
    assert bench.median_s() - base_s < 0.003
    found = bench.probe(mode="bandwidth", bytes=1400, seconds=3)
    assert found["bytes_per_s"] == pytest.approx(1_000_000 * 1400 / 1442, rel=0.05)
    assert bench.median_s(count=20, interval_s=0.1, size=30_000) < 0.1
    subprocess.run([sys.executable, "-c", script, "remove"], check=True)
    assert network.state() == before
