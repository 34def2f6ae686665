"""Each way of meeting is what its name says: no other way is left open beside it."""

from typing import Any

import pytest

from components.participant import Participant, environment, pod_network, profile_file

ALONE: dict[str, Any] = {"domain_id": 7, "rmw": "rmw_fastrtps_cpp", "socket_buffer_bytes": 1_000_000}
MEETINGS: dict[str, dict[str, Any]] = {
    "multicast": {},
    "server": {"discovery_server": "discovery-1:11811"},
    "static peers": {"static_peers": ("127.0.0.1", "recorder-1", "camera-1")},
    "the recorder's peers": {"static_peers": ("127.0.0.1",), "optional_peers": ("camera-1", "reader-1")},
    "host network": {"host_network": True},
    "master": {"master": "http://master-1:11311"},
}


def variables(**more: Any) -> dict[str, str]:
    listed = environment(Participant(**ALONE, **more))
    return {each["name"]: each["value"] for each in listed if "value" in each}


@pytest.mark.parametrize("meeting", MEETINGS)
def test_the_range_is_never_left_to_the_image(meeting: str) -> None:
    found = variables(**MEETINGS[meeting])
    wanted = {"server": "SYSTEM_DEFAULT", "master": None}.get(meeting, "SUBNET")
    assert found.get("ROS_AUTOMATIC_DISCOVERY_RANGE") == wanted


@pytest.mark.parametrize("meeting", MEETINGS)
def test_only_one_way_of_meeting_is_named(meeting: str) -> None:
    ways = ("ROS_DISCOVERY_SERVER", "ROS_STATIC_PEERS", "ROS_MASTER_URI")
    named = [way for way in ways if way in variables(**MEETINGS[meeting])]
    assert len(named) == (0 if meeting in ("multicast", "host network") else 1)


@pytest.mark.parametrize("meeting", MEETINGS)
def test_multicast_is_joined_only_where_it_is_the_way_of_meeting(meeting: str) -> None:
    profile = profile_file(Participant(**ALONE, **MEETINGS[meeting])).get("fastdds.xml", "")
    # A client of a discovery server joins no group by itself.
    assert ("metatrafficUnicastLocatorList" in profile) == ("peers" in meeting)


def test_peers_are_one_list() -> None:
    found = variables(**MEETINGS["the recorder's peers"])
    assert found["ROS_STATIC_PEERS"] == "127.0.0.1"
    assert found["ROS2BENCH_OPTIONAL_PEERS"] == "camera-1;reader-1"
    assert variables(**MEETINGS["static peers"])["ROS_STATIC_PEERS"] == "127.0.0.1;recorder-1;camera-1"


def test_a_ros1_pod_has_its_address_and_nothing_of_ros2() -> None:
    participant = Participant(**ALONE, **MEETINGS["master"])
    names = {each["name"] for each in environment(participant)}
    assert names == {"HOME", "ROS_LOG_DIR", "ROS_MASTER_URI", "ROS_IP"}
    assert {"name": "ROS_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}} in environment(participant)
    assert profile_file(participant) == {}


def test_only_a_client_of_a_server_must_be_told_to_see_everything() -> None:
    def names(meeting: str) -> set[str]:
        found = environment(Participant(**ALONE, **MEETINGS[meeting]), sees_everything=True)
        return {each["name"] for each in found}

    assert "ROS_SUPER_CLIENT" in names("server")
    assert "ROS_SUPER_CLIENT" not in names("multicast")


def test_the_machines_network_is_used_only_where_it_is_asked_for() -> None:
    assert pod_network(Participant(**ALONE)) == {}
    host = pod_network(Participant(**ALONE, host_network=True))
    assert host == {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
