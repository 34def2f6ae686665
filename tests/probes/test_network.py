"""Probes of the network between machines, and the readings that follow from them."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from probes.errors import TargetError
from probes.evidence import PodIdentity
from probes.measurement import Evidence, undeclared
from probes.measurements import network as measured
from probes.network_links import Bandwidth, LinkProbe, RoundTrips
from probes.network_probe import ProbeSettings, both_ways, probe_links
from probes.readings import Reading
from tests.probes.evidences import whole
from tests.probes.fake_network import RTT_S, FakeNetwork, fake_readers

SETTINGS = ProbeSettings(count=200)


def evidence(links: tuple[LinkProbe, ...] | str, *machines: str) -> Evidence:
    pods = tuple(PodIdentity(f"p-{name}", f"u-{name}", name, name, ()) for name in machines)
    return replace(whole(), network=links, pods=pods)


def gather(found: Evidence) -> dict[str, Reading]:
    measurement = measured.Measured()
    readings = asyncio.run(measurement.gather(found))
    assert undeclared(measurement, readings) == []
    assert len({reading.key for reading in readings}) == len(readings)
    return {reading.key: reading for reading in readings}


def probed(network: FakeNetwork, *names: str, settings: ProbeSettings = SETTINGS) -> tuple[LinkProbe, ...]:
    readers, _, _ = fake_readers(network, "cloud", "edge")
    return asyncio.run(probe_links(readers, both_ways(names), "idle", settings))


def test_both_ways_between_two_machines_become_readings() -> None:
    readings = gather(evidence(probed(FakeNetwork(carries=5e6), "cloud", "edge"), "cloud", "edge"))
    assert readings["network_rtt_s"].value == pytest.approx(RTT_S, rel=0.05)
    for one, other in (("cloud", "edge"), ("edge", "cloud")):
        labels = f"machine={one},part=idle,peer={other}"
        p50, p95, p99, longest = (
            readings[f"network_rtt_s{{{labels},statistic={name}}}"].value for name in ("p50", "p95", "p99", "max")
        )
        assert p50 is not None
        assert p50 <= (p95 or 0) <= (p99 or 0) <= (longest or 0) <= 1.1 * RTT_S
        assert readings[f"network_lost_ratio{{{labels}}}"].value == 0
        assert readings[f"network_bandwidth_bytes_per_s{{{labels}}}"].value == 5e6
    assert readings["network_bandwidth_bytes_per_s"].value == 5e6


def test_a_network_that_is_faster_than_the_probe_has_a_lower_bound() -> None:
    readings = gather(evidence(probed(FakeNetwork(), "cloud", "edge"), "cloud", "edge"))
    assert readings["network_bandwidth_bytes_per_s"].missing == "probe_limited"
    assert readings["network_bandwidth_bytes_per_s{statistic=lower_bound}"].value == 2e8


def test_an_application_on_one_machine_has_no_network_but_what_was_probed_is_kept() -> None:
    readings = gather(evidence(probed(FakeNetwork(), "cloud", "edge"), "edge"))
    assert {readings[metric.name].missing for metric in measured.METRICS} == {"one_machine"}
    assert readings["network_rtt_s{machine=cloud,part=idle,peer=edge,statistic=p50}"].value is not None


@pytest.mark.parametrize("reason", ["no_platform", "no_machine_reader", "not_requested"])
def test_nothing_was_probed(reason: str) -> None:
    readings = gather(evidence(reason, "cloud", "edge"))
    assert {reading.missing for reading in readings.values()} == {reason}
    assert set(readings) == {metric.name for metric in measured.METRICS}


def test_a_machine_without_a_reader_is_missing_and_so_is_the_slowest_pair() -> None:
    readings = gather(evidence(probed(FakeNetwork(), "cloud", "edge", "far"), "cloud", "edge", "far"))
    assert readings["network_rtt_s"].missing == "no_machine_reader"
    assert readings["network_bandwidth_bytes_per_s"].missing == "no_machine_reader"
    assert readings["network_rtt_s{machine=edge,part=idle,peer=far,statistic=p50}"].missing == "no_machine_reader"
    assert readings["network_rtt_s{machine=edge,part=idle,peer=cloud,statistic=p50}"].value is not None


def test_datagrams_that_nobody_answers_are_no_round_trip() -> None:
    readings = gather(evidence(probed(FakeNetwork(answers=False), "cloud", "edge"), "cloud", "edge"))
    assert {reading.missing for reading in readings.values()} == {"network_probe_unanswered"}


def test_too_few_round_trips_have_no_p99() -> None:
    links = probed(FakeNetwork(), "cloud", "edge", settings=ProbeSettings(count=50))
    readings = gather(evidence(links, "cloud", "edge"))
    assert readings["network_rtt_s{machine=edge,part=idle,peer=cloud,statistic=p99}"].missing == "too_few_samples"
    assert readings["network_rtt_s{machine=edge,part=idle,peer=cloud,statistic=p95}"].value is not None


def test_a_reader_that_dies_or_answers_nonsense_is_a_reason() -> None:
    readers, clients, notes = fake_readers(FakeNetwork(), "cloud", "edge")
    clients["edge"].problem = TargetError("gone", reason="machine_reader_unreachable")
    (link,) = asyncio.run(probe_links(readers, [("cloud", "edge")], "load", SETTINGS))
    assert link.trips == link.bandwidth == "machine_reader_unreachable"
    assert notes == ["machine reader of edge: gone"]
    clients["edge"].problem = None
    clients["cloud"].network.rtt_s = -1.0
    (link,) = asyncio.run(probe_links(readers, [("cloud", "edge")], "load", SETTINGS))
    assert link.trips == "machine_reader_garbled"


def test_bandwidth_is_left_out_where_nobody_asked_for_it() -> None:
    (link, _) = probed(FakeNetwork(), "cloud", "edge", settings=ProbeSettings(count=100, bandwidth_s=0))
    assert link.bandwidth == "not_requested"


def test_a_machine_that_was_not_probed_while_parked_leaves_no_slowest_pair() -> None:
    readings = gather(evidence(probed(FakeNetwork(), "cloud", "edge"), "cloud", "edge", "other"))
    assert {readings[metric.name].missing for metric in measured.METRICS} == {"pair_not_probed"}
    assert readings["network_rtt_s{machine=cloud,part=idle,peer=edge,statistic=p50}"].value is not None
    running = replace(evidence(probed(FakeNetwork(), "cloud", "edge"), "cloud", "edge"), deployment=None)
    assert gather(running)["network_rtt_s"].missing == "idle_not_measured"


def test_only_the_bandwidth_is_probed_where_no_round_trip_is_asked_for() -> None:
    (link, _) = probed(FakeNetwork(carries=5e6), "cloud", "edge", settings=ProbeSettings(count=0))
    assert link.trips == "not_requested"
    assert link.bandwidth == Bandwidth(5e6, "network")


def test_the_slowest_pair_counts_and_load_does_not_hide_it() -> None:
    def link(machine: str, peer: str, part: str, rtt_s: float, rate: float) -> LinkProbe:
        trips = RoundTrips(100, np.full(100, rtt_s), (1, 2))
        return LinkProbe(machine, peer, "idle" if part == "idle" else "load", trips, Bandwidth(rate, "network"))

    links = (
        link("a", "b", "idle", 0.001, 5e6),
        link("b", "a", "idle", 0.002, 4e6),
        link("a", "b", "load", 0.009, 1e6),
        link("a", "c", "idle", 0.008, 2e6),
    )
    readings = gather(evidence(links, "a", "b"))
    assert readings["network_rtt_s"].value == 0.002
    assert readings["network_bandwidth_bytes_per_s"].value == 4e6
    assert readings["network_rtt_s{machine=a,part=load,peer=b,statistic=p50}"].value == 0.009
