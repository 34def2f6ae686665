"""What must hold before a run is looked at in small functions; and why a topic stays silent is said in words."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from probes import gates
from probes.catalogue import catalogue
from probes.console import Screen, quantity, reasons, sentence
from probes.errors import TargetError
from probes.preconditions import (
    Finding,
    application_runs,
    little_stray_load,
    network_carries,
    no_leftovers,
    no_other_experiment,
    refuse_blocking,
    role_labels,
    socket_buffers_allowed,
    space_for_the_run,
)
from probes.provenance import boot_id, is_dirt, without_places
from probes.recorder import RecorderStatus
from probes.samples import NO_SAMPLES, Samples, Window
from probes.silence import explain_silence
from tests.probes.standins import TOPIC, Deployment, StandInRecorder, machine, outputs_of, pod

OUTPUTS = outputs_of()


def application() -> Any:
    assert OUTPUTS.application is not None
    return OUTPUTS.application


def test_other_experiments_are_found_by_the_labels_that_do_not_name_the_own_stack() -> None:
    assert role_labels(application(), "monolithic") == {"app.kubernetes.io/component": "application"}
    found = no_other_experiment([pod("monolithic"), pod("overlay"), pod("overlay", uid="2")], ["monolithic"])
    assert [item.next_step for item in found] == ["ROS2BENCH_STATE=parked pulumi up -s overlay"]
    assert no_other_experiment([pod("overlay")], ["monolithic", "overlay"]) == []


def test_ending_pods_load_and_space_are_found() -> None:
    ending = pod("monolithic")
    ending["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    assert [item.severity for item in no_leftovers([ending])] == ["warning"]
    assert no_leftovers([pod("monolithic")]) == []
    assert little_stray_load(0.5, cpus=2) == []
    assert [item.check for item in little_stray_load(1.9, cpus=2)] == ["stray_load"]
    assert space_for_the_run(10**12, Path("/x")) == []
    assert [item.severity for item in space_for_the_run(10**6, Path("/x"))] == ["blocking"]
    assert application_runs(OUTPUTS, 1, 1) == []


def test_the_socket_limit_is_read_for_this_kernel_and_admitted_unknown_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rmem_max").write_text("212992\n")
    monkeypatch.setattr("probes.preconditions.RECEIVE_LIMIT_FILE", tmp_path / "rmem_max")
    found = socket_buffers_allowed(4_194_304, [machine()], boot_id())
    assert "net.core.rmem_max is 212992 B" in found[0].message
    assert socket_buffers_allowed(200_000, [machine()], boot_id()) == []
    assert "cannot be read from here" in socket_buffers_allowed(1, [machine(boot="other")], boot_id())[0].message


def test_what_a_network_takes_for_granted_is_said_before() -> None:
    assert OUTPUTS.network is not None
    meeting = {name: OUTPUTS.network.model_copy(update={"discovery": name}) for name in ("server", "multicast")}
    assert network_carries(meeting["server"], 2) == []
    assert network_carries(meeting["multicast"], 1) == []
    assert [found.check for found in network_carries(meeting["multicast"], 2)] == ["multicast"]
    host = OUTPUTS.network.model_copy(update={"mode": "host", "discovery": "host-network"})
    assert "everybody in domain 7 on that network" in network_carries(host, 1)[0].message


def test_blocking_findings_end_the_command_and_warnings_do_not() -> None:
    refuse_blocking([Finding("a", "warning", "m")])
    with pytest.raises(TargetError, match="b: first\nc: second") as caught:
        refuse_blocking([Finding("b", "blocking", "first", "do"), Finding("c", "blocking", "second", "do")])
    assert (caught.value.next_step, caught.value.reason) == ("do", "b")


PUBLISHED = {"topic": TOPIC, "types": ["ros2bench_interfaces/msg/Result"], "publishers": 1}
HEARD = {"name": TOPIC, "type": "ros2bench_interfaces/msg/Result", "received_total": 3, "publishers": []}


def silence(**changes: Any) -> str:
    recorder = StandInRecorder(Deployment())
    recorder.incompatible = changes.pop("incompatible", False)
    recorder.discovered = changes.pop("discovered", [])
    discovery, ready = changes.pop("mode", "server"), changes.pop("ready", 1)
    status = RecorderStatus.model_validate(recorder.status() | changes)
    recorder.close()
    topic = application().topics[0]
    network = OUTPUTS.network.model_copy(update={"discovery": discovery}) if OUTPUTS.network else None
    return str(explain_silence(status, topic, network, waited_s=5, ready=ready, expected=1, namespace="n"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"domain_id": 9}, "different domains"),
        ({"rmw": "rmw_cyclonedds_cpp"}, "different middlewares"),
        ({"discovered": [{"topic": TOPIC, "types": ["o/msg/O"], "publishers": 1}]}, "published as o/msg/O"),
        ({"incompatible": True}, "quality of service does not match"),
        ({"discovered": [{"topic": "/x", "types": ["o/msg/O"], "publishers": 1}]}, "discovery works, but nobody"),
        ({"nodes": ["/camera"]}, "discovery works, but nobody"),
        ({"discovered": [PUBLISHED]}, "the publisher is discovered, so discovery works, but no data arrives"),
        ({"discovered": [PUBLISHED], "topics": [HEARD]}, "3 messages did arrive, but none that was published after"),
        ({}, "no participant at all is discovered in domain 7"),
        ({}, "UDP 11811 as well as UDP 9150-9399 and 7000-7399 may pass"),
        ({"mode": "multicast"}, "Most pod networks carry no multicast"),
        ({"mode": "static-peers"}, "older ones ignore ROS_STATIC_PEERS"),
        ({"mode": "host-network"}, "machines' network carries multicast"),
        ({"ready": 0}, "no pod of the application is Ready"),
    ],
)
def test_silence_names_its_likely_cause(changes: dict[str, Any], said: str) -> None:
    text = silence(**changes)
    assert said in text
    ready = f"{changes.get('ready', 1)} of 1 Ready"
    for part in (TOPIC, "ros2bench_interfaces/msg/Result", ready, "kubectl -n n logs"):
        assert part in text


def test_a_salt_alone_is_not_dirt() -> None:
    salt = "--- a/Pulumi.dev.yaml\n+++ b/Pulumi.dev.yaml\n@@ -0,0 +1 @@\n+encryptionsalt: v1:abc\n"
    assert not is_dirt("", "")
    assert not is_dirt(" M Pulumi.dev.yaml\n", salt)
    assert is_dirt(" M Pulumi.dev.yaml\n", salt + "+  ros2bench:rateHz: 30\n")
    assert is_dirt(" M probes/run.py\n M Pulumi.dev.yaml\n", salt)


def test_homes_are_replaced_in_every_depth() -> None:
    value = {"a": ["/home/me/x", {"b": "file:///home/me"}], "c": 1}
    assert without_places(value, {"/home/me": "~"}) == {"a": ["~/x", {"b": "file://~"}], "c": 1}


def rows(*columns: tuple[int, int]) -> Samples:
    table = [[0, 5, 5, 5, 5, taken, monotonic, 0] for taken, monotonic in columns]
    return Samples(np.array(table, dtype=np.int64))


def test_gates_see_restarts_lost_machines_steps_and_thin_samples() -> None:
    before = gates.pod_states([pod("monolithic")])
    restarted = pod("monolithic")
    restarted["status"]["containerStatuses"][0]["restartCount"] = 1
    assert gates.no_restart(before, before).passed
    assert not gates.no_restart(before, gates.pod_states([restarted])).passed
    assert not gates.no_restart(before, gates.pod_states([pod("monolithic", uid="other")])).passed
    assert gates.machines_present(["edge"], [machine()]).passed
    assert not gates.machines_present(["edge"], [machine(is_ready=False)]).passed
    assert gates.no_clock_step(rows((10**9, 0), (2 * 10**9, 10**9))).passed
    assert not gates.no_clock_step(rows((10**9, 0), (3 * 10**9, 10**9))).passed
    steady = [(number * 10**8, number * 10**8) for number in range(20)]
    interrupted = [(real, monotonic + 10**7 * (real == 10**9)) for real, monotonic in steady]
    assert gates.no_clock_step(rows(*interrupted)).passed, "one read that was interrupted is no step"
    stepped = [(real + 10**7 * (real >= 10**9), monotonic) for real, monotonic in steady]
    assert not gates.no_clock_step(rows(*stepped)).passed
    assert not gates.enough_samples(NO_SAMPLES, Window(0, 1)).passed


def test_values_are_written_for_people() -> None:
    assert quantity(0.01234567, "s") == "12.35 ms"
    assert quantity(12.34567, "s") == "12.35 s"
    assert quantity(123_456_789, "B") == "123.5 MB"
    assert quantity(1000.0, "1") == "1,000"
    assert quantity(9.98765, "Hz") == "9.988 Hz"


def test_the_verdict_is_one_sentence() -> None:
    value = {"value": 0.04, "unit": "s", "interval": [0.03, 0.05], "n": 5}
    count = {"value": 200.0, "unit": "1", "interval": None, "n": 5}
    metrics = {"inference_s": value, "frames_delivered": count, "frames_intended": count, "x": {"missing": "why"}}
    manifest = {
        "metrics": metrics,
        "repetitions_done": 5,
        "plan": {"repetitions": 5},
        "stack": "monolithic",
        "state": "complete",
        "reason": None,
    }
    assert sentence(manifest) == (
        "monolithic: 5 of 5 repetitions: the result arrives 40 ms after its frame was due "
        "(95 % interval 30 ms to 50 ms), 200 of 200 frames delivered."
    )
    assert reasons(metrics) == {"why": ["x"]}
    swaps = manifest | {"metrics": {"swap_s": value}, "repetitions_done": 0, "plan": {"repetitions": 0}}
    assert sentence(swaps) == "monolithic: 1 values."


def manifest_of(metrics: Iterable[str], value: Mapping[str, Any]) -> dict[str, Any]:
    """What the screen needs of a manifest."""
    return {
        "run_id": "0199",
        "metrics": dict.fromkeys(metrics, value),
        "gates": [],
        "repetitions_done": 1,
        "plan": {"repetitions": 1},
        "stack": "monolithic",
        "state": "complete",
        "reason": None,
    }


@pytest.mark.parametrize(("role", "has_values"), [("trial", False), ("control", False), ("summary", True)])
def test_one_of_many_runs_is_shown_in_a_few_lines(role: str, *, has_values: bool) -> None:
    gate = {"name": "no_restart", "passed": False, "detail": "changed: camera", "repetition": 0}
    value = {"value": 1.0, "unit": "s", "interval": None, "n": 1}
    manifest = manifest_of(["inference_s"], value) | {"gates": [gate], "cell": {"role": role}}
    page = io.StringIO()
    Screen(result=Console(file=page, width=120)).result(manifest, "here", [])
    text = page.getvalue()
    assert ("inference_s" in text.partition("record:")[0].partition("\n\n")[2]) == has_values
    assert "gate no_restart failed in repetition 0: changed: camera" in text
    assert "record: here" in text


def test_the_table_has_whole_names_and_what_is_of_one_place_is_in_the_report() -> None:
    value = {"value": 12_345.678, "unit": "B/s", "interval": [12_345.61, 99_999.7], "n": 20}
    shown = [f"{name}{{part=transport,statistic=lower_bound}}" for name in sorted(catalogue())]
    places = [
        "memory_bytes{container=main,pod=a}",
        "power_w{machine=edge,rail=VDD_IN}",
        "pod_phase_s{phase=ready,pod=a}",
    ]
    manifest = manifest_of([*shown, *places], value)
    for width in (100, 120, 200):
        page = io.StringIO()
        Screen(result=Console(file=page, width=width)).result(manifest, "here", [])
        text = page.getvalue()
        assert "…" not in text
        lines = text.splitlines()
        assert [name for name in shown if not any(line.startswith(f"{name} ") for line in lines)] == []
        assert not any(place in text for place in places)
        assert "3 more by pod, container, machine, rail: python -m probes.report 0199" in lines
