"""What a run can be beside a plain one, from the shell: cold starts, faults of the network, a search, a baseline.

Faults and removals need a platform that allows them, which the tests of programs are not given.
"""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import UP, Journey, manifest
from tests.cluster.observed import EXPERIMENTS, destroyed, override, up

pytestmark = [pytest.mark.cluster, pytest.mark.full]

SHORT = "--duration-s 5 --warmup-s 2"
DELAY_S = 0.05
SLOW_PLATFORM = {
    "observability": {"mode": "none"},
    "machineReaders": {"allowFaults": True, "allowImageRemoval": True},
}


@pytest.fixture(scope="module")
def allowed(journey: Journey, four_patterns: None) -> Generator[None]:
    """A platform of machine readers alone, which may remove images and make faults."""
    del four_patterns
    destroyed(journey, *EXPERIMENTS, "platform")
    assert journey.type("git checkout -q 'Pulumi.*.yaml'").returncode == 0
    up(journey, "platform", override(journey, "allowing", **SLOW_PLATFORM))
    try:
        yield
    finally:
        destroyed(journey, *EXPERIMENTS, "platform")


def measured(journey: Journey, line: str, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command that makes a record, and fetch it."""
    done = journey.in_lab(line, timeout_s=900, **(settings or {}))
    assert done.returncode == 0, done.stderr[-3000:]
    # Of a search each trial has a record, too, and the answer's comes last.
    return manifest(journey, done.stdout[done.stdout.rindex("record:") :])


def value(record: dict[str, Any], metric: str) -> float:
    """A metric's value; one that is missing fails with its reason."""
    entry = record["metrics"][metric]
    assert "missing" not in entry, (metric, entry)
    return entry["value"]


@pytest.mark.parametrize(("stack", "regime"), [("monolithic", "image_cold"), ("overlay", "pristine")])
def test_a_cold_install_pulls_every_byte_and_proves_it(
    journey: Journey, allowed: None, stack: str, regime: str
) -> None:
    del allowed
    up(journey, stack)
    try:
        record = measured(
            journey,
            f"python -m probes.run -s {stack} --platform platform --cycles install --regime {regime} --repetitions 1 "
            f"--no-network {SHORT}",
        )
    finally:
        destroyed(journey, stack)
    assert record["state"] == "complete"
    assert [gate["passed"] for gate in record["gates"] if gate["name"] == "regime_proved"] == [True]
    assert value(record, "pulled_bytes") >= value(record, "image_bytes_wire") > 50e6
    assert value(record, "pod_phase_s{phase=pulled}") > 1


def test_a_delay_between_machines_is_what_the_result_is_late_by(journey: Journey, allowed: None) -> None:
    del allowed
    machines = {"camera": "cloud", "detector": "edge", "reader": "edge", "monitor": "edge"}
    nodes = {name: {"nodeSelector": {"kubernetes.io/hostname": machine}} for name, machine in machines.items()}
    settings = override(journey, "two-machines", application={"nodes": nodes})
    command = f"python -m probes.run -s microservices --platform platform --repetitions 1 {SHORT}"
    up(journey, "microservices", settings)
    try:
        plain = measured(journey, command, settings)
        slow = measured(journey, f"{command} --fault delay_s={DELAY_S}", settings)
    finally:
        destroyed(journey, "microservices")
    assert slow["state"] == "complete"
    assert [gate["passed"] for gate in slow["gates"] if gate["name"] == "fault_verified"] == [True]
    # One way lies between the camera and the result; what the detector takes varies by some milliseconds.
    assert value(slow, "inference_s") - value(plain, "inference_s") == pytest.approx(DELAY_S, abs=0.02)
    for name in (
        "network_rtt_s{machine=cloud,part=load,peer=edge,statistic=p50}",
        "network_rtt_s{machine=edge,part=load,peer=cloud,statistic=p50}",
    ):
        assert value(slow, name) - value(plain, name) == pytest.approx(2 * DELAY_S, rel=0.05)


def test_a_fault_on_one_machine_is_refused_with_what_to_do(journey: Journey, allowed: None) -> None:
    del allowed
    up(journey, "monolithic")
    try:
        done = journey.in_lab(f"python -m probes.run -s monolithic --platform platform --fault delay_s=0.02 {SHORT}")
    finally:
        destroyed(journey, "monolithic")
    assert done.returncode == 4
    assert "place the pods on different machines" in done.stderr
    assert "Traceback" not in done.stderr
    # What a run that failed has to say is stored, too, when it is asked for.
    assert journey.in_lab("python -m probes.resume").returncode == 0


def test_the_largest_rate_is_found_and_every_trial_is_kept(journey: Journey, allowed: None) -> None:
    del allowed
    up(journey, "monolithic")
    try:
        record = measured(
            journey, f"python -m probes.peak -s monolithic {SHORT} --start-hz 30 --most-hz 60 --resolution 0.5"
        )
    finally:
        destroyed(journey, "monolithic")
    peak_hz, trials = value(record, "frames_hz_peak"), record["plan"]["trials"]
    held = {trial["rate_hz"] for trial in trials if trial["loss_ratio"] < 0.05}
    assert peak_hz in held
    assert peak_hz < 60 or all(trial["loss_ratio"] < 0.05 for trial in trials)
    assert all(trial["run"] for trial in trials)


def test_the_baseline_runs_the_same_nodes_without_kubernetes(journey: Journey, allowed: None) -> None:
    del allowed
    command = "--platform platform --cycles install --repetitions 1"
    up(journey, "monolithic")
    try:
        deployed = measured(journey, f"python -m probes.run -s monolithic {command} --no-network {SHORT}")
        parked = journey.in_lab(f"{UP} -s monolithic", ROS2BENCH_STATE="parked")
        assert parked.returncode == 0
        record = measured(journey, f"python -m probes.baseline -s monolithic {command} {SHORT}")
    finally:
        destroyed(journey, "monolithic")
    assert record["pattern"] == "baseline"
    assert value(record, "frames_lost") == 0
    assert value(record, "frames_delivered") == value(deployed, "frames_delivered")
    # What the API server, the scheduler and the container runtime take is in the one and not in the other.
    assert value(record, "pod_phase_s{phase=created}") < value(deployed, "pod_phase_s{phase=created}")
    for name in ("cpu_cores", "memory_bytes"):
        assert value(record, name) == pytest.approx(value(deployed, name), rel=0.5)
    assert not [*Path("/sys/fs/cgroup").glob("**/ros2bench-baseline-*")]
