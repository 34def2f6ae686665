"""The lab takes no address that the host already routes."""

import json
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import MachineUnfitError
from lab.network import CANDIDATES, MACHINES, POD_NETWORK, LabNetwork, choose_subnet, link_name, routed_networks


@given(st.sets(st.sampled_from(CANDIDATES), max_size=len(CANDIDATES) - 1))
def test_chosen_subnet_overlaps_nothing_that_is_routed(taken: set[IPv4Network]) -> None:
    chosen = choose_subnet(taken, None)
    assert chosen in CANDIDATES
    assert not any(chosen.overlaps(network) for network in taken)


def test_no_free_candidate_is_an_error_that_names_them_and_a_way_out() -> None:
    with pytest.raises(MachineUnfitError, match=r"198\.51\.100\.0/24") as caught:
        choose_subnet(CANDIDATES, None)
    assert "--subnet" in caught.value.advice


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("192.0.2.0/24", "overlaps 192.0.2.0/24"),
        ("10.244.0.0/24", "overlaps 10.244.0.0/16"),
        ("nonsense", "nonsense"),
        ("198.51.100.0/28", "too small"),
        ("198.51.100.7/24", "host bits"),
    ],
)
def test_unusable_subnet_is_refused_with_the_reason(wanted: str, words: str) -> None:
    with pytest.raises(MachineUnfitError, match=words):
        choose_subnet([IPv4Network("192.0.2.0/24")], wanted)


def test_wanted_subnet_is_taken_when_it_is_free() -> None:
    assert choose_subnet([IPv4Network("192.0.2.0/24")], "10.99.0.0/24") == IPv4Network("10.99.0.0/24")


def test_routes_are_read_without_the_default_route_and_ipv6() -> None:
    routes = [{"dst": "default"}, {"dst": "192.0.2.0/24"}, {"dst": "127.0.0.1"}, {"dst": "fe80::/64"}]
    assert routed_networks(json.dumps(routes)) == [IPv4Network("192.0.2.0/24"), IPv4Network("127.0.0.1/32")]


@given(st.sampled_from(CANDIDATES))
def test_every_address_of_a_lab_lies_in_its_subnet_once(subnet: IPv4Network) -> None:
    network = LabNetwork(subnet)
    addresses = [network.host, network.hub, *(network.machine(name) for name in MACHINES)]
    assert len(set(addresses)) == len(addresses)
    assert all(address in subnet for address in addresses)
    assert not network.pods("cloud").overlaps(network.pods("edge"))
    assert all(network.pods(name).subnet_of(POD_NETWORK) for name in MACHINES)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=16))
def test_link_names_fit_the_kernels_limit(lab: str) -> None:
    assert len(link_name(lab)) <= 15
